/**
 * The one door to libtorch. Nothing outside this package sees {@code org.bytedeco.pytorch}: the
 * other modules compute with {@link org.descant.tensor.Tensor}, inside a {@link
 * org.descant.tensor.Scope}.
 *
 * <pre>
 *   NativeRuntime.init(2);
 *   try (Scope step = Scope.open()) {
 *     Tensor loss = model.apply(batch).crossEntropy(target);
 *     loss.backward();
 *   }                                    // every tensor of the step is freed here
 * </pre>
 *
 * <p>What must always hold: native memory is freed by scopes or by an owner with {@code close()},
 * never by waiting for the garbage collector; parameters are views of one flat buffer and their
 * gradients views of another; every random number comes from a {@link
 * org.descant.tensor.SeededRandom}; the same seed, thread count, precision and kind of CPU give the
 * same bits; a file is written aside and renamed.
 *
 * <p>What it refuses: an operation without an open scope, a tensor whose scope has closed, a
 * safetensors file whose header does not account for every byte, and Java serialization of
 * anything.
 */
@NullMarked
package org.descant.tensor;

import org.jspecify.annotations.NullMarked;
