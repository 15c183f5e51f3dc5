/**
 * The one class through which audio leaves, and the gates before it; the HTTP API stands in {@code
 * web}.
 *
 * <pre>
 *  request → Delivery.open: decisions, provisional credits, pending usage (durable)
 *          → engine chunks → listener (WAV stream, events)
 *          → attribution, copied span, credential, posted usage, lineage → clip
 *          ↘ on failure the usage is voided and no file is kept; a finished clip that came out
 *            too close to a recording is tried again with another seed (Attempts), a stream is not
 * </pre>
 *
 * <p>What must hold: no audio reaches a listener or a file but through {@link
 * org.descant.serving.Delivery}; a stream opens only after its credits and its pending usage are
 * durable; a usage ends posted or voided, once, whatever happens, and a process that dies leaves it
 * to {@code recover}, which touches nothing that a living process is at; a refusal stops what is
 * being made, and is answered with reasons in kind sentences. It refuses models without a rights
 * manifest, and clips that repeat a recording which the model learned from.
 */
@NullMarked
package org.descant.serving;

import org.jspecify.annotations.NullMarked;
