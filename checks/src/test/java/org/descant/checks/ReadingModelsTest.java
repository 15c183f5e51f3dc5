package org.descant.checks;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import org.descant.models.HouseModel;
import org.descant.tensor.DType;
import org.descant.tensor.Safetensors;
import org.junit.jupiter.api.Test;

/** What docs/reading-models.md says of the files that ship is so. */
class ReadingModelsTest {
  private static final Path ROOT = Repository.root();

  @Test
  void theDocumentShowsTheScriptAsItIs() throws Exception {
    assertThat(Files.readString(ROOT.resolve("docs/reading-models.md")))
        .contains("```python\n" + Files.readString(ROOT.resolve("bench/peers/read_model.py")));
  }

  @Test
  void matricesAreInt8WithOneScalePerRowAndTheRestIsFloat() {
    int matrices = 0;
    try (Safetensors file =
        Safetensors.open(ROOT.resolve("models/house-demo").resolve(HouseModel.WEIGHTS))) {
      assertThat(file.metadata().keySet())
          .containsExactlyInAnyOrder("format", "datasetRoot", "recipeHash");
      for (String name : file.names()) {
        assertThat(name).matches("(codec|lm)\\..+");
        if (file.dtype(name) == DType.I8) {
          matrices++;
          assertThat(file.shape(name).length).as(name).isGreaterThanOrEqualTo(2);
          assertThat(file.dtype(name + ".scale")).isEqualTo(DType.F32);
          assertThat(file.shape(name + ".scale")).containsExactly(file.shape(name)[0]);
        } else {
          assertThat(file.dtype(name)).as(name).isEqualTo(DType.F32);
        }
      }
    }
    assertThat(matrices).isPositive();
  }
}
