package org.descant.models.condition;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import org.descant.models.ModelException;
import org.descant.models.condition.FrameConditions.Beat;
import org.descant.models.condition.FrameConditions.ChordSpan;
import org.descant.models.condition.FrameConditions.SectionSpan;

/**
 * Writes the frame conditions of music that does not exist yet: bar grid, form, chords and energy,
 * from what was asked.
 *
 * <p>Chords are common functional progressions of the mode in roman numerals, chosen by the seed
 * and by words in the tags (sevenths for jazz, lofi and ambient, a seventh on the dominant for
 * ragtime, blues and chamber music, two chords a bar for a chorale, one every two bars for techno,
 * three beats a bar for a waltz). Sections are multiples of four bars; every section of a kind uses
 * the same progression; verses begin on the tonic; from eight bars on the last bar closes on it.
 * Same arguments, same plan.
 */
public final class Planner {
  private static final double SECONDS_MAX = 30 * 60;
  private static final double TEMPO_MIN = 30;
  private static final double TEMPO_MAX = 300;

  private static final String[] MAJOR = {
    "I V vi IV",
    "I vi IV V",
    "vi IV I V",
    "I IV V I",
    "I iii IV V",
    "I IV vi V",
    "IV I V vi",
    "I ii IV V",
    "I V IV V"
  };
  private static final String[] MINOR = {
    "i VI III VII",
    "i iv VII III",
    "i VII VI V",
    "i VI iv V",
    "i iv v i",
    "i III VII VI",
    "i v VI iv",
    "iv i V i"
  };
  private static final String[] MAJOR_JAZZ = {"ii V I vi", "I vi ii V", "iii vi ii V", "I IV ii V"};
  private static final String[] MINOR_JAZZ = {
    "i iv V i", "ii V i VI", "i VI ii V", "iv VII III VI"
  };

  private Planner() {}

  /**
   * Plans {@code seconds} of music.
   *
   * @param frameRate codec frames per second
   * @param tempoBpm 30 to 300 beats per minute
   * @param tonic pitch class 0 to 11
   * @param tags genre and mood words that shape the plan; unknown ones do not matter
   */
  public static FrameConditions plan(
      double frameRate,
      double tempoBpm,
      int tonic,
      boolean minor,
      Collection<String> tags,
      double seconds,
      long seed) {
    if (!(tempoBpm >= TEMPO_MIN && tempoBpm <= TEMPO_MAX)) {
      throw new ModelException("Tempo must be 30 to 300 beats per minute, was " + tempoBpm);
    }
    if (!(seconds > 0 && seconds <= SECONDS_MAX)) {
      throw new ModelException("A clip lasts more than 0 and at most 1800 seconds, was " + seconds);
    }
    if (tonic < 0 || tonic > 11) {
      throw new ModelException("A tonic is a pitch class from 0 to 11, was " + tonic);
    }
    Manner manner = Manner.of(tags);
    double beatSeconds = 60 / tempoBpm;
    double barSeconds = beatSeconds * manner.beatsPerBar;
    int bars = (int) Math.ceil(seconds / barSeconds - 1e-9);

    List<Beat> beats = new ArrayList<>();
    for (int b = 0; b <= bars * manner.beatsPerBar; b++) {
      beats.add(new Beat(b * beatSeconds, 1 + b % manner.beatsPerBar));
    }
    List<SectionSpan> sections = new ArrayList<>();
    List<ChordSpan> chords = new ArrayList<>();
    SplittableRandom random = new SplittableRandom(seed);
    String[] table = manner.jazz ? (minor ? MINOR_JAZZ : MAJOR_JAZZ) : (minor ? MINOR : MAJOR);
    int next = random.nextInt(table.length);
    Map<SectionKind, String> progressionOf = new EnumMap<>(SectionKind.class);
    progressionOf.put(SectionKind.CHORUS, table[next++ % table.length]);
    progressionOf.put(SectionKind.BRIDGE, table[next++ % table.length]);
    while (!table[next % table.length].startsWith(minor ? "i " : "I ")) {
      next++;
    }
    progressionOf.put(SectionKind.VERSE, table[next % table.length]);
    int bar = 0;
    for (Part part : form(bars)) {
      sections.add(new SectionSpan(bar * barSeconds, (bar + part.bars) * barSeconds, part.kind));
      List<String> progression =
          List.of(progressionOf.getOrDefault(family(part.kind), table[0]).split(" ", -1));
      for (double at = 0; at < part.bars; at += manner.barsPerChord) {
        int step = (int) Math.round(at / manner.barsPerChord);
        boolean close = bars >= 8 && bar + at >= bars - 1;
        String numeral = close ? (minor ? "i" : "I") : progression.get(step % progression.size());
        chords.add(
            new ChordSpan(
                (bar + at) * barSeconds,
                (bar + Math.min(at + manner.barsPerChord, part.bars)) * barSeconds,
                chord(numeral, tonic, minor, manner.sevenths)));
      }
      bar += part.bars;
    }

    int[] energy = new int[(int) Math.max(1, Math.round(seconds * frameRate))];
    for (int t = 0; t < energy.length; t++) {
      double time = t / frameRate;
      SectionKind kind = SectionKind.VERSE;
      for (SectionSpan span : sections) {
        if (span.start() <= time) {
          kind = span.kind();
        }
      }
      energy[t] = Math.max(0, energyOf(kind) - manner.quieter);
    }
    return FrameConditions.from(frameRate, beats, chords, sections, energy);
  }

  /** Which chords are sevenths. */
  enum Sevenths {
    NONE,
    /** The dominant alone, as in ragtime, blues and classical harmony. */
    DOMINANT,
    ALL
  }

  /** How a genre's words change a plan. */
  private record Manner(
      int beatsPerBar, double barsPerChord, Sevenths sevenths, boolean jazz, int quieter) {

    static Manner of(Collection<String> tags) {
      String all = String.join(" ", tags).toLowerCase(Locale.ROOT);
      boolean jazz = any(all, "jazz", "lofi", "lo-fi", "bossa", "swing");
      boolean dominant = any(all, "ragtime", "blues", "stride", "quartet", "chamber", "classical");
      return new Manner(
          any(all, "waltz", "minuet", "three-four", "3/4") ? 3 : 4,
          any(all, "chorale", "hymn") ? 0.5 : any(all, "techno", "drone") ? 2 : 1,
          jazz || any(all, "soul", "ambient")
              ? Sevenths.ALL
              : dominant ? Sevenths.DOMINANT : Sevenths.NONE,
          jazz,
          any(all, "ambient", "drone", "calm", "quiet") ? 1 : 0);
    }

    private static boolean any(String text, String... words) {
      return Arrays.stream(words).anyMatch(text::contains);
    }
  }

  private record Part(SectionKind kind, int bars) {}

  /**
   * Verse and chorus in turns; from 16 bars on with an intro and an outro, from 40 with a bridge.
   */
  private static List<Part> form(int bars) {
    List<Part> parts = new ArrayList<>();
    if (bars < 8) {
      parts.add(new Part(SectionKind.VERSE, bars));
      return parts;
    }
    int intro = bars >= 32 ? 4 : bars >= 16 ? 2 : 0;
    int outro = bars >= 32 ? 4 : bars >= 16 ? 2 : 0;
    int left = bars - intro - outro;
    if (intro > 0) {
      parts.add(new Part(SectionKind.INTRO, intro));
    }
    int unit = left >= 24 ? 8 : 4;
    SectionKind[] order = {SectionKind.VERSE, SectionKind.CHORUS};
    boolean bridge = bars >= 40;
    for (int i = 0; left > 0; i++) {
      // what would be less than a unit joins the last section
      int take = left < 2 * unit ? left : unit;
      boolean isBridge = bridge && i == 4;
      parts.add(new Part(isBridge ? SectionKind.BRIDGE : order[i % 2], take));
      left -= take;
    }
    if (outro > 0) {
      parts.add(new Part(SectionKind.OUTRO, outro));
    }
    return parts;
  }

  private static SectionKind family(SectionKind kind) {
    return switch (kind) {
      case INTRO, OUTRO, SOLO, NONE, OTHER -> SectionKind.VERSE;
      case VERSE, CHORUS, BRIDGE -> kind;
    };
  }

  private static int energyOf(SectionKind kind) {
    return switch (kind) {
      case INTRO, OUTRO, NONE -> 5;
      case VERSE, BRIDGE, OTHER -> 6;
      case CHORUS, SOLO -> 7;
    };
  }

  /**
   * The chord a roman numeral names in a key: upper case major, lower case minor, ii diminished in
   * minor.
   */
  static Chord chord(String numeral, int tonic, boolean minor, Sevenths sevenths) {
    int degree =
        switch (numeral.toUpperCase(Locale.ROOT)) {
          case "I" -> 0;
          case "II" -> 1;
          case "III" -> 2;
          case "IV" -> 3;
          case "V" -> 4;
          case "VI" -> 5;
          case "VII" -> 6;
          default -> throw new ModelException("Not a roman numeral: " + numeral);
        };
    int[] scale = minor ? new int[] {0, 2, 3, 5, 7, 8, 10} : new int[] {0, 2, 4, 5, 7, 9, 11};
    boolean minorChord = Character.isLowerCase(numeral.charAt(0));
    Chord.Kind kind;
    if (minor && minorChord && degree == 1) {
      kind = Chord.Kind.DIMINISHED;
    } else if (minorChord) {
      kind = sevenths == Sevenths.ALL ? Chord.Kind.MINOR_SEVENTH : Chord.Kind.MINOR;
    } else if (sevenths != Sevenths.NONE && (degree == 4 || (minor && degree == 6))) {
      kind = Chord.Kind.DOMINANT_SEVENTH;
    } else {
      kind = sevenths == Sevenths.ALL ? Chord.Kind.MAJOR_SEVENTH : Chord.Kind.MAJOR;
    }
    return new Chord(Math.floorMod(tonic + scale[degree], 12), kind);
  }
}
