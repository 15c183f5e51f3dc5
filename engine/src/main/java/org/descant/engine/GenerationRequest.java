package org.descant.engine;

import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;
import org.descant.audio.MusicalKey;
import org.descant.audio.Pcm;
import org.descant.audio.analysis.MelodyLine;
import org.descant.models.ModelException;
import org.descant.models.condition.FrameConditions;
import org.descant.models.condition.Guidance;
import org.descant.models.condition.Melody;
import org.jspecify.annotations.Nullable;

/**
 * What somebody wants to hear. What is null or empty is chosen from the rest and the seed; {@link
 * Engine#resolve} tells how.
 *
 * @param text in words; at most {@value #TEXT_CHARS_MAX} characters
 * @param seconds of new music, {@value #SECONDS_MIN} to {@value #SECONDS_MAX}; the span's length
 *     when one is filled
 * @param tempoBpm {@value #TEMPO_MIN} to {@value #TEMPO_MAX} beats a minute
 * @param tags at most {@value #TAGS_MAX} of at most {@value #TAG_CHARS_MAX} characters
 * @param seed of every draw
 * @param guidance classifier-free guidance of all conditions together or of some, each 1 to 8
 * @param melody to follow, for a token model that learned to; null for none
 * @param around music that a token model goes on from, or fills a span of; null for none
 * @param steps of a flow model from noise to music, 1 to {@value #STEPS_MAX}, {@value
 *     #STEPS_DEFAULT} when null; other models have none
 * @param source what a flow model begins from, null for noise alone
 */
public record GenerationRequest(
    String text,
    double seconds,
    @Nullable Double tempoBpm,
    @Nullable MusicalKey key,
    List<String> tags,
    @Nullable StyleReference style,
    long seed,
    Guidance guidance,
    @Nullable Melody melody,
    @Nullable Surroundings around,
    @Nullable Integer steps,
    @Nullable Source source) {
  public static final int TEXT_CHARS_MAX = 2_000;
  public static final int TAGS_MAX = 16;
  public static final int TAG_CHARS_MAX = 60;
  public static final double SECONDS_MIN = 2;
  public static final double SECONDS_MAX = 60;
  public static final double TEMPO_MIN = 40;
  public static final double TEMPO_MAX = 220;
  public static final double GUIDANCE_DEFAULT = 2;
  public static final int STEPS_DEFAULT = 16;
  public static final int STEPS_MAX = 100;
  private static final double GUIDANCE_MAX = 8;

  public GenerationRequest {
    if (text.length() > TEXT_CHARS_MAX) {
      throw new EngineException(
          "The text has %,d characters; at most %,d are read, so shorten it."
              .formatted(text.length(), TEXT_CHARS_MAX));
    }
    requireReadable("text", text);
    boolean fills = around != null && !around.goesOn();
    if (around != null && fills && Math.abs(seconds - (around.to() - around.from())) > 1e-6) {
      throw new EngineException(
          "A span of %s s is filled by as many seconds, not by %s."
              .formatted(around.to() - around.from(), seconds));
    }
    if (!fills && !(seconds >= SECONDS_MIN && seconds <= SECONDS_MAX)) {
      throw new EngineException(
          "A clip lasts %.0f to %.0f seconds, was %s."
              .formatted(SECONDS_MIN, SECONDS_MAX, seconds));
    }
    if (tempoBpm != null && !(tempoBpm >= TEMPO_MIN && tempoBpm <= TEMPO_MAX)) {
      throw new EngineException(
          "A tempo is %.0f to %.0f beats a minute, was %s."
              .formatted(TEMPO_MIN, TEMPO_MAX, tempoBpm));
    }
    for (String tag : tags) {
      if (tag == null) {
        throw new EngineException("One of the tags is nothing at all (null); leave it out.");
      }
      requireReadable("tag", tag);
    }
    if (tags.size() > TAGS_MAX || tags.stream().anyMatch(tag -> tag.length() > TAG_CHARS_MAX)) {
      throw new EngineException(
          "At most %d tags of at most %d characters each are read; leave some out."
              .formatted(TAGS_MAX, TAG_CHARS_MAX));
    }
    guidance.terms().forEach(term -> requireGuidance(term.scale()));
    if (steps != null && (steps < 1 || steps > STEPS_MAX)) {
      throw new EngineException("Steps are 1 to %d, were %d.".formatted(STEPS_MAX, steps));
    }
    tags = tags.stream().map(String::strip).filter(tag -> !tag.isEmpty()).distinct().toList();
  }

  /** One scale for all conditions, no melody. */
  public GenerationRequest(
      String text,
      double seconds,
      @Nullable Double tempoBpm,
      @Nullable MusicalKey key,
      List<String> tags,
      @Nullable StyleReference style,
      long seed,
      double guidance,
      @Nullable Surroundings around) {
    this(text, seconds, tempoBpm, key, tags, style, seed, all(guidance), null, around, null, null);
  }

  /** One scale for all conditions, no melody, nothing around. */
  public GenerationRequest(
      String text,
      double seconds,
      @Nullable Double tempoBpm,
      @Nullable MusicalKey key,
      List<String> tags,
      @Nullable StyleReference style,
      long seed,
      double guidance) {
    this(text, seconds, tempoBpm, key, tags, style, seed, guidance, null);
  }

  private static Guidance all(double scale) {
    requireGuidance(scale);
    return Guidance.all((float) scale);
  }

  private static void requireGuidance(double scale) {
    if (!(scale >= 1 && scale <= GUIDANCE_MAX)) {
      throw new EngineException("Guidance is 1 to %.0f, was %s.".formatted(GUIDANCE_MAX, scale));
    }
  }

  /**
   * The same with scales as {@link Guidance#parse} reads them, such as {@code style=2,melody=3}.
   */
  public GenerationRequest withGuidance(String scales) {
    return with(read(() -> Guidance.parse(scales)), melody, around, steps, source);
  }

  /** The same with a melody as {@link Melody#parse} reads it, such as {@code C4 E4 G4:2}. */
  public GenerationRequest withMelody(String notes) {
    return withMelody(read(() -> Melody.parse(notes)));
  }

  /** The same with a melody, which begins with the first beat. */
  public GenerationRequest withMelody(Melody notes) {
    return with(guidance, notes, around, steps, source);
  }

  /**
   * The same with the melody of a sound, which {@link Surroundings} says who answers for.
   *
   * @param soundTempoBpm the sound's own tempo; its first beat is at its beginning
   */
  public GenerationRequest withMelodyOf(Pcm sound, double soundTempoBpm) {
    double beat = 60 / soundTempoBpm;
    double[] beats = new double[1 + Math.max(1, (int) Math.round(sound.seconds() / beat))];
    Arrays.setAll(beats, i -> i * beat);
    List<Integer> pitches =
        Arrays.stream(MelodyLine.between(sound, beats))
            .mapToObj(pitch -> pitch == MelodyLine.NOTHING ? FrameConditions.REST : pitch)
            .toList();
    return with(guidance, new Melody(pitches), around, steps, source);
  }

  /** The same with music around it. */
  public GenerationRequest withSurroundings(Surroundings surroundings) {
    return with(guidance, melody, surroundings, steps, source);
  }

  /** The same with what only flow models know. */
  public GenerationRequest withFlow(@Nullable Integer number, @Nullable Source sound) {
    return with(guidance, melody, around, number, sound);
  }

  private GenerationRequest with(
      Guidance scales,
      @Nullable Melody notes,
      @Nullable Surroundings surroundings,
      @Nullable Integer number,
      @Nullable Source sound) {
    return new GenerationRequest(
        text,
        seconds,
        tempoBpm,
        key,
        tags,
        style,
        seed,
        scales,
        notes,
        surroundings,
        number,
        sound);
  }

  private static <T> T read(Supplier<T> reader) {
    try {
      return reader.get();
    } catch (ModelException e) {
      throw new EngineException(e.getMessage() + ".");
    }
  }

  /** How long the sound is that is given out: what was there is counted unless it is left out. */
  public double soundSeconds() {
    if (around == null || around.onlyNew()) {
      return seconds;
    }
    return around.goesOn() ? around.sound().seconds() + seconds : around.sound().seconds();
  }

  /** Text that can be stored and shown: whole characters, and no control ones but white space. */
  private static void requireReadable(String what, String text) {
    boolean odd =
        text.codePoints()
            .anyMatch(c ->
                (Character.isISOControl(c) && !Character.isWhitespace(c))
                    || (c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE));
    if (odd) {
      throw new EngineException(
          "The " + what + " holds characters that cannot be written; type it again.");
    }
  }
}
