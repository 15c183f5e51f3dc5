package org.descant.evaluation;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.descant.audio.Mode;
import org.descant.audio.MusicAnnotations;
import org.descant.audio.MusicalKey;
import org.descant.audio.Pcm;
import org.descant.audio.analysis.KeyEstimator;
import org.descant.audio.analysis.TempoEstimator;

/**
 * Whether generations have the tempo and key that was asked for, as estimators hear them. The same
 * ears are scored on recordings whose truth is known first, and the same generations against each
 * other's questions: what agreement chance would give. Stateless.
 */
public final class ControlEvaluation {
  /** A tempo is right within this part of it, as is usual for tempo estimation. */
  public static final double TEMPO_TOLERANCE = 0.04;

  /** Draws for a pair that no training recording has; with 24 keys and a range of tempos few do. */
  private static final int DRAWS_MAX = 200;

  private ControlEvaluation() {}

  /** What was asked for: {@code known} when a training recording has this pair. */
  public record Asked(double tempoBpm, MusicalKey key, List<String> tags, boolean known) {
    public Asked {
      tags = List.copyOf(tags);
    }
  }

  /** What was heard. */
  public record Heard(double tempoBpm, MusicalKey key) {}

  /** Hears tempo and key of a sound. */
  @FunctionalInterface
  public interface Ears {
    Heard hear(Pcm sound);

    /** The estimators of {@code audio}. */
    static Ears estimators() {
      return sound ->
          new Heard(TempoEstimator.estimate(sound).bpm(), KeyEstimator.estimate(sound).key());
    }
  }

  /**
   * Shares of clips, 0 to 1.
   *
   * @param tempo within 4 %
   * @param tempoOrOctave within 4 % of the tempo, its half or its double
   * @param key tonic and mode as asked
   * @param keyOrRelative the same, or the relative or parallel key
   * @param clips counted
   */
  public record Shares(
      double tempo, double tempoOrOctave, double key, double keyOrRelative, int clips) {}

  /**
   * What came out.
   *
   * @param estimators on recordings whose truth is known
   * @param all generations
   * @param known those whose pair a training recording has
   * @param fresh those whose pair none has
   * @param shuffled every generation against all other questions
   */
  public record Result(
      Shares estimators, Shares all, Shares known, Shares fresh, Shares shuffled) {}

  /**
   * What the ears can be trusted with on clips of the length that was generated: on held-out music
   * whose truth is known, as it is and as the codec gives it back. A share of hits of generations
   * above these says that the music is easier to hear than real music, not that it is better.
   *
   * @param heldOut excerpts of held-out recordings
   * @param throughCodec the same, encoded and decoded
   * @param shuffled every excerpt against the truths of the other recordings' excerpts; without a
   *     second recording there is none
   * @param recordings that the excerpts are of
   */
  public record Limits(Shares heldOut, Shares throughCodec, Shares shuffled, int recordings) {}

  /** A recording that was learned from. */
  public record Known(double tempoBpm, MusicalKey key, List<String> tags) {}

  /**
   * Questions: half of them pairs of tempo and key as training recordings have them, half pairs
   * that none has, each with the tags of a recording in turn.
   */
  public static List<Asked> questions(List<Known> trained, int count, long seed) {
    if (trained.isEmpty()) {
      throw new EvaluationException(
          "No training recording has a tempo and a key, so control cannot be measured");
    }
    double slowest = trained.stream().mapToDouble(Known::tempoBpm).min().orElseThrow();
    double fastest = trained.stream().mapToDouble(Known::tempoBpm).max().orElseThrow();
    SplittableRandom random = new SplittableRandom(seed);
    List<Asked> questions = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      Known base = trained.get((int) ((long) i * trained.size() / count));
      if (i % 2 == 0) {
        questions.add(new Asked(base.tempoBpm(), base.key(), base.tags(), true));
        continue;
      }
      double tempo = base.tempoBpm();
      MusicalKey key = base.key();
      for (int draw = 0; draw < DRAWS_MAX && has(trained, tempo, key); draw++) {
        tempo = Math.rint(slowest + (fastest - slowest) * random.nextDouble());
        key = base.key().transpose(random.nextInt(12));
      }
      questions.add(new Asked(tempo, key, base.tags(), has(trained, tempo, key)));
    }
    return List.copyOf(questions);
  }

  private static boolean has(List<Known> trained, double tempo, MusicalKey key) {
    return trained.stream()
        .anyMatch(known -> known.key().equals(key) && near(tempo, known.tempoBpm()));
  }

  /** How well ears hear what is known to be true. */
  public static Shares truth(List<Pcm> sounds, List<MusicAnnotations> truths, Ears ears) {
    List<Asked> asked =
        truths.stream().map(t -> new Asked(t.tempoBpm(), t.key(), List.of(), true)).toList();
    return shares(asked, sounds.stream().map(ears::hear).toList());
  }

  /**
   * Measures what the ears can be trusted with.
   *
   * @param excerpts of held-out recordings
   * @param coded the same through the codec
   * @param recordings which recording each is of
   * @param truths of each
   */
  public static Limits limits(
      List<Pcm> excerpts,
      List<Pcm> coded,
      List<Integer> recordings,
      List<MusicAnnotations> truths,
      Ears ears) {
    List<Heard> heard = excerpts.stream().map(ears::hear).toList();
    List<Asked> truth = new ArrayList<>();
    truths.forEach(t -> truth.add(new Asked(t.tempoBpm(), t.key(), List.of(), true)));
    List<Asked> others = new ArrayList<>();
    List<Heard> repeated = new ArrayList<>();
    for (int i = 0; i < heard.size(); i++) {
      for (int j = 0; j < truth.size(); j++) {
        if (!recordings.get(i).equals(recordings.get(j))) {
          others.add(truth.get(j));
          repeated.add(heard.get(i));
        }
      }
    }
    return new Limits(
        shares(truth, heard),
        shares(truth, coded.stream().map(ears::hear).toList()),
        shares(others, repeated),
        (int) recordings.stream().distinct().count());
  }

  /** Compares what was heard with what was asked. */
  public static Result compare(Shares estimators, List<Asked> asked, List<Heard> heard) {
    List<Asked> others = new ArrayList<>();
    List<Heard> repeated = new ArrayList<>();
    for (int shift = 1; shift < asked.size(); shift++) {
      for (int i = 0; i < asked.size(); i++) {
        others.add(asked.get((i + shift) % asked.size()));
        repeated.add(heard.get(i));
      }
    }
    return new Result(
        estimators,
        shares(asked, heard),
        part(asked, heard, true),
        part(asked, heard, false),
        shares(others, repeated));
  }

  private static Shares part(List<Asked> asked, List<Heard> heard, boolean known) {
    List<Asked> someAsked = new ArrayList<>();
    List<Heard> someHeard = new ArrayList<>();
    for (int i = 0; i < asked.size(); i++) {
      if (asked.get(i).known() == known) {
        someAsked.add(asked.get(i));
        someHeard.add(heard.get(i));
      }
    }
    return shares(someAsked, someHeard);
  }

  static Shares shares(List<Asked> asked, List<Heard> heard) {
    double[] hits = new double[4];
    for (int i = 0; i < asked.size(); i++) {
      double want = asked.get(i).tempoBpm();
      double got = heard.get(i).tempoBpm();
      MusicalKey key = asked.get(i).key();
      MusicalKey other = heard.get(i).key();
      hits[0] += near(got, want) ? 1 : 0;
      hits[1] += near(got, want) || near(got, 2 * want) || near(got, want / 2) ? 1 : 0;
      hits[2] += other.equals(key) ? 1 : 0;
      hits[3] += other.equals(key) || neighbours(key, other) ? 1 : 0;
    }
    int count = asked.size();
    return count == 0
        ? new Shares(0, 0, 0, 0, 0)
        : new Shares(hits[0] / count, hits[1] / count, hits[2] / count, hits[3] / count, count);
  }

  private static boolean near(double bpm, double target) {
    return Math.abs(bpm - target) <= TEMPO_TOLERANCE * target;
  }

  /** Relative (C major, A minor) or parallel (C major, C minor). */
  private static boolean neighbours(MusicalKey a, MusicalKey b) {
    if (a.mode() == b.mode()) {
      return false;
    }
    MusicalKey major = a.mode() == Mode.MAJOR ? a : b;
    MusicalKey minor = major.equals(a) ? b : a;
    int apart = Math.floorMod(minor.tonic() - major.tonic(), 12);
    return apart == 0 || apart == 9;
  }
}
