/**
 * Commands about new music and those behind it: {@code generate}, {@code serve}, {@code verify},
 * {@code trace}, {@code prove}, {@code ledger}. Sound leaves by {@code serving.Delivery} only; what
 * is said of a clip or a model can be checked by those who did not make it.
 */
@NullMarked
package org.descant.cli.playing;

import org.jspecify.annotations.NullMarked;
