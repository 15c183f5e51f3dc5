/**
 * From a request to sound: resolve what was left open, plan the bars and chords, decode frames,
 * turn them into samples while later frames are still being decoded.
 *
 * <pre>
 *  GenerationRequest → Planner (conditions per frame) → Decoder (codes) → streaming codec → chunks
 *                                                      FlowModel (latents, window by window, → codes)
 * </pre>
 *
 * <p>What must hold: the same model, request and thread count give the same samples; a style
 * reference enters only as a {@link org.descant.rights.ClearedRecording} for {@link
 * org.descant.rights.Use#STYLE}. The engine lets no sound out by itself: it hands chunks to its
 * caller, which is {@code serving.Delivery}.
 */
@NullMarked
package org.descant.engine;

import org.jspecify.annotations.NullMarked;
