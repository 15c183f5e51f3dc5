package org.descant.serving;

import java.util.List;
import java.util.StringJoiner;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.descant.audio.MusicalKey;
import org.descant.audio.Pcm;
import org.descant.engine.EngineException;
import org.descant.engine.GenerationRequest;
import org.descant.engine.Source;
import org.descant.engine.StyleReference;
import org.descant.engine.Surroundings;
import org.jspecify.annotations.Nullable;

/**
 * What a listener asks for, as the API and the command line take it; absent parts are chosen by the
 * engine.
 *
 * @param text in words
 * @param seconds how long; {@value #SECONDS_DEFAULT} when absent
 * @param tempo beats a minute
 * @param key such as {@code D minor}
 * @param style ISRC of a recording whose style is asked for
 * @param seed of every draw; 0 when absent, so that the same order gives the same sound; that of
 *     the clip which it goes on from when there is one
 * @param guidance how strongly it keeps to what is asked: one scale, or several as in {@code
 *     style=2,melody=3}; {@value GenerationRequest#GUIDANCE_DEFAULT} when absent
 * @param melody notes, one a beat, as in {@code C4 E4 G4:2 - Bb3}
 * @param melodyOf id of a clip of this house whose melody is followed instead
 * @param goOnFrom id of a clip of this house that goes on where it ends, for {@code seconds}
 * @param fillIn id of a clip of this house of which a span is made anew
 * @param from seconds where that span begins
 * @param to seconds where it ends
 * @param onlyNew whether only what is made is delivered, without the clip that was there
 * @param steps of a flow model from noise to music
 * @param beginFrom id of a clip of this house that a flow model begins from
 * @param strength how much of that clip is made anew where it is not kept: over 0 to 1, which is
 *     meant when absent
 * @param keep the part of that clip that is kept, as in {@code 2-4.5} seconds
 * @param retry whether other seeds are tried when a finished clip comes out too close to a
 *     recording (see {@link Attempts}), which is meant when absent; a stream is made once
 */
public record Order(
    @Nullable String text,
    @Nullable Double seconds,
    @Nullable Double tempo,
    @Nullable String key,
    @Nullable List<String> tags,
    @Nullable String style,
    @Nullable Long seed,
    @Nullable String guidance,
    @Nullable String melody,
    @Nullable String melodyOf,
    @Nullable String goOnFrom,
    @Nullable String fillIn,
    @Nullable Double from,
    @Nullable Double to,
    @Nullable Boolean onlyNew,
    @Nullable Integer steps,
    @Nullable String beginFrom,
    @Nullable Double strength,
    @Nullable String keep,
    @Nullable Boolean retry) {
  public static final double SECONDS_DEFAULT = 10;
  private static final Pattern KEPT =
      Pattern.compile("([0-9]{1,4}(?:\\.[0-9]{1,6})?)-([0-9]{1,4}(?:\\.[0-9]{1,6})?)");

  /** A new clip from nothing but these. */
  public Order(
      @Nullable String text,
      @Nullable Double seconds,
      @Nullable Double tempo,
      @Nullable String key,
      @Nullable List<String> tags,
      @Nullable String style,
      @Nullable Long seed) {
    this(
        text, seconds, tempo, key, tags, style, seed, null, null, null, null, null, null, null,
        null, null, null, null, null, null);
  }

  /**
   * Refuses parts that do not go together, and values that cannot be asked for, before anything is
   * looked up.
   *
   * @throws org.descant.engine.EngineException or {@link org.descant.audio.AudioException}
   */
  public void check() {
    if (melody != null && melodyOf != null) {
      throw new EngineException(
          "A melody comes from notes or from a clip, not from both; leave one out.");
    }
    if (goOnFrom != null && fillIn != null) {
      throw new EngineException("A clip goes on or a span of it is filled; ask for one of both.");
    }
    if ((from != null || to != null) != (fillIn != null)
        || (fillIn != null && (from == null || to == null))) {
      throw new EngineException(
          "A span to fill needs the clip and the seconds where it begins and ends; give all three"
              + " or none.");
    }
    if (fillIn != null && seconds != null) {
      throw new EngineException("A span is as long as its ends say; leave the seconds out.");
    }
    if (onlyNew != null && goOnFrom == null && fillIn == null) {
      throw new EngineException(
          "There is nothing old to leave out; name a clip to go on from, or leave that out.");
    }
    if (beginFrom != null && around() != null) {
      throw new EngineException(
          "A clip goes on, a span of it is filled, or a flow model begins from it; ask for one of"
              + " them.");
    }
    if ((beginFrom == null || beginFrom.isBlank()) && (strength != null || keep != null)) {
      throw new EngineException(
          "Strength and seconds to keep say what becomes of a clip; name the clip to begin from.");
    }
    request(null, null, null);
  }

  /** The clip that this goes on from or fills a span of; null when there is none. */
  @Nullable String around() {
    return goOnFrom != null ? goOnFrom : fillIn;
  }

  /**
   * The order with what is absent taken from the clip that it goes on from, so that the music stays
   * what it is.
   *
   * @throws EngineException when it asks for another style than that clip's
   */
  Order completedBy(Clip clip) {
    String clipStyle = clip.style().isEmpty() ? null : clip.style();
    if (style != null && clipStyle != null && !style.equals(clipStyle)) {
      throw new EngineException(
          "The clip %s is in the style of %s, and a clip has one style; leave the style out."
              .formatted(clip.id(), clipStyle));
    }
    return new Order(
        text == null || text.isBlank() ? clip.text() : text,
        seconds,
        tempo == null ? Double.valueOf(clip.tempo()) : tempo,
        key == null || key.isBlank() ? clip.key() : key,
        tags == null || tags.isEmpty() ? clip.tags() : tags,
        style == null ? clipStyle : style,
        seed == null ? Long.valueOf(clip.seed()) : seed,
        guidance,
        melody,
        melodyOf,
        goOnFrom,
        fillIn,
        from,
        to,
        onlyNew,
        steps,
        beginFrom,
        strength,
        keep,
        retry);
  }

  /** This order with tempo, key and tags of the clip that it begins from where it has none. */
  Order after(Clip clip) {
    return new Order(
        text,
        seconds,
        tempo == null && clip.tempo() > 0 ? Double.valueOf(clip.tempo()) : tempo,
        key == null || key.isBlank() ? clip.key() : key,
        tags == null || tags.isEmpty() ? clip.tags() : tags,
        style,
        seed,
        guidance,
        melody,
        melodyOf,
        goOnFrom,
        fillIn,
        from,
        to,
        onlyNew,
        steps,
        beginFrom,
        strength,
        keep,
        retry);
  }

  /** This order with another seed. */
  Order withSeed(long other) {
    return new Order(
        text, seconds, tempo, key, tags, style, other, guidance, melody, melodyOf, goOnFrom, fillIn,
        from, to, onlyNew, steps, beginFrom, strength, keep, retry);
  }

  /** What becomes of the sound of the clip to begin from. */
  Source source(Pcm sound) {
    double keepFrom = 0;
    double keepTo = 0;
    if (keep != null) {
      Matcher matcher = KEPT.matcher(keep.strip());
      if (!matcher.matches()) {
        throw new EngineException(
            "What is kept is written as in 2-4.5, in seconds, was '%s'."
                .formatted(keep.length() > 40 ? keep.substring(0, 40) + "…" : keep));
      }
      keepFrom = Double.parseDouble(matcher.group(1));
      keepTo = Double.parseDouble(matcher.group(2));
    }
    return new Source(
        String.valueOf(beginFrom), sound, strength == null ? 1 : strength, keepFrom, keepTo);
  }

  /**
   * Where in a clip's sound this asks for something new; null when nothing goes on.
   *
   * @param planSeed of the clip's own plan
   */
  @Nullable Surroundings surroundings(Pcm sound, long planSeed) {
    boolean newOnly = onlyNew != null && onlyNew;
    if (from != null && to != null) {
      return new Surroundings(sound, from, to, planSeed, newOnly);
    }
    return goOnFrom == null ? null : Surroundings.after(sound, planSeed, newOnly);
  }

  /**
   * What the engine is asked for.
   *
   * @param reference of the style that is named here, once it is cleared
   * @param around what it goes on from, once it is found
   * @param source the clip to begin from, once it is allowed; its length is meant when there is
   *     none here
   * @throws org.descant.engine.EngineException or {@link org.descant.audio.AudioException} in one
   *     sentence when a value is none that can be asked for
   */
  GenerationRequest request(
      @Nullable StyleReference reference, @Nullable Surroundings around, @Nullable Source source) {
    boolean fills = around != null && !around.goesOn();
    GenerationRequest request =
        new GenerationRequest(
                text == null ? "" : text,
                around != null && fills
                    ? around.to() - around.from()
                    : seconds != null
                        ? seconds
                        : source != null ? source.sound().seconds() : SECONDS_DEFAULT,
                tempo,
                key == null || key.isBlank() ? null : MusicalKey.parse(key),
                tags == null ? List.of() : tags,
                reference,
                seed == null ? 0 : seed,
                GenerationRequest.GUIDANCE_DEFAULT,
                around)
            .withFlow(steps, source);
    if (guidance != null && !guidance.isBlank()) {
      request = request.withGuidance(guidance);
    }
    return melody == null || melody.isBlank() ? request : request.withMelody(melody);
  }

  /** What was asked for, without what is absent. */
  @Override
  public String toString() {
    StringJoiner parts = new StringJoiner(", ", "Order[", "]");
    add(parts, "text", text);
    add(parts, "seconds", seconds);
    add(parts, "tempo", tempo);
    add(parts, "key", key);
    add(parts, "tags", tags);
    add(parts, "style", style);
    add(parts, "seed", seed);
    add(parts, "guidance", guidance);
    add(parts, "melody", melody);
    add(parts, "melodyOf", melodyOf);
    add(parts, "goOnFrom", goOnFrom);
    add(parts, "fillIn", fillIn);
    add(parts, "from", from);
    add(parts, "to", to);
    add(parts, "onlyNew", onlyNew);
    add(parts, "steps", steps);
    add(parts, "beginFrom", beginFrom);
    add(parts, "strength", strength);
    add(parts, "keep", keep);
    add(parts, "retry", retry);
    return parts.toString();
  }

  private static void add(StringJoiner parts, String name, @Nullable Object value) {
    if (value != null) {
      parts.add(name + "=" + value);
    }
  }
}
