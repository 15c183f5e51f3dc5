package org.descant.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.descant.lab.RunFolder;
import org.descant.lab.RunRecord;
import org.descant.lab.RunStatus;
import org.descant.models.published.musicgen.MusicGen;
import org.descant.models.published.weights.LoraAdapter;
import org.descant.models.published.weights.Projection.Form;
import org.descant.shards.Dataset;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.descant.training.recipe.RecipeText;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LoraTrainerTest {
  private static final Path BASE = Path.of("../models/src/test/resources/published/musicgen-brief");

  @TempDir static Path temporary;
  private static Path data;

  @BeforeAll
  static void dataset() {
    data = Small.dataset(temporary.resolve("small"));
  }

  private static LoraRecipe recipe(String... more) {
    LoraRecipe small =
        RecipeText.withOverrides(
            LoraRecipe.musicGen(),
            List.of(
                "base=" + BASE,
                "steps=24",
                "precision=fp32",
                "threads=1",
                "logEvery=4",
                "checkpoint.every=7",
                "learn.frames=40",
                "learn.learningRate=0.01",
                "learn.warmup=2",
                "adapter.rank=4",
                "adapter.targets=q_proj,v_proj,fc2,lm_heads.0,lm_heads.1,lm_heads.2,lm_heads.3"));
    return RecipeText.withOverrides(small, List.of(more));
  }

  private static float[] weights(Path run) {
    try (Scope scope = Scope.open();
        LoraAdapter adapter = LoraAdapter.load(LoraTrainer.adapterFolder(run));
        MusicGen model = MusicGen.load(BASE, Form.PACKED, adapter)) {
      Tensor ids = Tensor.of(new long[] {3, 4, 5}, 1, 3);
      return model.logits(ids, null, Tensor.of(new long[] {1, 2, 3, 4}, 4, 1)).toFloats();
    }
  }

  @Test
  void learnsStopsAndGoesOnToTheSameBits() throws Exception {
    try (Dataset dataset = Dataset.open(data)) {
      Path whole = temporary.resolve("whole");
      RunRecord record = new LoraTrainer(recipe(), dataset, whole, Progress.NONE).run();
      assertThat(record.status()).isEqualTo(RunStatus.FINISHED);
      double start = ((Number) record.facts().get("heldOutLoss.start")).doubleValue();
      double end = ((Number) record.facts().get("heldOutLoss.end")).doubleValue();
      assertThat(end).isLessThan(start - 0.1);
      assertThat(RunFolder.metrics(whole)).hasSize(6 + 1);

      Path broken = temporary.resolve("broken");
      var stopped = new LoraTrainer[1];
      Progress stopping =
          new Progress() {
            @Override
            public void step(Line line) {
              if (line.step() == 8) {
                stopped[0].stop();
              }
            }

            @Override
            public void note(String sentence) {}
          };
      stopped[0] = new LoraTrainer(recipe(), dataset, broken, stopping);
      assertThat(stopped[0].run().status()).isEqualTo(RunStatus.STOPPED);
      RunRecord resumed = new LoraTrainer(recipe(), dataset, broken, Progress.NONE).run();
      assertThat(resumed.status()).isEqualTo(RunStatus.FINISHED);
      String file = LoraTrainer.adapterFolder(Path.of("")) + "/adapter_model.safetensors";
      assertThat(Files.readAllBytes(broken.resolve(file)))
          .isEqualTo(Files.readAllBytes(whole.resolve(file)));
      assertThat(weights(broken)).isEqualTo(weights(whole));

      String card = Files.readString(LoraTrainer.adapterFolder(whole).resolve("README.md"));
      assertThat(card)
          .contains("has no rights manifest", dataset.manifest().root(), dataset.isrc(0))
          .contains("(held out)", "heldOutLoss.end");

      assertThat(Files.readString(whole.resolve("checkpoints/00000024/card.json")))
          .startsWith("{")
          .contains("has no rights manifest");

      assertThatThrownBy(
              () -> new LoraTrainer(recipe("seed=2"), dataset, whole, Progress.NONE).run())
          .isInstanceOf(TrainingException.class)
          .hasMessageContaining("another --out");
    }
  }

  @Test
  void refusesWhatCannotBeLearned() {
    try (Dataset dataset = Dataset.open(data)) {
      assertThatThrownBy(() -> run(dataset, "base="))
          .isInstanceOf(TrainingException.class)
          .hasMessageContaining("base=FOLDER");
      assertThatThrownBy(() -> run(dataset, "base=" + temporary.resolve("nowhere")))
          .isInstanceOf(TrainingException.class)
          .hasMessageContaining("nowhere");
      assertThatThrownBy(() -> run(dataset, "adapter.targets=w_proj"))
          .isInstanceOf(TrainingException.class)
          .hasMessageContaining("w_proj");
      assertThatThrownBy(() -> recipe("learn.frames=4"))
          .isInstanceOf(TrainingException.class)
          .hasMessageContaining("learn.frames");
      assertThatThrownBy(() -> recipe("adapter.rnk=4"))
          .isInstanceOf(TrainingException.class)
          .hasMessageContaining("adapter.rank");
    }
  }

  private static RunRecord run(Dataset dataset, String override) {
    return new LoraTrainer(
            recipe(override),
            dataset,
            temporary.resolve("refused" + override.hashCode()),
            Progress.NONE)
        .run();
  }
}
