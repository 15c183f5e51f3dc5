package org.descant.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.descant.evaluation.ReliabilityStudy.Clip;
import org.descant.evaluation.ReliabilityStudy.LeftOut;
import org.descant.evaluation.ReliabilityStudy.Options;
import org.descant.evaluation.ReliabilityStudy.Result;
import org.descant.evaluation.ReliabilityStudy.Source;
import org.descant.models.lm.TokenLm;
import org.descant.models.lm.TokenLmConfig;
import org.descant.tensor.NativeRuntime;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReliabilityStudyTest {
  private static final TokenLmConfig SHAPE =
      new TokenLmConfig(32, 1, 2, 2, 48, Small.BOOKS, Small.SIZE, 1, 48);

  @TempDir Path folder;

  @BeforeAll
  static void oneThreadAModel() {
    NativeRuntime.init(1);
  }

  private static Options options(LeftOut leftOut, int seeds) {
    return new Options(SHAPE, 60, 8, 32, 5e-3, seeds, leftOut, 2);
  }

  private static List<Source> sources() {
    List<Source> sources = new ArrayList<>();
    for (int i = 0; i < 6; i++) {
      float[] style = new float[6];
      style[i] = 1;
      sources.add(new Source("R" + i, "Artist " + i / 2, Small.codes(i, 120), style));
    }
    return sources;
  }

  private static List<Clip> clips(List<Source> sources) {
    List<Clip> clips = new ArrayList<>();
    for (Source source : sources) {
      int[][] part =
          Arrays.stream(source.codes())
              .map(book -> Arrays.copyOfRange(book, 20, 84))
              .toArray(int[][]::new);
      clips.add(new Clip(source.isrc(), part, source.style()));
    }
    return clips;
  }

  @Test
  void whatWasLeftOutCannotShapeAModel() {
    TinyLm tiny = new TinyLm(SHAPE, 5, 4, 32, 5e-3);
    List<int[][]> recordings = new ArrayList<>(sources().stream().map(Source::codes).toList());
    double[] losses = new double[3];
    try (TokenLm model = tiny.train(recordings, Set.of(2), 7)) {
      losses[0] = tiny.loss(model, recordings.get(0));
    }
    try (TokenLm model = tiny.train(recordings, Set.of(), 7)) {
      losses[1] = tiny.loss(model, recordings.get(0));
    }
    recordings.set(2, Small.codes(99, 120));
    try (TokenLm model = tiny.train(recordings, Set.of(2), 7)) {
      losses[2] = tiny.loss(model, recordings.get(0));
    }
    assertThat(losses[2]).isEqualTo(losses[0]).isNotEqualTo(losses[1]);
  }

  @Test
  void tokensAndGradientsFindTheRecordingThatAnExcerptCameFrom() {
    List<Source> sources = sources();
    List<String> lines = new ArrayList<>();
    Result result =
        ReliabilityStudy.run(
            options(LeftOut.RECORDING, 1), sources, clips(sources), folder, lines::add);
    assertThat(result.models()).isEqualTo(7);
    assertThat(result.groups()).isEqualTo(6);
    assertThat(lines).hasSize(7).last().asString().contains("model 7 of 7, 0 s left");
    for (String method : List.of(ReliabilityStudy.TOKENS, ReliabilityStudy.GRADIENT)) {
      assertThat(result.of(method).top()).isCloseTo(1, within(1e-9));
      assertThat(result.of(method).spearman()).isPositive();
    }
    assertThat(result.of(ReliabilityStudy.EQUAL_SHARE).spearman()).isZero();
    assertThat(result.meanInfluence()).isPositive();
    assertThat(result.repeatability()).isNaN();
  }

  @Test
  void aStudyThatWasCutOffGoesOnToTheSameResult() throws Exception {
    List<Source> sources = sources();
    List<Clip> clips = clips(sources);
    Options options = options(LeftOut.ARTIST, 2);
    Result unbroken = ReliabilityStudy.run(options, sources, clips, folder, line -> {});
    assertThat(unbroken.groups()).isEqualTo(3);
    assertThat(unbroken.models()).isEqualTo(8);
    assertThat(unbroken.repeatability()).isBetween(-1.0, 1.0);

    Path file;
    try (var files = Files.list(folder)) {
      file = files.findFirst().orElseThrow();
    }
    byte[] whole = Files.readAllBytes(file);
    Files.write(file, Arrays.copyOf(whole, whole.length * 2 / 3));
    List<String> lines = new ArrayList<>();
    Result resumed = ReliabilityStudy.run(options, sources, clips, folder, lines::add);
    assertThat(lines).hasSizeBetween(1, 7);
    assertThat(resumed.scores()).isEqualTo(unbroken.scores());
    assertThat(resumed.repeatability()).isEqualTo(unbroken.repeatability());

    List<String> none = new ArrayList<>();
    ReliabilityStudy.run(options, sources, clips, folder, none::add);
    assertThat(none).isEmpty();
  }

  @Test
  void twoGroupsAreTooFewToRank() {
    List<Source> sources = sources().subList(0, 2);
    assertThatThrownBy(() ->
            ReliabilityStudy.run(
                options(LeftOut.RECORDING, 1), sources, clips(sources), folder, line -> {}))
        .isInstanceOf(EvaluationException.class)
        .hasMessageContaining("at least 3 groups");
  }
}
