/**
 * EnCodec and DAC as published: waveform to codes and back.
 *
 * <p>What must always hold: codes are those of the reference implementation, waveforms to 1e-4.
 *
 * <p>What it refuses: configuration values it does not know, by key and value.
 */
@NullMarked
package org.descant.models.published.codec;

import org.jspecify.annotations.NullMarked;
