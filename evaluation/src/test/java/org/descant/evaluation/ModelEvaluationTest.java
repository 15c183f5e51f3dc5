package org.descant.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import org.descant.attribution.Attributor;
import org.descant.evaluation.ModelEvaluation.Part;
import org.descant.evaluation.ReliabilityStudy.LeftOut;
import org.descant.models.ModelCard;
import org.descant.models.lm.TokenLmConfig;
import org.descant.shards.Dataset;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelEvaluationTest {
  @TempDir static Path shared;
  private static Dataset dataset;

  @TempDir Path folder;

  @BeforeAll
  static void makeDataset() {
    dataset = Dataset.open(Small.dataset(shared.resolve("dataset"), 4, 0));
  }

  @AfterAll
  static void closeDataset() {
    dataset.close();
  }

  private static ModelEvaluation.Options options() {
    ReliabilityStudy.Options study =
        new ReliabilityStudy.Options(
            new TokenLmConfig(16, 1, 2, 2, 24, 1, Small.SIZE, 1, 40),
            6,
            4,
            32,
            5e-3,
            1,
            LeftOut.RECORDING,
            1);
    return new ModelEvaluation.Options(
        EnumSet.allOf(Part.class), 2, 3, 1, 1, study, 4, "descant evaluate small", true);
  }

  @Test
  void everyFigureIsMeasuredAndKeptInTheCard() throws Exception {
    Path model = folder.resolve("model");
    Path out = folder.resolve("out");
    String id = Small.model(model, dataset, 1).id();
    List<String> lines = new ArrayList<>();
    EvaluationReport report = ModelEvaluation.run(model, dataset, options(), out, lines::add);

    Map<String, Double> figures = report.figures();
    assertThat(figures)
        .containsKeys(
            "codec.melDistance",
            "opus.nearest.kilobitsPerSecond",
            "opus.lowest.melDistance",
            "estimators.tempo",
            "control.newPairs.key",
            "control.shuffled.tempo",
            "control.melody.asked",
            "control.melody.notAsked",
            "memorisation.longestCopySeconds",
            "frechet.heldOutToTrained",
            "attribution.tokens.spearman",
            "attribution.gradient.spearman",
            "attribution.similarity.low");
    assertThat(figures.values()).allMatch(Double::isFinite);
    assertThat(figures.get("control.clips")).isEqualTo(2);
    assertThat(figures.get("attribution.models")).isEqualTo(4);

    ModelCard card = ModelCard.read(model);
    assertThat(card.id()).isEqualTo(id);
    assertThat(card.evaluation()).containsAllEntriesOf(figures);
    assertThat(card.attribution()).isNotNull();
    assertThat(card.attribution().command()).isEqualTo("descant evaluate small");
    assertThat(card.attribution().score()).isEqualTo(figures.get("attribution.tokens.spearman"));
    assertThat(Attributor.open(model).recordings()).hasSize(3);
    assertThat(Files.readString(out.resolve("evaluation.json")))
        .contains("\"melDistanceDb\"", "\"heldOutToTrained\"");
    assertThat(out.resolve("generation.png")).isNotEmptyFile();
    assertThat(out.resolve("training-excerpt.png")).isNotEmptyFile();
    assertThat(lines).anyMatch(line -> line.contains("s left"));
  }

  @Test
  void aPartAloneLeavesTheOthersOut() {
    Path model = folder.resolve("model");
    Small.model(model, dataset, 1);
    EvaluationReport report =
        ModelEvaluation.run(
            model,
            dataset,
            options().only(EnumSet.of(Part.CODEC)),
            folder.resolve("out"),
            line -> {});
    assertThat(report.codec()).isNotNull();
    assertThat(report.control()).isNull();
    assertThat(report.figures()).doesNotContainKey("control.tempo");
    assertThat(ModelCard.read(model).attribution()).isNull();
  }

  @Test
  void anotherDatasetThanTheModelsIsRefused() {
    Path model = folder.resolve("model");
    Small.model(model, dataset, 1);
    try (Dataset other = Dataset.open(Small.dataset(shared.resolve("other"), 3, 50))) {
      assertThatThrownBy(
              () -> ModelEvaluation.run(model, other, options(), folder.resolve("out"), line -> {}))
          .isInstanceOf(EvaluationException.class)
          .hasMessageContaining("name the right dataset");
    }
  }
}
