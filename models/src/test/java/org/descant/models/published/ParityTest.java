package org.descant.models.published;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.descant.models.ModelException;
import org.descant.models.published.weights.PublishedConfig;
import org.descant.tensor.DType;
import org.descant.tensor.NativeRuntime;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ParityTest {
  private static final Set<String> CODECS_AND_TEXT = Set.of("encodec", "dac", "t5");

  @TempDir Path temporary;

  @BeforeAll
  static void oneThread() {
    NativeRuntime.init(1);
  }

  static Stream<Path> golden() {
    return Fixtures.folders(Fixtures.golden()).stream().filter(ParityTest::isCodecOrText);
  }

  private static boolean isCodecOrText(Path folder) {
    PublishedConfig settings = PublishedConfig.read(folder.resolve("parity.json"));
    return CODECS_AND_TEXT.contains(settings.text("family", ""));
  }

  @ParameterizedTest
  @MethodSource("golden")
  void givesTheReferencesNumbers(Path folder) {
    assertThat(Parity.check(folder)).isNotEmpty().allMatch(Parity.Line::within);
  }

  @Test
  void everyFamilyHasGoldenFixtures() {
    assertThat(golden().map(folder -> folder.getFileName().toString().split("-")[0]))
        .containsAll(CODECS_AND_TEXT);
  }

  /** The set that is shared beside some checkouts; it is not ours to keep. */
  @Test
  void theSharedFixturesAgree() {
    Path found = null;
    for (Path at = Path.of("").toAbsolutePath(); at != null; at = at.getParent()) {
      Path candidate = at.resolve("shared/parity/fixtures");
      if (Files.isDirectory(candidate)) {
        found = candidate;
        break;
      }
    }
    String stated = System.getProperty("descant.parity");
    Path folder = stated == null ? found : Path.of(stated);
    Assumptions.assumeTrue(
        folder != null, "shared/parity/fixtures is not here, so this is not tested");
    for (Path fixture : Fixtures.folders(folder)) {
      if (isCodecOrText(fixture)) {
        assertThat(Parity.check(fixture)).as("%s", fixture).allMatch(Parity.Line::within);
      }
    }
  }

  @Test
  void oneChangedWeightIsFound() throws IOException {
    Path folder = Fixtures.copy("encodec-chunks", temporary.resolve("changed"));
    Fixtures.editTensors(
        folder.resolve("model.safetensors"),
        tensors -> tensors.get("decoder.layers.0.conv.bias").narrow(0, 0, 1).addInPlace(0.05));
    List<Parity.Line> lines = Parity.check(folder);
    assertThat(lines)
        .filteredOn(line -> line.output().startsWith("codes"))
        .allMatch(Parity.Line::within);
    assertThat(lines)
        .filteredOn(line -> line.output().startsWith("audio"))
        .isNotEmpty()
        .noneMatch(Parity.Line::within);
  }

  @Test
  void wholeNumbersMustBeEqualAndOthersNear() {
    try (Scope scope = Scope.open()) {
      Tensor codes = Tensor.of(new long[] {3, 4, 5, 6}, 2, 2);
      assertThat(Parity.compare("c", codes, codes.copy(), 1e-4).within()).isTrue();
      Parity.Line one = Parity.compare("c", codes, Tensor.of(new long[] {3, 4, 5, 7}, 2, 2), 1e-4);
      assertThat(one.within()).isFalse();
      assertThat(one.largest()).isEqualTo(0.25);
      assertThat(one.remark()).isEqualTo("1 of 4 differ");

      Tensor wave = Tensor.of(new float[] {1, -4, 2});
      Parity.Line near = Parity.compare("w", wave, wave.add(2e-4), 1e-4);
      assertThat(near.within()).isTrue();
      assertThat(near.largest()).isCloseTo(5e-5, org.assertj.core.data.Offset.offset(1e-6));
      assertThat(Parity.compare("w", wave, wave.add(1e-3), 1e-4).within()).isFalse();
    }
  }

  @Test
  void anotherShapeAndNotANumberAreOutside() {
    try (Scope scope = Scope.open()) {
      Tensor wave = Tensor.of(new float[] {1, -4, 2});
      Parity.Line shorter = Parity.compare("w", wave.narrow(0, 0, 2), wave, 1e-4);
      assertThat(shorter.within()).isFalse();
      assertThat(shorter.remark()).contains("[2]").contains("[3]");
      Tensor broken = Tensor.of(new float[] {1, Float.NaN, 2});
      assertThat(Parity.compare("w", broken, wave, 1e-4).within()).isFalse();
      assertThat(Parity.compare("w", wave, Tensor.zeros(3), 1e-4).within()).isFalse();
      assertThat(Parity.compare("w", Tensor.zeros(3), Tensor.zeros(3), 1e-4).within()).isTrue();
    }
  }

  @Test
  void refusesAFolderThatIsNoFixture() throws IOException {
    assertThatThrownBy(() -> Parity.check(temporary.resolve("nowhere")))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("parity.json");

    Path family = Fixtures.copy("t5-plain", temporary.resolve("family"));
    Fixtures.edit(family.resolve("parity.json"), text -> text.replace("\"t5\"", "\"t6\""));
    assertThatThrownBy(() -> Parity.check(family))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("family = \"t6\"");

    Path output = Fixtures.copy("t5-plain", temporary.resolve("output"));
    Fixtures.editTensors(
        output.resolve("parity.safetensors"), tensors -> tensors.put("out.more", Tensor.ones(1)));
    assertThatThrownBy(() -> Parity.check(output))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("out.more");

    Path nothing = Fixtures.copy("t5-plain", temporary.resolve("nothing"));
    Fixtures.editTensors(
        nothing.resolve("parity.safetensors"),
        tensors -> tensors.keySet().removeIf(name -> name.startsWith("out.")));
    assertThatThrownBy(() -> Parity.check(nothing))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("out.<name>");

    Path input = Fixtures.copy("dac-odd", temporary.resolve("input"));
    Fixtures.editTensors(
        input.resolve("parity.safetensors"), tensors -> tensors.put("in.audio", Tensor.ones(2, 2)));
    assertThatThrownBy(() -> Parity.check(input))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("[batch, 1,");
  }

  @Test
  void integersOfOtherWidthsAreRead() throws IOException {
    Path folder = Fixtures.copy("t5-plain", temporary.resolve("narrow"));
    Fixtures.editTensors(
        folder.resolve("parity.safetensors"),
        tensors -> tensors.replaceAll((name, t) -> t.dtype() == DType.I64 ? t.to(DType.I32) : t));
    assertThat(Parity.check(folder)).isNotEmpty().allMatch(Parity.Line::within);
  }
}
