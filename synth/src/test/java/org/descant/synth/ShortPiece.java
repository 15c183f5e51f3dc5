package org.descant.synth;

import java.util.List;

/** One bar in which every instrument plays: short enough for an interpreter. */
final class ShortPiece {
  private ShortPiece() {}

  static String hash() {
    StringBuilder band =
        new StringBuilder(
            """
            artist: Test Players
            genre: test
            loudness: -19
            composers: A
            performers: B
            producers: C
            groove all/16
              kick X...x...........
            """);
    StringBuilder score =
        new StringBuilder(
            """
            title: Test
            band: test
            tempo: 220
            key: D minor
            meter: 4/4
            form: A
            description: A test.
            [A verse]
            chords: i
            """);
    List<String> effects =
        List.of(
            "room=0 drive=8 cabinet=4000",
            "room=0 chorus=0.6 wide=1",
            "room=0 delay=0.4 duck=0.5",
            "room=0 tremolo=0.5",
            "room=0",
            "room=0 eq=900 eqgain=3",
            "room=0.3 hp=200");
    int i = 0;
    for (String instrument : Voices.names()) {
      String part = "p" + i;
      band.append(
          "part %s %s gain=-9 stem=s%d %s\n"
              .formatted(part, instrument, i % 4, effects.get(i % effects.size())));
      String line = "%d -".formatted(i % 7 + 1);
      score.append(Voices.drums(instrument) ? part + ": @all\n" : part + ": . " + line + " .*5\n");
      i++;
    }
    return Mixer.render(
            ScoreParser.score("test", score.toString(), n -> ScoreParser.band(n, band.toString())))
        .mix()
        .hash();
  }

  public static void main(String[] args) {
    System.out.println(hash());
  }
}
