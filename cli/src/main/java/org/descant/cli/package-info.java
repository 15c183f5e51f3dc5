/**
 * The {@code descant} command: the composition root, where the modules are put together and nothing
 * else is decided.
 *
 * <pre>
 *   Main, demo, doctor ─► music     catalog, rights, dataset
 *                      ─► learning  train, lab, evaluate, models
 *                      ─► playing   generate, serve, verify, trace, prove, ledger
 *                           └─► platform   a home opened, shared steps, output
 * </pre>
 *
 * <p>One class per noun of the command line turns words into calls and results into text or one
 * JSON document. Exit status: 0 done or allowed, 1 refused or a check failed, 2 wrong usage or bad
 * input with one sentence, 130 interrupted with everything safe. Progress and logs go to stderr,
 * results to stdout.
 */
@NullMarked
package org.descant.cli;

import org.jspecify.annotations.NullMarked;
