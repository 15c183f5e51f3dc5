package org.descant.training.stage;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.descant.audio.Beat;
import org.descant.audio.ChordSpan;
import org.descant.audio.MusicAnnotations;
import org.descant.audio.Section;
import org.descant.models.condition.FrameConditions.PitchSpan;
import org.descant.models.condition.Melody;
import org.descant.shards.Draws;
import org.descant.training.recipe.Recipe;

/**
 * One way to play a recording: {@code semitones} higher and {@code tempo} times as fast.
 *
 * @param number 0 is the recording as it is
 * @param semitones transposition
 * @param tempo factor on the tempo
 */
public record Copy(int number, int semitones, double tempo) {
  private static final String[] ROOTS = {
    "C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"
  };

  /**
   * The copies of a recording. Transpositions walk through the whole range in an order of the
   * recording's own, so that each comes about equally often; tempos are drawn evenly on a log
   * scale.
   */
  static List<Copy> of(Recipe.Augment augment, long seed, String isrc) {
    SplittableRandom random = Draws.of(seed, "copies " + isrc, 0);
    var semitones = new ArrayList<Integer>();
    for (int k = augment.semitonesDown(); k <= augment.semitonesUp(); k++) {
      semitones.add(k);
    }
    for (int i = semitones.size() - 1; i > 0; i--) {
      int j = random.nextInt(i + 1);
      int swapped = semitones.get(i);
      semitones.set(i, semitones.get(j));
      semitones.set(j, swapped);
    }
    var copies = new ArrayList<Copy>();
    copies.add(new Copy(0, 0, 1));
    double low = StrictMath.log(augment.tempoMin());
    double high = StrictMath.log(augment.tempoMax());
    for (int n = 1; n < augment.copies(); n++) {
      double tempo = StrictMath.exp(low + (high - low) * random.nextDouble());
      copies.add(new Copy(n, semitones.get(n % semitones.size()), tempo));
    }
    return List.copyOf(copies);
  }

  /** How much faster the copy is played to move its pitch: {@code 2^(semitones / 12)}. */
  double pitchFactor() {
    return StrictMath.pow(2, semitones / 12.0);
  }

  /** The annotations of this copy: times, tempo, key and chords move with the sound. */
  MusicAnnotations apply(MusicAnnotations source) {
    if (number == 0) {
      return source;
    }
    return new MusicAnnotations(
        source.seconds() / tempo,
        source.tempoBpm() * tempo,
        source.key().transpose(semitones),
        source.beats().stream()
            .map(beat -> new Beat(beat.time() / tempo, beat.positionInBar()))
            .toList(),
        source.chords().stream()
            .map(span ->
                new ChordSpan(span.start() / tempo, span.end() / tempo, transposed(span.label())))
            .toList(),
        source.sections().stream()
            .map(part -> new Section(part.start() / tempo, part.end() / tempo, part.label()))
            .toList());
  }

  /** The melody of this copy. */
  List<PitchSpan> apply(List<PitchSpan> melody) {
    if (number == 0) {
      return melody;
    }
    return melody.stream()
        .map(span ->
            new PitchSpan(
                span.start() / tempo,
                span.end() / tempo,
                Melody.transposed(span.pitch(), semitones)))
        .toList();
  }

  /** A Harte label with its root moved; what follows the root stays. */
  private String transposed(String label) {
    int natural = "C D EF G A B".indexOf(label.charAt(0));
    if (natural < 0) {
      return label;
    }
    int end = 1;
    int root = natural;
    while (end < label.length() && (label.charAt(end) == '#' || label.charAt(end) == 'b')) {
      root += label.charAt(end) == '#' ? 1 : -1;
      end++;
    }
    return ROOTS[Math.floorMod(root + semitones, ROOTS.length)] + label.substring(end);
  }
}
