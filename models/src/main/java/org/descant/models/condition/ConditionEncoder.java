package org.descant.models.condition;

import java.util.List;
import java.util.SplittableRandom;
import org.descant.models.ModelException;
import org.descant.models.condition.Conditioning.Group;
import org.descant.tensor.ParameterStore;
import org.descant.tensor.ParameterStore.Initializer;
import org.descant.tensor.ParameterStore.Parameter;
import org.descant.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Conditions as one vector per frame: each group's embeddings are summed, a dropped or absent group
 * gives its learned "unknown" vector instead, and a small residual layer lets groups meet.
 */
@SuppressWarnings("EnumOrdinal") // Rows of the tables are stored by ordinal; enums only grow.
public final class ConditionEncoder {
  private static final Group[] GROUPS = Group.values();

  /** Groups before the melody, which came later and has its "unknown" in a table of its own. */
  private static final int BEFORE_MELODY = Group.MELODY.ordinal();

  /** Sets the melody's draws apart, so that the others' are what they were before it. */
  private static final long MELODY_SALT = 0x6d656c6f64795f31L;

  private static final int[] BAR_HARMONICS = {1, 2, 4, 8};
  private static final int[] BEAT_HARMONICS = {1, 2};

  /** Sines and cosines, tempo, its square, and whether the beat is known. */
  private static final int RHYTHM = 2 * (BAR_HARMONICS.length + BEAT_HARMONICS.length) + 3;

  private static final int KEY_MODES = 3;
  private static final double EPSILON = 1e-6;

  private final int width;
  private final int styleSize;
  private final Parameter unknown;
  private final Parameter rhythm;
  private final Parameter chordRoot;
  private final Parameter chordKind;
  private final Parameter nextRoot;
  private final Parameter nextKind;
  private final Parameter keyTonic;
  private final Parameter keyMode;
  private final Parameter section;
  private final Parameter energy;
  private final Parameter tags;
  private final Parameter text;
  private final Parameter style;
  private final Parameter mixIn;
  private final Parameter mixOut;
  private final @Nullable Parameter melody;

  /**
   * Declares its tables in a model's store.
   *
   * @param width numbers in a condition vector
   * @param styleSize numbers in a style embedding
   */
  public ConditionEncoder(int width, int styleSize, ParameterStore store) {
    this(width, styleSize, false, store);
  }

  /**
   * The same with or without a table of melodies; one without does not look at them.
   *
   * @param melodies whether there is one
   */
  public ConditionEncoder(int width, int styleSize, boolean melodies, ParameterStore store) {
    this.width = width;
    this.styleSize = styleSize;
    Initializer small = Initializer.normal(0.1);
    unknown = store.declareUndecayed("conditions.unknown", small, BEFORE_MELODY, width);
    rhythm = store.declare("conditions.rhythm", Initializer.normal(0.1), width, RHYTHM);
    chordRoot = table(store, "chordRoot", Chord.ROOTS);
    chordKind = table(store, "chordKind", Chord.Kind.values().length);
    nextRoot = table(store, "nextRoot", Chord.ROOTS);
    nextKind = table(store, "nextKind", Chord.Kind.values().length);
    keyTonic = table(store, "keyTonic", GlobalConditions.NO_KEY + 1);
    keyMode = table(store, "keyMode", KEY_MODES);
    section = table(store, "section", SectionKind.values().length);
    energy = table(store, "energy", FrameConditions.ENERGY_STEPS);
    tags = table(store, "tags", GlobalConditions.TAG_BUCKETS);
    text = table(store, "text", GlobalConditions.TEXT_BUCKETS);
    style =
        store.declare(
            "conditions.style", Initializer.normal(0.3 / Math.sqrt(styleSize)), width, styleSize);
    mixIn =
        store.declare("conditions.mixIn", Initializer.normal(1 / Math.sqrt(width)), width, width);
    mixOut = store.declare("conditions.mixOut", Initializer.zeros(), width, width);
    melody = melodies ? table(store, "melody", FrameConditions.UNTOLD + 1) : null;
  }

  private Parameter table(ParameterStore store, String name, int rows) {
    return store.declareUndecayed("conditions." + name, Initializer.normal(0.1), rows, width);
  }

  /**
   * Which groups each row keeps. With half the probability everything is dropped, so that there is
   * an unconditional row for guidance; else the music (rhythm, harmony, form, melody) and the style
   * (tags, text, reference) each with the probability, and single groups with half of it.
   */
  public static boolean[][] dropped(int rows, double probability, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    SplittableRandom melodies = new SplittableRandom(seed ^ MELODY_SALT);
    boolean[][] keep = new boolean[rows][GROUPS.length];
    for (boolean[] row : keep) {
      boolean all = random.nextDouble() < probability / 2;
      boolean music = random.nextDouble() < probability;
      boolean style = random.nextDouble() < probability;
      for (Group group : GROUPS) {
        boolean family =
            switch (group) {
              case RHYTHM, HARMONY, FORM, MELODY -> music;
              case TAGS, TEXT, STYLE -> style;
            };
        SplittableRandom dice = group == Group.MELODY ? melodies : random;
        boolean alone = dice.nextDouble() < probability / 2;
        row[group.ordinal()] = !(all || family || alone);
      }
    }
    return keep;
  }

  /**
   * All groups for the full row of a clip, then one row for each guidance term without its groups.
   */
  public static boolean[][] guided(Guidance guidance) {
    boolean[][] keep = new boolean[guidance.rows()][GROUPS.length];
    for (int row = 0; row < keep.length; row++) {
      for (Group group : GROUPS) {
        keep[row][group.ordinal()] =
            row == 0 || !guidance.terms().get(row - 1).groups().contains(group);
      }
    }
    return keep;
  }

  /**
   * Vectors of rows of equal length.
   *
   * @param keep which groups each row shows
   * @return [rows, frames, width]
   */
  public Tensor encode(List<Conditioning> rows, boolean[][] keep) {
    int count = rows.size();
    int frames = rows.getFirst().frames().frames();
    int cells = count * frames;
    float[] rhythmRows = new float[cells * RHYTHM];
    long[][] index = new long[7][cells];
    long[] tonic = new long[count];
    long[] mode = new long[count];
    float[] tagRows = new float[count * GlobalConditions.TAG_BUCKETS];
    float[] textRows = new float[count * GlobalConditions.TEXT_BUCKETS];
    float[] styleRows = new float[count * styleSize];
    float[] shown = new float[count * BEFORE_MELODY];
    for (int row = 0; row < count; row++) {
      FrameConditions of = rows.get(row).frames();
      if (of.frames() != frames) {
        throw new ModelException(
            "All conditions of a batch need the same number of frames: "
                + frames
                + ", not "
                + of.frames());
      }
      for (int t = 0; t < frames; t++) {
        int cell = row * frames + t;
        rhythm(of, t, rhythmRows, cell * RHYTHM);
        index[0][cell] = of.chord()[t].root();
        index[1][cell] = of.chord()[t].kind().ordinal();
        index[2][cell] = of.nextChord()[t].root();
        index[3][cell] = of.nextChord()[t].kind().ordinal();
        index[4][cell] = of.section()[t].ordinal();
        index[5][cell] = of.energy()[t];
        index[6][cell] =
            keep[row][Group.MELODY.ordinal()] ? of.melody()[t] : FrameConditions.UNTOLD;
      }
      GlobalConditions global = rows.get(row).global();
      tonic[row] = global.tonic();
      mode[row] = global.tonic() == GlobalConditions.NO_KEY ? 2 : global.minor() ? 1 : 0;
      int[] tagBuckets = global.tagBuckets();
      int[] textBuckets = global.textBuckets();
      spread(tagBuckets, tagRows, row * GlobalConditions.TAG_BUCKETS);
      spread(textBuckets, textRows, row * GlobalConditions.TEXT_BUCKETS);
      float[] reference = global.style();
      if (reference != null) {
        if (reference.length != styleSize) {
          throw new ModelException(
              "A style embedding has " + styleSize + " numbers, got " + reference.length);
        }
        System.arraycopy(reference, 0, styleRows, row * styleSize, reference.length);
      }
      for (Group group : GROUPS) {
        if (group == Group.MELODY) {
          continue;
        }
        boolean known =
            switch (group) {
              case RHYTHM, HARMONY, FORM, MELODY -> true;
              case TAGS -> tagBuckets.length > 0;
              case TEXT -> textBuckets.length > 0;
              case STYLE -> reference != null;
            };
        shown[row * BEFORE_MELODY + group.ordinal()] = known && keep[row][group.ordinal()] ? 1 : 0;
      }
    }

    Tensor shownRG = Tensor.of(shown, count, BEFORE_MELODY);
    Tensor unknownW = Tensor.scalar(1).sub(shownRG).matmul(unknown.tensor());
    Tensor rhythmRTW = Tensor.of(rhythmRows, count, frames, RHYTHM).linear(rhythm.tensor());
    Tensor harmonyRTW =
        look(chordRoot, index[0], count, frames)
            .add(look(chordKind, index[1], count, frames))
            .add(look(nextRoot, index[2], count, frames))
            .add(look(nextKind, index[3], count, frames))
            .add(look(keyTonic, tonic, count, 1))
            .add(look(keyMode, mode, count, 1));
    Tensor formRTW =
        look(section, index[4], count, frames).add(look(energy, index[5], count, frames));
    Tensor wholeRW =
        Tensor.of(tagRows, count, GlobalConditions.TAG_BUCKETS)
            .matmul(tags.tensor())
            .mul(shownColumn(shownRG, Group.TAGS))
            .add(
                Tensor.of(textRows, count, GlobalConditions.TEXT_BUCKETS)
                    .matmul(text.tensor())
                    .mul(shownColumn(shownRG, Group.TEXT)))
            .add(
                Tensor.of(styleRows, count, styleSize)
                    .linear(style.tensor())
                    .mul(shownColumn(shownRG, Group.STYLE)))
            .add(unknownW);
    Tensor sum =
        rhythmRTW
            .mul(shownColumn(shownRG, Group.RHYTHM).unsqueeze(1))
            .add(harmonyRTW.mul(shownColumn(shownRG, Group.HARMONY).unsqueeze(1)))
            .add(formRTW.mul(shownColumn(shownRG, Group.FORM).unsqueeze(1)))
            .add(wholeRW.unsqueeze(1));
    if (melody != null) {
      sum = sum.add(look(melody, index[6], count, frames));
    }
    Tensor mixed = sum.rmsNorm(null, EPSILON).linear(mixIn.tensor()).silu().linear(mixOut.tensor());
    return sum.add(mixed);
  }

  private static Tensor shownColumn(Tensor shownRG, Group group) {
    return shownRG.narrow(1, group.ordinal(), 1);
  }

  private Tensor look(Parameter table, long[] index, int rows, int frames) {
    return table.tensor().embedding(Tensor.of(index, rows, frames));
  }

  private static void spread(int[] buckets, float[] row, int offset) {
    for (int bucket : buckets) {
      row[offset + bucket] = 1f / buckets.length;
    }
  }

  private static void rhythm(FrameConditions of, int t, float[] out, int offset) {
    float bar = of.barPhase()[t];
    if (Float.isNaN(bar)) {
      return;
    }
    int at = offset;
    for (int harmonic : BAR_HARMONICS) {
      out[at++] = (float) Math.sin(2 * Math.PI * harmonic * bar);
      out[at++] = (float) Math.cos(2 * Math.PI * harmonic * bar);
    }
    for (int harmonic : BEAT_HARMONICS) {
      out[at++] = (float) Math.sin(2 * Math.PI * harmonic * of.beatPhase()[t]);
      out[at++] = (float) Math.cos(2 * Math.PI * harmonic * of.beatPhase()[t]);
    }
    float tempo = Math.clamp(of.logTempo()[t], -2f, 2f);
    out[at++] = tempo;
    out[at++] = tempo * tempo;
    out[at] = 1;
  }
}
