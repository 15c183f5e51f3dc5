/**
 * Programs that measure, each beside its peer in the same run. Their figures, with machine, date
 * and command, are kept in {@code bench/RESULTS.md}, the lost ones too.
 *
 * <p>What always holds: a figure is the best of many repetitions, printed beside the processor time
 * of the measuring thread and the machine's load, so that a busy machine cannot flatter or hide
 * anything; a speed is printed beside what the same library reaches on its fastest matrix product
 * in the same minute.
 *
 * <p>What it refuses: to be imported by any other module, and to judge. No test asserts a time.
 */
@NullMarked
package org.descant.bench;

import org.jspecify.annotations.NullMarked;
