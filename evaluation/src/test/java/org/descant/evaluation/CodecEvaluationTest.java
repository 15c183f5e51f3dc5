package org.descant.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.descant.models.codec.MagnitudeCodec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CodecEvaluationTest {
  @TempDir Path scratch;

  @Test
  void ratesAreThoseOfCodesAndFilesAndOpusGetsBetterWithBits() {
    try (MagnitudeCodec codec = MagnitudeCodec.create(Small.CODEC, 1)) {
      List<String> lines = new ArrayList<>();
      CodecEvaluation.Result result =
          CodecEvaluation.of(
              codec, List.of(Small.melody(1, 4), Small.melody(2, 4)), scratch, lines::add);
      assertThat(result.codec()).hasSize(Small.BOOKS);
      // 4 bits a frame and codebook, 43.07 frames a second.
      assertThat(result.full().kilobitsPerSecond()).isCloseTo(2 * 4 * 0.04307, within(1e-3));
      assertThat(result.seconds()).isCloseTo(8, within(1e-6));
      assertThat(result.opus()).hasSize(5);
      assertThat(result.opus().getFirst().melDistanceDb())
          .isGreaterThan(result.opus().getLast().melDistanceDb());
      assertThat(result.opus().getFirst().kilobitsPerSecond())
          .isLessThan(result.opus().getLast().kilobitsPerSecond());
      assertThat(result.opus().getFirst().stftDistance())
          .isGreaterThan(result.opus().getLast().stftDistance());
      assertThat(result.opus().getFirst().siSdrDb()).isLessThan(result.opus().getLast().siSdrDb());
      assertThat(result.full().stftDistance()).isPositive();
      assertThat(result.nearestOpus()).isEqualTo(result.opus().getFirst());
      assertThat(result.full().each()).hasSize(2);
      assertThat(result.encodeTimesRealTime()).isPositive();
      assertThat(result.decodeTimesRealTime()).isEqualTo(result.full().decodeTimesRealTime());
      // One set of weights at every rate: a row for each number of codebooks, each with its speed.
      assertThat(result.codec())
          .extracting(CodecEvaluation.Row::name)
          .containsExactly("1 of 2 codebooks", "2 of 2 codebooks");
      assertThat(result.codec().getFirst().kilobitsPerSecond())
          .isCloseTo(result.full().kilobitsPerSecond() / 2, within(1e-9));
      assertThat(result.codec())
          .allSatisfy(row -> assertThat(row.decodeTimesRealTime()).isPositive());
      assertThat(result.opus())
          .allSatisfy(row -> assertThat(row.decodeTimesRealTime()).isPositive());
      assertThat(lines).hasSize(3);
      assertThat(scratch).isEmptyDirectory();
    }
  }

  @Test
  void withoutSoundThereIsNothingToMeasure() {
    try (MagnitudeCodec codec = MagnitudeCodec.create(Small.CODEC, 1)) {
      assertThatThrownBy(() -> CodecEvaluation.of(codec, List.of(), scratch, line -> {}))
          .isInstanceOf(EvaluationException.class);
    }
  }
}
