package org.descant.synth;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.descant.audio.MusicAnnotations;

/**
 * The demo catalogue: ten invented artists, three tracks each. Scores are read once, on first use;
 * thread-safe.
 */
public final class DemoCatalogue {
  private static final List<String> SLUGS =
      List.of(
          "lamplighters-rag",
          "pocketwatch-two-step",
          "marmalade-stomp",
          "over-the-quiet-fields",
          "winter-lantern",
          "morning-returneth",
          "rainy-window",
          "minuet-of-small-birds",
          "nocturne-in-the-arcade",
          "three-am-radiator",
          "paper-umbrella",
          "library-card",
          "hangar-light",
          "cold-rivet",
          "subfloor",
          "pylon-song",
          "rust-and-honey",
          "long-way-to-brackwater",
          "ferrymans-dog",
          "heather-on-the-weir",
          "low-barn-reel",
          "glass-tide",
          "polar-garden",
          "slow-satellites",
          "paper-beach",
          "blue-awning",
          "borrowed-cat",
          "chrome-sunset",
          "midnight-arcade",
          "vector-beach");

  private DemoCatalogue() {}

  private static final class Loaded {
    static final Map<String, Score> SCORES = load();

    private static Map<String, Score> load() {
      Map<String, Score.Band> bands = new ConcurrentHashMap<>();
      Map<String, Score> scores = new LinkedHashMap<>();
      for (String slug : SLUGS) {
        Score score =
            ScoreParser.score(
                slug,
                resource(slug + ".score"),
                band ->
                    bands.computeIfAbsent(band, b -> ScoreParser.band(b, resource(b + ".band"))));
        scores.put(slug, score);
      }
      return scores;
    }
  }

  /** All tracks, the three of an artist in a row. */
  public static List<DemoTrack> tracks() {
    return Loaded.SCORES.values().stream().map(Score::track).toList();
  }

  /**
   * Renders a track.
   *
   * @throws SynthException if there is none with this slug
   */
  static Rendering render(String slug) {
    return Mixer.render(score(slug));
  }

  /** What the score of a track says, without playing it. */
  static MusicAnnotations truth(String slug) {
    return Arranger.arrange(score(slug)).truth();
  }

  private static Score score(String slug) {
    Score score = Loaded.SCORES.get(slug);
    if (score == null) {
      throw new SynthException(
          "The demo catalogue has no track \"" + slug + "\"; see DemoCatalogue.tracks().");
    }
    return score;
  }

  private static String resource(String name) {
    try (InputStream in = DemoCatalogue.class.getResourceAsStream("scores/" + name)) {
      if (in == null) {
        throw new SynthException("The demo catalogue lacks the file " + name + ".");
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new SynthException("The demo catalogue's file " + name + " cannot be read: " + e);
    }
  }
}
