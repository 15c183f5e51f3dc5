package org.descant.synth;

import java.util.LinkedHashMap;
import org.descant.audio.MusicAnnotations;
import org.descant.audio.Pcm;

/**
 * A rendered track: 44.1 kHz stereo, every stem on the 16-bit grid, the mix their exact sum.
 *
 * @param mix the sum of the stems; no sample clips
 * @param stems by name, in the order of the score's band
 * @param truth what the score says: beats, tempo, key, chords and sections, exact to the sample
 */
public record Rendering(Pcm mix, LinkedHashMap<String, Pcm> stems, MusicAnnotations truth) {}
