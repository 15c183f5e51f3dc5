package org.descant.synth;

import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The instruments by name: settings of the synthesis classes, tuned by ear and spectrogram. */
final class Voices {
  private static final List<Double> STRING = List.of();
  private static final Map<String, Voice> ALL = new LinkedHashMap<>();

  static {
    // ModalVoice: ratios, stiffness, softness, seconds, damping, detune, knock, release.
    ALL.put("piano", new ModalVoice(STRING, 4e-4, 0.24, 7, 0.22, 1.2, 0.5, 0.22));
    ALL.put("upright-piano", new ModalVoice(STRING, 7e-4, 0.17, 4.2, 0.25, 5.5, 0.9, 0.16));
    ALL.put("felt-piano", new ModalVoice(STRING, 3e-4, 0.6, 6, 0.4, 1.6, 0.35, 0.4));
    ALL.put("vibraphone", new ModalVoice(List.of(1.0, 4.0, 10.1), 0, 0.35, 5, 0.5, 0, 0.2, 0.5));
    ALL.put("marimba", new ModalVoice(List.of(1.0, 3.93, 9.6), 0, 0.3, 0.9, 0.6, 0, 0.5, 0.4));
    ALL.put(
        "bells",
        new ModalVoice(
            List.of(0.5, 1.0, 1.19, 1.5, 2.0, 2.67, 4.1, 5.4), 0, 0.28, 6, 0.45, 0, 0.1, 2.0));
    ALL.put("kalimba", new ModalVoice(List.of(1.0, 5.4, 6.9), 0, 0.42, 1.6, 0.5, 0, 0.7, 0.6));
    // PluckVoice: bright, attack, place, seconds, release, body.
    ALL.put("nylon-guitar", new PluckVoice(0.72, 0.35, 0.22, 3.2, 0.25, 0.25));
    ALL.put("steel-guitar", new PluckVoice(0.94, 0.62, 0.14, 4.5, 0.25, 0.12));
    ALL.put("electric-guitar", new PluckVoice(0.9, 0.5, 0.18, 7, 0.12, 0.1));
    ALL.put("mandolin", new PluckVoice(0.96, 0.75, 0.1, 2.2, 0.15, 0));
    ALL.put("harp", new PluckVoice(0.86, 0.4, 0.4, 4.5, 1.2, 0.2));
    ALL.put("finger-bass", new PluckVoice(0.8, 0.22, 0.2, 3.5, 0.12, 0.7));
    ALL.put("pick-bass", new PluckVoice(0.9, 0.5, 0.12, 4, 0.1, 0.5));
    ALL.put("upright-bass", new PluckVoice(0.55, 0.16, 0.25, 2.2, 0.18, 1.0));
    ALL.put("pizzicato", new PluckVoice(0.5, 0.3, 0.2, 0.9, 0.15, 0.5));
    // FmVoice: ratio, index, index seconds, seconds, tine, tine ratio, attack, release.
    ALL.put("electric-piano", new FmVoice(1, 0.22, 1.2, 4.5, 0.16, 14, 0.002, 0.2));
    ALL.put("fm-bass", new FmVoice(0.5, 0.45, 0.3, 3, 0.1, 3, 0.002, 0.08));
    ALL.put("fm-bell", new FmVoice(3.51, 0.35, 1.4, 4, 0.08, 7, 0.001, 1.2));
    ALL.put("fm-glass", new FmVoice(2.01, 0.14, 3, 7, 0.05, 5, 0.02, 2.0));
    // WaveVoice: tone, players, cents, vibrato, attack, release, breath.
    ALL.put("organ", new WaveVoice(WaveVoice.Tone.ORGAN, 2, 3, 5, 0.01, 0.06, 0));
    ALL.put("pipe-organ", new WaveVoice(WaveVoice.Tone.PIPES, 2, 3.5, 0, 0.06, 0.25, 0.12));
    ALL.put("choir-ah", new WaveVoice(WaveVoice.Tone.AH, 4, 11, 16, 0.14, 0.32, 0.3));
    ALL.put("choir-oo", new WaveVoice(WaveVoice.Tone.OO, 4, 10, 14, 0.18, 0.4, 0.25));
    ALL.put("violin", new WaveVoice(WaveVoice.Tone.VIOLIN, 1, 0, 17, 0.07, 0.14, 0.28));
    ALL.put("viola", new WaveVoice(WaveVoice.Tone.VIOLA, 1, 0, 15, 0.08, 0.15, 0.25));
    ALL.put("cello", new WaveVoice(WaveVoice.Tone.CELLO, 1, 0, 13, 0.08, 0.16, 0.22));
    ALL.put("strings", new WaveVoice(WaveVoice.Tone.VIOLA, 5, 14, 12, 0.35, 0.6, 0.2));
    ALL.put("flute", new WaveVoice(WaveVoice.Tone.FLUTE, 1, 0, 12, 0.05, 0.1, 0.8));
    ALL.put("clarinet", new WaveVoice(WaveVoice.Tone.CLARINET, 1, 0, 6, 0.04, 0.09, 0.15));
    ALL.put("accordion", new WaveVoice(WaveVoice.Tone.REED, 2, 9, 3, 0.05, 0.08, 0.08));
    ALL.put("muted-trumpet", new WaveVoice(WaveVoice.Tone.TRUMPET, 1, 0, 14, 0.04, 0.1, 0.2));
    ALL.put("glass-pad", new WaveVoice(WaveVoice.Tone.GLASS, 3, 8, 5, 1.2, 2.5, 0.1));
    // SynthVoice: saws, cents, pulse, sub, cutoff, sweep, Q, filter s, attack, decay s, sustain,
    // release.
    ALL.put("saw-pad", new SynthVoice(4, 13, 0, 0.1, 700, 1.2, 0.8, 5, 0.7, 4, 0.8, 1.4));
    ALL.put("warm-pad", new SynthVoice(3, 9, 0.42, 0.3, 420, 1.0, 0.7, 8, 1.4, 6, 0.85, 2.4));
    ALL.put("brass-synth", new SynthVoice(3, 8, 0, 0, 600, 2.4, 1.0, 1.6, 0.03, 2, 0.7, 0.3));
    ALL.put("lead-synth", new SynthVoice(2, 7, 0.3, 0, 1500, 1.6, 1.4, 0.7, 0.01, 2, 0.75, 0.15));
    ALL.put("saw-lead", new SynthVoice(3, 10, 0, 0, 2200, 1.4, 1.0, 1.2, 0.01, 3, 0.8, 0.25));
    ALL.put("pluck-synth", new SynthVoice(2, 8, 0, 0, 380, 3.8, 1.8, 0.35, 0.002, 0.6, 0, 0.25));
    ALL.put("stab-synth", new SynthVoice(3, 12, 0, 0, 500, 3.2, 1.3, 0.4, 0.003, 0.7, 0.1, 0.2));
    ALL.put("acid-bass", new SynthVoice(1, 0, 0, 0, 300, 3.4, 5.5, 0.45, 0.003, 1.2, 0.3, 0.05));
    ALL.put("synth-bass", new SynthVoice(2, 6, 0, 0.5, 420, 2.0, 1.2, 0.4, 0.004, 1.5, 0.6, 0.08));
    ALL.put("sub-bass", new SynthVoice(1, 0, 0.5, 0, 180, 0.8, 0.8, 0.5, 0.006, 2, 0.8, 0.1));
    ALL.put("soft-bass", new SynthVoice(1, 0, 0.5, 0, 150, 0.6, 0.7, 3, 0.18, 4, 0.85, 0.7));
    // DrumKit: kick Hz, kick seconds, snap, metal, snare Hz.
    ALL.put("rock-kit", new DrumKit(58, 0.32, 0.8, 1.1, 190));
    ALL.put("lofi-kit", new DrumKit(62, 0.26, 0.35, 0.8, 170));
    ALL.put("techno-kit", new DrumKit(48, 0.42, 1.0, 0.9, 200));
    ALL.put("jazz-kit", new DrumKit(72, 0.22, 0.3, 1.2, 210));
    ALL.put("retro-kit", new DrumKit(52, 0.36, 0.9, 1.0, 165));
    ALL.put("hand-kit", new DrumKit(80, 0.2, 0.3, 0.9, 220));
    // AirVoice: hiss, crackles a second, wandering.
    ALL.put("record-noise", new AirVoice(0.12, 9, false));
    ALL.put("wind", new AirVoice(0.9, 0, true));
  }

  private Voices() {}

  static boolean known(String name) {
    return ALL.containsKey(name);
  }

  static Collection<String> names() {
    return ALL.keySet();
  }

  static boolean drums(String name) {
    return ALL.get(name) instanceof DrumKit;
  }

  /** The voice of a name that {@link #known} knows. */
  static Voice of(String name) {
    Voice voice = ALL.get(name);
    if (voice == null) {
      throw new SynthException("Instrument \"" + name + "\" is unknown.");
    }
    return voice;
  }
}
