package org.descant.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.descant.audio.Pcm;
import org.descant.audio.analysis.Fingerprint;
import org.descant.evaluation.MemorisationReport.Row;
import org.descant.evaluation.MemorisationReport.Sound;
import org.junit.jupiter.api.Test;

class MemorisationReportTest {

  private static int[] tokens(long seed, int frames) {
    return new SplittableRandom(seed).ints(frames, 0, 1000).toArray();
  }

  @Test
  void aPlantedRunOfTokensIsFoundWhereverItLies() {
    for (int seed = 0; seed < 20; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      int[] clip = tokens(100 + seed, 200);
      int[] recording = tokens(200 + seed, 900);
      int length = random.nextInt(20, 80);
      int from = random.nextInt(recording.length - length);
      System.arraycopy(recording, from, clip, random.nextInt(clip.length - length), length);
      assertThat(MemorisationReport.longestRun(clip, recording)).isBetween(length, length + 1);
    }
  }

  @Test
  void silenceAndHeldSoundsAreNoCopies() {
    int[] still = new int[300];
    assertThat(MemorisationReport.longestRun(still, still)).isZero();
    int[] twoTokens = new int[300];
    for (int i = 0; i < 300; i += 2) {
      twoTokens[i] = 1;
    }
    assertThat(MemorisationReport.longestRun(twoTokens, twoTokens)).isZero();
  }

  @Test
  void aCopyIsNamedWithItsPlaceAndOtherMusicIsNot() {
    List<Sound> recordings = new ArrayList<>();
    List<Pcm> sounds = new ArrayList<>();
    for (int n = 0; n < 3; n++) {
      sounds.add(Small.melody(n, 16));
      recordings.add(
          new Sound("R" + n, Fingerprint.of(sounds.get(n)), new int[][] {tokens(n, 700)}));
    }
    int[] codes = tokens(99, 300);
    System.arraycopy(recordings.get(1).codes()[0], 50, codes, 100, 129);
    Sound copy =
        new Sound("copy", Fingerprint.of(sounds.get(1).sliceSeconds(4, 10)), new int[][] {codes});
    Sound other =
        new Sound("other", Fingerprint.of(Small.melody(50, 6)), new int[][] {tokens(98, 300)});
    MemorisationReport report =
        MemorisationReport.of(
            List.of(copy), List.of(other), List.of(copy), recordings, 43, line -> {});

    Row row = report.longest();
    assertThat(row.copiedFrom()).isEqualTo("R1");
    assertThat(row.copiedSeconds()).isCloseTo(6, within(0.5));
    assertThat(row.recordingStart() - row.clipStart()).isCloseTo(4, within(0.15));
    assertThat(row.tokenRunFrom()).isEqualTo("R1");
    assertThat(row.tokenRunSeconds()).isCloseTo(3, within(0.05));
    assertThat(report.copies()).isEqualTo(1);
    assertThat(report.tokenCopies()).isEqualTo(1);
    // 129 of 300 frames: 126 runs of four frames of 297.
    assertThat(MemorisationReport.ngrams(row)).isCloseTo(126 / 297.0, within(0.01));
    assertThat(report.nullNgrams().largest()).isLessThan(0.01);
    assertThat(report.ngramCopies(report.generations())).isEqualTo(1);
    assertThat(report.ngramCopies(report.heldOut())).isZero();
    assertThat(report.heldOut().getFirst().copiedSeconds()).isLessThan(3);
    assertThat(report.heldOut().getFirst().tokenRunSeconds()).isLessThan(0.5);
  }

  private static Row ngrams(double share) {
    return new Row("x", 0, "", 0, 0, 0, "", List.of(1.0, share, 0.0));
  }

  @Test
  void theThresholdOfRunsLiesBetweenOtherMusicAndCopiesWhereTheseDiffer() {
    List<Row> other = List.of(ngrams(0.1), ngrams(0.2));
    List<Row> copies = List.of(ngrams(0.5), ngrams(0.6), ngrams(0.9));
    List<Row> made = List.of(ngrams(0.3), ngrams(0.45));
    MemorisationReport report = new MemorisationReport(made, other, copies);
    assertThat(report.ngramThreshold()).isCloseTo(0.4, within(1e-12));
    assertThat(report.ngramCopies(made)).isEqualTo(1);
    assertThat(report.ngramCopies(copies)).isEqualTo(3);
    assertThat(report.ngramCopies(other)).isZero();
    assertThat(report.mostNgrams()).isEqualTo(made.getLast());

    MemorisationReport blind = new MemorisationReport(made, copies, other);
    assertThat(blind.ngramThreshold()).isEqualTo(0.9);
    assertThat(blind.ngramCopies(other)).isZero();
  }
}
