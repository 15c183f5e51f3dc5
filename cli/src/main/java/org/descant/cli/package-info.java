/**
 * The {@code descant} command: the composition root, where the modules are put together and nothing
 * else is decided.
 *
 * <p>{@link org.descant.cli.Platform} opens a home (the state folder) and hands out its services;
 * one class per noun of the command line turns words into calls and results into text or one JSON
 * document. Exit status: 0 done or allowed, 1 refused or a check failed, 2 wrong usage or bad input
 * with one sentence, 130 interrupted with everything safe. Progress and logs go to stderr, results
 * to stdout.
 */
@NullMarked
package org.descant.cli;

import org.jspecify.annotations.NullMarked;
