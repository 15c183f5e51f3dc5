package org.descant.rights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.descant.rights.Fixture.PCM_HASH;
import static org.descant.rights.Fixture.SONG;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class CreditsTest {
  private Rights rights;

  @BeforeEach
  void open() {
    rights = Rights.open(Fixture.nothingRecorded());
    rights.record(Fixture.people());
    rights.record(Fixture.music());
  }

  private List<Credit> fold(RecordingWeight... weights) {
    return rights.credits().fold(List.of(weights));
  }

  private static int sum(List<Credit> credits) {
    return credits.stream().mapToInt(Credit::shareMicros).sum();
  }

  @Test
  void halfGoesToThoseWhoMadeItAndHalfToThoseWhoWroteIt() {
    assertThat(fold(new RecordingWeight(SONG, 0.3)))
        .containsExactly(
            new Credit("singer", "Ada Lark", "MainArtist", SONG, 500_000),
            new Credit("writer", "Ben Quill", "Composer", SONG, 250_000),
            new Credit("writer", "Ben Quill", "Lyricist", SONG, 250_000));
  }

  @Test
  void whereOnlyOneKindIsKnownItHasTheWhole() {
    Isrc instrumental = Isrc.of("XXABC2600002");
    rights.register(
        new Recording(
            instrumental,
            "I",
            "A",
            1,
            PCM_HASH,
            List.of(),
            List.of(new Contributor("singer", "MainArtist"), new Contributor("label", "Producer")),
            List.of(),
            null));
    assertThat(fold(new RecordingWeight(instrumental, 1)))
        .extracting(Credit::shareMicros)
        .containsExactly(500_000, 500_000);
  }

  @Test
  void ownersStandInWhereNobodyIsNamed() {
    Isrc anonymous = Isrc.of("XXABC2600003");
    rights.register(
        new Recording(
            anonymous,
            "I",
            "A",
            1,
            PCM_HASH,
            List.of(),
            List.of(),
            List.of(Share.master("label", 9_000), Share.master("singer", 1_000)),
            null));
    assertThat(fold(new RecordingWeight(anonymous, 1)))
        .extracting(Credit::role)
        .containsOnly(Credits.RIGHTS_HOLDER)
        .hasSize(2);
  }

  @Test
  void nobodyToCreditIsSaid() {
    Isrc nobody = Isrc.of("XXABC2600004");
    rights.register(
        new Recording(nobody, "I", "A", 1, PCM_HASH, List.of(), List.of(), List.of(), null));
    assertThatThrownBy(() -> fold(new RecordingWeight(nobody, 1)))
        .isInstanceOf(RightsException.class)
        .hasMessageContaining("Nobody is known to be behind the recording XXABC2600004");
    assertThatThrownBy(() -> fold(new RecordingWeight(Isrc.of("XXABC2699999"), 1)))
        .hasMessageContaining("is not registered");
    assertThatThrownBy(() -> fold(new RecordingWeight(SONG, 0)))
        .hasMessageContaining("a weight above zero");
    assertThatThrownBy(() -> fold()).hasMessageContaining("a weight above zero");
  }

  @Test
  void creditsOfAnyWeightsAddUpToTheWhole() {
    SplittableRandom random = new SplittableRandom(7);
    List<Isrc> isrcs = new ArrayList<>();
    List<Fact> facts = new ArrayList<>();
    for (int i = 0; i < 40; i++) {
      Isrc isrc = Isrc.of("XXABC27%05d".formatted(i));
      isrcs.add(isrc);
      List<Contributor> people = new ArrayList<>();
      for (int k = random.nextInt(4); k >= 0; k--) {
        people.add(
            new Contributor(
                random.nextBoolean() ? "singer" : "stranger",
                random.nextBoolean() ? "MainArtist" : "Producer"));
      }
      List<String> works = random.nextBoolean() ? List.of(Fixture.WORK) : List.of();
      facts.add(new Recording(isrc, "R", "A", 1, PCM_HASH, works, people, List.of(), null));
    }
    rights.record(facts);
    for (int round = 0; round < 60; round++) {
      List<RecordingWeight> weights = new ArrayList<>();
      for (int k = 1 + random.nextInt(40); k > 0; k--) {
        double weight =
            switch (random.nextInt(4)) {
              case 0 -> Double.MIN_VALUE;
              case 1 -> Double.MAX_VALUE / 64;
              case 2 -> 1.0 / 3;
              default -> random.nextDouble();
            };
        weights.add(new RecordingWeight(isrcs.get(random.nextInt(40)), weight));
      }
      List<Credit> credits = rights.credits().fold(weights);
      assertThat(sum(credits)).isEqualTo(Credit.WHOLE_MICROS);
      assertThat(credits).allMatch(credit -> credit.shareMicros() > 0);
      assertThat(rights.credits().fold(weights)).isEqualTo(credits);
    }
  }

  @Test
  void partsAreInProportionToTheWeights() {
    SplittableRandom random = new SplittableRandom(8);
    for (int round = 0; round < 2_000; round++) {
      List<Double> weights = new ArrayList<>();
      double total = 0;
      for (int k = 1 + random.nextInt(60); k > 0; k--) {
        weights.add(random.nextDouble());
        total += weights.getLast();
      }
      int[] parts = Credits.divide(Credit.WHOLE_MICROS, weights);
      long sum = 0;
      for (int i = 0; i < parts.length; i++) {
        sum += parts[i];
        assertThat(Math.abs(parts[i] - weights.get(i) / total * 1e6)).isLessThan(1.001);
      }
      assertThat(sum).isEqualTo(1_000_000);
    }
  }

  @Test
  void weightsTooLargeToAddAreRefused() {
    RecordingWeight huge = new RecordingWeight(SONG, Double.MAX_VALUE);
    assertThatThrownBy(() -> fold(huge, huge)).isInstanceOf(RightsException.class);
  }
}
