package org.descant.synth;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.descant.audio.AudioException;
import org.descant.audio.MusicalKey;
import org.descant.synth.Phrase.Atom;
import org.descant.synth.Phrase.Step;
import org.descant.synth.Score.Band;
import org.descant.synth.Score.ChordSlot;
import org.descant.synth.Score.Figure;
import org.descant.synth.Score.FormPart;
import org.descant.synth.Score.Groove;
import org.descant.synth.Score.Hit;
import org.descant.synth.Score.Line;
import org.descant.synth.Score.Part;
import org.descant.synth.Score.Section;
import org.descant.synth.Score.Setting;
import org.descant.synth.Score.Swing;
import org.jspecify.annotations.Nullable;

/**
 * Reads bands and scores.
 *
 * <p>Both are lines of text. {@code #} at the start of a line is a comment; a line that starts with
 * {@code |} continues the line before it.
 *
 * <p>A <b>band</b> has header lines ({@code artist: …}), players ({@code part bass fingerbass
 * gain=-3 low=E1}), figures ({@code pattern walk/4: r 3 f n | r f 3 n}) and grooves: a line {@code
 * groove rock/16} and below it, indented, one line a drum: {@code kick x... ..x. x... ....} ({@code
 * X} accent, {@code x} plain, {@code o} soft, {@code .} rest, {@code |} next bar).
 *
 * <p>A <b>score</b> has a header ({@code title, band, tempo, key, meter, form, …}) and sections:
 * {@code [B chorus]}, or {@code [B2 chorus from B]} which starts as a copy. In a section, {@code
 * chords: I | vi ii7 | V7*3 I} gives each bar its roman numerals ({@code *n} beats, else equal
 * shares, {@code %} the bar before again), {@code dynamics: 0.7 1.0} a swell, and every part a
 * line: notes, {@code @figure*bars @figure}, or {@code rest}.
 *
 * <p><b>Notes.</b> A token takes one unit ({@code lead/16:} names the unit, else the header's): a
 * scale degree with {@code ,} or {@code '} for octaves and {@code b #} before it, {@code .} a rest,
 * {@code -} holds the note before, {@code 5*3} is {@code 5 - -}, {@code 1+3+5} sounds together,
 * {@code (5 6 7)*2} divides two units by three, {@code !} accents, {@code ?} softens, {@code ~}
 * shortens. In figures degrees count the voices of the chord from below and letters mean: {@code r}
 * bass, {@code t} third, {@code f} fifth, {@code s} seventh, {@code n} step to the next bass,
 * {@code p} root-fifth-octave, {@code c} whole chord, {@code d u} strum down and up.
 */
final class ScoreParser {
  private static final int LINES_MAX = 2_000;
  private static final int TEXT_LENGTH_MAX = 200_000;
  private static final int BARS_MAX = 128;
  private static final int STEPS_MAX = 4_000;
  private static final int TEMPO_MIN = 40;
  private static final int TEMPO_MAX = 240;

  private static final Set<String> LABELS =
      Set.of("intro", "verse", "chorus", "bridge", "solo", "outro");
  private static final String MELODY_SIGNS = "123456789";
  private static final String FIGURE_SIGNS = "12345678rtfsnpcdu";

  private static final Pattern KEY_VALUE = Pattern.compile("([a-z0-9_-]+)(?:/(\\d+))?:(.*)");
  private static final Pattern SECTION = Pattern.compile("\\[(\\w+) (\\w+)(?: from (\\w+))?\\]");
  private static final Pattern PART =
      Pattern.compile("part (\\w+) ([\\w-]+)((?: [a-z]+=[\\w.#-]+)*)");
  private static final Pattern NAMED = Pattern.compile("(pattern|groove) (\\w+)/(\\d+)(?::(.*))?");
  private static final Pattern WORD = Pattern.compile("\\([^()]*\\)(?:\\*\\d+)?|\\S+");
  private static final Pattern GROUP = Pattern.compile("\\(([^()]*)\\)(?:\\*(\\d+))?");
  private static final Pattern NOTE = Pattern.compile("([^!?~*]+)([!?~]*)(?:\\*(\\d+))?");
  private static final Pattern ATOM = Pattern.compile("([b#]*)([0-9a-z])([',]*)");
  private static final Pattern CHORD = Pattern.compile("([^*]+)(?:\\*(\\d))?");
  private static final Pattern PITCH = Pattern.compile("([A-G])([#b]?)(-?\\d)");

  private final String name;
  private int lineNumber;

  private ScoreParser(String name) {
    this.name = name;
  }

  /** Reads a band. */
  static Band band(String name, String text) {
    return new ScoreParser(name).readBand(name, text);
  }

  /** Reads a score; {@code bands} gives the band of a name or throws. */
  static Score score(String name, String text, Function<String, Band> bands) {
    return new ScoreParser(name).readScore(name, text, bands);
  }

  private record TextLine(int number, String text) {}

  private SynthException error(String reason) {
    return new SynthException("%s line %d: %s.".formatted(name, lineNumber, reason));
  }

  private List<TextLine> lines(String text) {
    if (text.length() > TEXT_LENGTH_MAX) {
      throw error("the text is longer than " + TEXT_LENGTH_MAX + " characters");
    }
    String[] raw = text.split("\n", -1);
    if (raw.length > LINES_MAX) {
      throw error("there are more than " + LINES_MAX + " lines");
    }
    List<TextLine> lines = new ArrayList<>();
    for (int i = 0; i < raw.length; i++) {
      String line = raw[i].stripTrailing();
      if (line.isBlank() || line.startsWith("#")) {
        continue;
      }
      if (line.strip().startsWith("|") && !lines.isEmpty()) {
        TextLine before = lines.removeLast();
        lines.add(new TextLine(before.number, before.text + " " + line.strip()));
      } else {
        lines.add(new TextLine(i + 1, line));
      }
    }
    return lines;
  }

  private static List<String> words(String text) {
    List<String> words = new ArrayList<>();
    Matcher m = WORD.matcher(text);
    while (m.find()) {
      words.add(m.group());
    }
    return words;
  }

  /** The bars of a line; a bar line at either end adds none. */
  private List<String> bars(String text) {
    String inner = text.strip();
    if (inner.startsWith("|")) {
      inner = inner.substring(1);
    }
    if (inner.endsWith("|")) {
      inner = inner.substring(0, inner.length() - 1);
    }
    List<String> bars = new ArrayList<>();
    for (String bar : inner.split("\\|", -1)) {
      if (bar.isBlank()) {
        throw error("bar " + (bars.size() + 1) + " is empty; write a rest or %");
      }
      if (bar.strip().equals("%")) {
        if (bars.isEmpty()) {
          throw error("% has no bar before it");
        }
        bars.add(bars.getLast());
      } else {
        bars.add(bar);
      }
    }
    if (bars.size() > BARS_MAX) {
      throw error("there are more than " + BARS_MAX + " bars");
    }
    return bars;
  }

  // ---- bands ----

  private Band readBand(String slug, String text) {
    Map<String, String> header = new LinkedHashMap<>();
    Map<String, Part> parts = new LinkedHashMap<>();
    Map<String, Phrase> patterns = new LinkedHashMap<>();
    Map<String, Groove> grooves = new LinkedHashMap<>();
    List<TextLine> lines = lines(text);
    for (int i = 0; i < lines.size(); i++) {
      lineNumber = lines.get(i).number;
      String line = lines.get(i).text;
      Matcher named = NAMED.matcher(line);
      Matcher keyValue = KEY_VALUE.matcher(line);
      if (line.startsWith("part ")) {
        Part part = part(line);
        if (parts.put(part.name(), part) != null) {
          throw error("part " + part.name() + " is there twice");
        }
      } else if (named.matches() && named.group(1).equals("pattern")) {
        String content = named.group(4);
        if (content == null) {
          throw error("pattern " + named.group(2) + " needs its notes after a colon");
        }
        patterns.put(named.group(2), phrase(content, unit(named.group(3)), 0, FIGURE_SIGNS));
      } else if (named.matches()) {
        List<TextLine> rows = new ArrayList<>();
        while (i + 1 < lines.size() && lines.get(i + 1).text.startsWith(" ")) {
          rows.add(lines.get(++i));
        }
        grooves.put(named.group(2), groove(named.group(2), unit(named.group(3)), rows));
      } else if (keyValue.matches()) {
        header.put(keyValue.group(1), keyValue.group(3).strip());
      } else {
        throw error("\"" + shown(line) + "\" is no header, part, pattern or groove");
      }
    }
    lineNumber = 1;
    if (parts.isEmpty()) {
      throw error("a band needs at least one part");
    }
    double lufs = number(required(header, "loudness"), "loudness", -30, -8);
    Room.Size room =
        new Room.Size(
            number(header.getOrDefault("room-seconds", "1.2"), "room-seconds", 0.1, 12),
            number(header.getOrDefault("room-damping", "0.4"), "room-damping", 0, 0.95));
    required(header, "artist");
    return new Band(slug, header, lufs, room, parts, patterns, grooves);
  }

  private String required(Map<String, String> header, String field) {
    String value = header.get(field);
    if (value == null || value.isBlank()) {
      throw error("the header needs a line \"" + field + ": …\"");
    }
    return value;
  }

  private Part part(String line) {
    Matcher m = PART.matcher(line);
    if (!m.matches()) {
      throw error("a part is written \"part NAME INSTRUMENT setting=value …\"");
    }
    if (!Voices.known(m.group(2))) {
      throw error("instrument \"" + m.group(2) + "\" is unknown; known are " + Voices.names());
    }
    String stem = m.group(1);
    Map<Setting, Double> settings = new EnumMap<>(Setting.class);
    for (String word : words(m.group(3))) {
      int equals = word.indexOf('=');
      String key = word.substring(0, equals);
      String value = word.substring(equals + 1);
      if (key.equals("stem")) {
        stem = value;
        continue;
      }
      Setting setting = setting(key);
      Matcher pitch = PITCH.matcher(value);
      settings.put(
          setting, pitch.matches() ? midi(pitch) : number(value, key, setting.low, setting.high));
    }
    return new Part(m.group(1), m.group(2), stem, settings);
  }

  private Setting setting(String key) {
    for (Setting setting : Setting.values()) {
      if (setting.name().equalsIgnoreCase(key)) {
        return setting;
      }
    }
    throw error("setting \"" + key + "\" is unknown");
  }

  private static double midi(Matcher pitch) {
    int natural = "C.D.EF.G.A.B".indexOf(pitch.group(1));
    return 12 * (Integer.parseInt(pitch.group(3)) + 1) + natural + Chord.accidental(pitch.group(2));
  }

  private Groove groove(String groove, int unit, List<TextLine> rows) {
    List<Hit> hits = new ArrayList<>();
    int bars = 0;
    int steps = 0;
    for (TextLine row : rows) {
      lineNumber = row.number;
      String text = row.text.strip();
      int space = text.indexOf(' ');
      DrumKit.Piece piece =
          DrumKit.Piece.find(text.substring(0, Math.max(space, 0)))
              .orElseThrow(() -> error("\"" + shown(text) + "\" does not start with a drum"));
      List<String> grid = bars(text.substring(space + 1));
      for (int bar = 0; bar < grid.size(); bar++) {
        String marks = grid.get(bar).replace(" ", "");
        if (steps == 0) {
          steps = marks.length();
          bars = grid.size();
        }
        if (marks.length() != steps || grid.size() != bars) {
          throw error(
              "groove %s has %d bars of %d steps, this drum %d of %d"
                  .formatted(groove, bars, steps, grid.size(), marks.length()));
        }
        for (int i = 0; i < steps; i++) {
          float velocity =
              switch (marks.charAt(i)) {
                case 'X' -> 1f;
                case 'x' -> 0.78f;
                case 'o' -> 0.4f;
                case '.' -> 0f;
                default -> throw error("\"" + marks.charAt(i) + "\" is no drum mark; use X x o .");
              };
          if (velocity > 0) {
            hits.add(new Hit((bar * steps + i) * 4.0 / unit, piece, velocity));
          }
        }
      }
    }
    if (hits.isEmpty()) {
      throw error("groove " + groove + " has no strokes");
    }
    return new Groove(bars, beatsPerBar(steps, unit), hits);
  }

  private int beatsPerBar(int units, int unit) {
    int beats = units * 4 / unit;
    if (beats * unit != units * 4 || (beats != 3 && beats != 4)) {
      throw error(units + " units of 1/" + unit + " make no bar of 3 or 4 quarters");
    }
    return beats;
  }

  private int unit(String digits) {
    return switch (digits) {
      case "1" -> 1;
      case "2" -> 2;
      case "4" -> 4;
      case "8" -> 8;
      case "12" -> 12;
      case "16" -> 16;
      case "32" -> 32;
      default -> throw error("unit 1/" + digits + " is not one of 1/1 1/2 1/4 1/8 1/12 1/16 1/32");
    };
  }

  private double number(String text, String what, double low, double high) {
    double value;
    try {
      value = Double.parseDouble(text);
    } catch (NumberFormatException e) {
      throw error(what + " must be a number, was \"" + shown(text) + "\"");
    }
    if (!(value >= low && value <= high)) {
      throw error("%s must be %s to %s, was %s".formatted(what, low, high, value));
    }
    return value;
  }

  private static String shown(String text) {
    return text.length() <= 40 ? text : text.substring(0, 40) + "…";
  }

  // ---- phrases ----

  /** Reads bars of steps; {@code beatsPerBar} 0 takes the bar length from the first bar. */
  private Phrase phrase(String text, int unit, int beatsPerBar, String signs) {
    List<Step> steps = new ArrayList<>();
    List<String> bars = bars(text);
    int beats = beatsPerBar;
    for (int bar = 0; bar < bars.size(); bar++) {
      double position = 0;
      double barStart = bar * (double) beats;
      double unitBeats = 4.0 / unit;
      for (String word : words(bars.get(bar))) {
        Matcher group = GROUP.matcher(word);
        if (group.matches()) {
          List<String> inner = words(group.group(1));
          int units = group.group(2) == null ? 1 : count(group.group(2));
          if (inner.isEmpty()) {
            throw error("bar " + (bar + 1) + " has an empty group");
          }
          double share = units * unitBeats / inner.size();
          for (int i = 0; i < inner.size(); i++) {
            place(steps, inner.get(i), barStart + position + i * share, share, signs, false);
          }
          position += units * unitBeats;
        } else {
          position += place(steps, word, barStart + position, unitBeats, signs, true);
        }
        if (steps.size() > STEPS_MAX) {
          throw error("there are more than " + STEPS_MAX + " notes");
        }
      }
      if (beats == 0) {
        beats = beatsPerBar((int) StrictMath.round(position / unitBeats), unit);
      }
      if (StrictMath.abs(position - beats) > 1e-9) {
        throw error(
            "bar %d has %s units of 1/%d, needs %s"
                .formatted(bar + 1, position / unitBeats, unit, beats / unitBeats));
      }
    }
    return new Phrase(bars.size(), beats, List.copyOf(steps));
  }

  private double place(
      List<Step> steps, String word, double start, double unit, String signs, boolean stretch) {
    Matcher m = NOTE.matcher(word);
    if (!m.matches() || (!stretch && m.group(3) != null)) {
      throw error("\"" + shown(word) + "\" is no note");
    }
    double length = unit * (m.group(3) == null ? 1 : count(m.group(3)));
    String body = m.group(1);
    String flags = m.group(2);
    if (body.equals("-")) {
      if (!steps.isEmpty()) {
        steps.add(steps.removeLast().held(length));
      }
    } else if (!body.equals(".")) {
      List<Atom> atoms = new ArrayList<>();
      for (String sign : body.split("\\+", -1)) {
        Matcher atom = ATOM.matcher(sign);
        if (!atom.matches() || signs.indexOf(atom.group(2).charAt(0)) < 0) {
          throw error("\"" + shown(word) + "\" is no note; use degrees or the letters of figures");
        }
        int octave = 0;
        for (int i = 0; i < atom.group(3).length(); i++) {
          octave += atom.group(3).charAt(i) == '\'' ? 1 : -1;
        }
        if (StrictMath.abs(octave) > 4 || atom.group(1).length() > 2) {
          throw error("\"" + shown(word) + "\" lies outside of what can be heard");
        }
        atoms.add(new Atom(atom.group(2).charAt(0), Chord.accidental(atom.group(1)), octave));
      }
      int accent = flags.contains("!") ? 1 : flags.contains("?") ? -1 : 0;
      steps.add(new Step(start, length, List.copyOf(atoms), accent, flags.contains("~")));
    }
    return length;
  }

  private int count(String digits) {
    if (digits.length() > 3) {
      throw error("*" + shown(digits) + " is too long");
    }
    int count = Integer.parseInt(digits);
    if (count == 0) {
      throw error("*0 has no length");
    }
    return count;
  }

  // ---- scores ----

  private static final class Draft {
    final String label;
    int line;
    int bars;
    List<ChordSlot> chords = List.of();
    double from = 1;
    double to = 1;
    final Map<String, Line> lines = new LinkedHashMap<>();

    Draft(String label) {
      this.label = label;
    }
  }

  private Score readScore(String slug, String text, Function<String, Band> bands) {
    Map<String, String> header = new LinkedHashMap<>();
    Map<String, Draft> drafts = new LinkedHashMap<>();
    List<TextLine> lines = lines(text);
    int next = 0;
    while (next < lines.size() && !lines.get(next).text.startsWith("[")) {
      lineNumber = lines.get(next).number;
      Matcher m = KEY_VALUE.matcher(lines.get(next++).text);
      if (!m.matches()) {
        throw error("\"" + shown(lines.get(next - 1).text) + "\" is no header line");
      }
      header.put(m.group(1), m.group(3).strip());
    }
    lineNumber = Math.max(lineNumber, 1);
    Band band = bands.apply(required(header, "band"));
    double tempo = number(required(header, "tempo"), "tempo", TEMPO_MIN, TEMPO_MAX);
    MusicalKey key = key(required(header, "key"));
    int beats =
        switch (required(header, "meter")) {
          case "4/4" -> 4;
          case "3/4" -> 3;
          default -> throw error("meter " + header.get("meter") + " is not 4/4 or 3/4");
        };
    int unit = unit(header.getOrDefault("unit", "8"));
    Swing swing = swing(header.getOrDefault("swing", "8 0.5"));
    long seed = (long) number(header.getOrDefault("seed", "1"), "seed", 0, 1e9);
    String form = required(header, "form");
    int formLine = lineNumber;

    @Nullable Draft draft = null;
    for (; next < lines.size(); next++) {
      lineNumber = lines.get(next).number;
      String line = lines.get(next).text;
      Matcher section = SECTION.matcher(line);
      if (section.matches()) {
        draft = draft(section, drafts);
        continue;
      }
      Matcher m = KEY_VALUE.matcher(line);
      if (draft == null || !m.matches()) {
        throw error(
            "\"" + shown(line) + "\" is neither \"[NAME label]\" nor \"part: what it plays\"");
      }
      int lineUnit = m.group(2) == null ? unit : unit(m.group(2));
      sectionLine(draft, m.group(1), m.group(3), lineUnit, beats, key, band);
    }
    Map<String, Section> sections = new LinkedHashMap<>();
    for (Map.Entry<String, Draft> entry : drafts.entrySet()) {
      sections.put(entry.getKey(), finished(entry.getKey(), entry.getValue(), band));
    }
    lineNumber = formLine;
    return new Score(
        track(slug, header, band, tempo, key, beats),
        band,
        seed,
        swing,
        sections,
        form(form, sections));
  }

  private MusicalKey key(String text) {
    try {
      return MusicalKey.parse(text);
    } catch (AudioException e) {
      throw error("key \"" + shown(text) + "\" is unknown; write for example D minor");
    }
  }

  private Swing swing(String text) {
    List<String> words = words(text);
    if (words.size() != 2 || !Set.of("8", "16").contains(words.getFirst())) {
      throw error("swing is written \"8 0.62\" or \"16 0.58\"");
    }
    return new Swing(
        Integer.parseInt(words.getFirst()), number(words.getLast(), "swing", 0.5, 0.75));
  }

  private Draft draft(Matcher section, Map<String, Draft> drafts) {
    String label = section.group(2);
    if (!LABELS.contains(label)) {
      throw error(
          "section label \"" + label + "\" is not one of " + LABELS.stream().sorted().toList());
    }
    Draft draft = new Draft(label);
    draft.line = lineNumber;
    String from = section.group(3);
    if (from != null) {
      Draft base = drafts.get(from);
      if (base == null) {
        throw error("section " + from + " is not above");
      }
      draft.bars = base.bars;
      draft.chords = base.chords;
      draft.from = base.from;
      draft.to = base.to;
      draft.lines.putAll(base.lines);
    }
    if (drafts.put(section.group(1), draft) != null) {
      throw error("section " + section.group(1) + " is there twice");
    }
    return draft;
  }

  private void sectionLine(
      Draft draft, String what, String content, int unit, int beats, MusicalKey key, Band band) {
    if (what.equals("chords")) {
      chords(draft, content, beats, key);
    } else if (what.equals("dynamics")) {
      List<String> words = words(content);
      if (words.isEmpty() || words.size() > 2) {
        throw error("dynamics is written \"0.7\" or \"0.7 1.0\"");
      }
      draft.from = number(words.getFirst(), "dynamics", 0.1, 1.5);
      draft.to = number(words.getLast(), "dynamics", 0.1, 1.5);
    } else if (!band.parts().containsKey(what)) {
      throw error(
          "band %s has no part \"%s\"; it has %s"
              .formatted(band.slug(), what, band.parts().keySet()));
    } else if (content.strip().equals("rest")) {
      draft.lines.remove(what);
    } else if (content.strip().startsWith("@")) {
      draft.lines.put(what, figures(content, beats, band.parts().get(what), band));
    } else {
      draft.lines.put(what, new Line.Melody(phrase(content, unit, beats, MELODY_SIGNS)));
    }
  }

  private void chords(Draft draft, String content, int beats, MusicalKey key) {
    List<ChordSlot> slots = new ArrayList<>();
    List<String> bars = bars(content);
    for (int bar = 0; bar < bars.size(); bar++) {
      List<String> words = words(bars.get(bar));
      double position = bar * (double) beats;
      double share = share(words, beats);
      for (String word : words) {
        Matcher m = CHORD.matcher(word);
        if (!m.matches()) {
          throw error("\"" + shown(word) + "\" is no chord");
        }
        double length = m.group(2) == null ? share : count(m.group(2));
        if (length <= 0 || length != (int) length) {
          throw error(
              "bar %d: %d chords need their beats, as in V7*2".formatted(bar + 1, words.size()));
        }
        Chord chord;
        try {
          chord = Chord.roman(m.group(1), key);
        } catch (SynthException e) {
          throw error("bar " + (bar + 1) + ": " + e.getMessage());
        }
        slots.add(new ChordSlot(position, length, chord));
        position += length;
      }
      if (position != (bar + 1) * (double) beats) {
        throw error("the chords of bar %d do not last %d beats".formatted(bar + 1, beats));
      }
    }
    draft.chords = List.copyOf(slots);
    draft.bars = bars.size();
  }

  /** Beats of each chord without a length of its own. */
  private static double share(List<String> words, int beats) {
    int left = beats;
    int sharing = 0;
    for (String word : words) {
      int star = word.indexOf('*');
      if (star < 0) {
        sharing++;
      } else if (star + 1 < word.length()) {
        left -= word.charAt(star + 1) - '0';
      }
    }
    return sharing == 0 ? 0 : left / (double) sharing;
  }

  private Line figures(String content, int beats, @Nullable Part part, Band band) {
    boolean drums = part != null && Voices.drums(part.instrument());
    List<Figure> figures = new ArrayList<>();
    for (String word : words(content)) {
      Matcher m = CHORD.matcher(word);
      if (!word.startsWith("@") || !m.matches()) {
        throw error("\"" + shown(word) + "\" is no figure; write @NAME or @NAME*bars");
      }
      String figure = m.group(1).substring(1);
      int has;
      if (drums) {
        Groove groove = band.grooves().get(figure);
        has = groove == null ? 0 : groove.beatsPerBar();
      } else if (figure.equals(Arranger.HOLD) || figure.equals(Arranger.HOLD_BASS)) {
        has = beats;
      } else {
        Phrase phrase = band.patterns().get(figure);
        has = phrase == null ? 0 : phrase.beatsPerBar();
      }
      if (has == 0) {
        throw error(
            "band %s has no %s \"%s\""
                .formatted(band.slug(), drums ? "groove" : "pattern", figure));
      }
      if (has != beats) {
        throw error("\"%s\" has %d beats a bar, the score %d".formatted(figure, has, beats));
      }
      figures.add(new Figure(figure, m.group(2) == null ? 1 : count(m.group(2))));
    }
    return new Line.Figures(List.copyOf(figures));
  }

  private Section finished(String section, Draft draft, Band band) {
    lineNumber = draft.line;
    if (draft.chords.isEmpty()) {
      throw error("section " + section + " has no chords");
    }
    for (Map.Entry<String, Line> entry : draft.lines.entrySet()) {
      Part part = band.parts().get(entry.getKey());
      if (entry.getValue() instanceof Line.Melody melody) {
        if (draft.bars % melody.phrase().bars() != 0) {
          throw error(
              "section %s: %s has %d bars, which do not fill %d"
                  .formatted(section, entry.getKey(), melody.phrase().bars(), draft.bars));
        }
        if (part != null && Voices.drums(part.instrument())) {
          throw error("section " + section + ": drums play @grooves, not notes");
        }
      }
    }
    return new Section(
        draft.label, draft.bars, draft.chords, draft.from, draft.to, Map.copyOf(draft.lines));
  }

  private List<FormPart> form(String text, Map<String, Section> sections) {
    List<FormPart> form = new ArrayList<>();
    int bars = 0;
    for (String word : words(text)) {
      int caret = word.indexOf('^');
      String section = caret < 0 ? word : word.substring(0, caret);
      int transpose =
          caret < 0 ? 0 : (int) number(word.substring(caret + 1), "transposition", -11, 11);
      Section found = sections.get(section);
      if (found == null) {
        throw error("the form names section " + shown(section) + ", which is not there");
      }
      bars += found.bars();
      if (bars > BARS_MAX) {
        throw error("the form has more than " + BARS_MAX + " bars");
      }
      form.add(new FormPart(section, transpose));
    }
    return List.copyOf(form);
  }

  private DemoTrack track(
      String slug, Map<String, String> header, Band band, double tempo, MusicalKey key, int beats) {
    Map<String, String> all = new LinkedHashMap<>(band.header());
    List<String> tags = new ArrayList<>(list(all.getOrDefault("tags", "")));
    for (String tag : list(header.getOrDefault("tags", ""))) {
      if (!tags.contains(tag)) {
        tags.add(tag);
      }
    }
    all.putAll(header);
    return new DemoTrack(
        slug,
        band.slug(),
        required(band.header(), "artist"),
        required(header, "title"),
        required(all, "genre").toLowerCase(Locale.ROOT),
        tags,
        required(header, "description"),
        tempo,
        key,
        beats,
        list(required(all, "composers")),
        list(all.getOrDefault("lyricists", "")),
        list(required(all, "performers")),
        list(required(all, "producers")));
  }

  private static List<String> list(String text) {
    List<String> items = new ArrayList<>();
    for (String item : text.split(",", -1)) {
      if (!item.isBlank()) {
        items.add(item.strip());
      }
    }
    return items;
  }
}
