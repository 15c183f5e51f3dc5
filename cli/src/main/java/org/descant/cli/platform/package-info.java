/**
 * What every command stands on: one {@link org.descant.cli.platform.Invocation} with the options
 * that all take, {@link org.descant.cli.platform.Platform}, which opens a home (the state folder)
 * and hands out its services, {@link org.descant.cli.platform.Steps}, which several commands share,
 * and how a command answers: {@link org.descant.cli.platform.Output}, {@link
 * org.descant.cli.platform.Exit}, {@link org.descant.cli.platform.UsageException}.
 *
 * <p>What must always hold: results go to stdout and progress to stderr; every step leaves its
 * artefacts in the lineage and the log. It knows no command.
 */
@NullMarked
package org.descant.cli.platform;

import org.jspecify.annotations.NullMarked;
