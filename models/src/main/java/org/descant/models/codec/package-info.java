/**
 * The house codec: waveforms to codes of some bits a frame and back, phases recovered or from the
 * network, and what it is trained by; and the convolutional codec of the literature, trainable too,
 * that it is measured against.
 *
 * <p>What must always hold: decoding depends on the codes alone; streamed sound does not depend on
 * how the codes were cut into pushes; every random draw comes from a seed that the caller gave.
 *
 * <p>What it refuses: shapes and numbers of codebooks that do not belong to the configuration.
 */
@NullMarked
package org.descant.models.codec;

import org.jspecify.annotations.NullMarked;
