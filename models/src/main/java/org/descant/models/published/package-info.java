/**
 * The field's published models, read as they are served: a folder with {@code config.json} and
 * safetensors.
 *
 * <pre>
 *   folder -> PublishedWeights (config + tensors, fp32) -> EnCodec | Dac | T5Encoder | ...
 *                                                              |
 *   parity.safetensors (in.*, out.*) -------------------> Parity: one line per output
 * </pre>
 *
 * <p>What must always hold: the numbers are those of the reference implementation (codes equal,
 * everything else to a stated relative error); a model is built from its configuration alone, never
 * from what the files happen to hold; every tensor of a file is used or named as one that inference
 * does not need. A model holds its weights until it is closed, and no call leaves native memory
 * behind except its result, which belongs to the caller's scope.
 *
 * <p>What it refuses: a configuration value it does not know, by key and value; a tensor that is
 * missing, left over or of another shape, by name; pickles. It draws nothing at random and opens no
 * socket.
 */
@NullMarked
package org.descant.models.published;

import org.jspecify.annotations.NullMarked;
