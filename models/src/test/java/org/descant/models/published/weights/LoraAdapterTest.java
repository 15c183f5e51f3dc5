package org.descant.models.published.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.descant.models.ModelException;
import org.descant.models.published.Fixtures;
import org.descant.models.published.musicgen.MusicGen;
import org.descant.models.published.musicgen.MusicGenDecoder;
import org.descant.models.published.text.TextTokensTest;
import org.descant.models.published.weights.Projection.Form;
import org.descant.tensor.NativeRuntime;
import org.descant.tensor.ParameterStore;
import org.descant.tensor.ParameterStore.Initializer;
import org.descant.tensor.Safetensors;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LoraAdapterTest {
  private static final Path BASE = Fixtures.golden("musicgen-guided");

  @TempDir Path temporary;

  @BeforeAll
  static void oneThread() {
    NativeRuntime.init(1);
  }

  private static LoraAdapter.Settings settings(String... targets) {
    return new LoraAdapter.Settings(3, 6, false, List.of(targets), "musicgen-guided");
  }

  /** An adapter with random A and B, saved and read again. */
  private static LoraAdapter saved(
      MusicGenDecoder decoder, LoraAdapter.Settings settings, Path to) {
    List<MusicGenDecoder.Module> modules =
        decoder.modules().stream().filter(m -> settings.aimsAt(m.name())).toList();
    try (Scope scope = Scope.open();
        ParameterStore store = store(modules, settings.rank(), Initializer.normal(0.3))) {
      LoraAdapter.over(
              settings, modules.stream().map(MusicGenDecoder.Module::name).toList(), store::get)
          .save(to, Map.of("note", "a test"));
    }
    return LoraAdapter.load(to);
  }

  private static ParameterStore store(
      List<MusicGenDecoder.Module> modules, int rank, Initializer up) {
    ParameterStore store = new ParameterStore(5);
    for (MusicGenDecoder.Module module : modules) {
      store.declare(
          LoraAdapter.downName(module.name()),
          Initializer.fanIn(module.inputs()),
          rank,
          module.inputs());
      store.declare(LoraAdapter.upName(module.name()), up, module.outputs(), rank);
    }
    return store.build();
  }

  private static Tensor logits(MusicGen model) {
    try (Safetensors file = Safetensors.open(BASE.resolve("parity.safetensors"))) {
      return model.logits(
          file.tensor("in.input_ids"),
          file.tensor("in.attention_mask"),
          file.tensor("in.decoder_input_ids"));
    }
  }

  private static double worst(Tensor a, Tensor b) {
    return a.sub(b).abs().amax().item() / b.abs().amax().item();
  }

  @ParameterizedTest
  @CsvSource({"PLAIN, 1", "PACKED, 1", "PACKED, 2"})
  void mergedIsWhatIsSwitched(Form form, int threads) {
    for (String[] targets :
        List.of(
            new String[] {"q_proj", "v_proj"},
            new String[] {"k_proj", "out_proj", "fc1", "fc2", "enc_to_dec_proj", "lm_heads.2"})) {
      Path folder = temporary.resolve(form + targets[0]);
      try (Scope scope = Scope.open();
          MusicGen model = MusicGen.load(BASE, form, null, threads);
          LoraAdapter adapter = saved(model.decoder(), settings(targets), folder);
          MusicGen merged = MusicGen.load(BASE, form, adapter, threads)) {
        Tensor plain = logits(model);
        Tensor expected = logits(merged);
        assertThat(worst(plain, expected)).isGreaterThan(1e-2);
        model.decoder().adapt(adapter);
        assertThat(worst(logits(model), expected)).isLessThan(1e-5);
        model.decoder().adapt(null);
        assertThat(logits(model).toFloats()).isEqualTo(plain.toFloats());
        try (MusicGenDecoder.Adapted on = model.decoder().with(adapter)) {
          assertThat(worst(logits(model), expected)).isLessThan(1e-5);
        }
        assertThat(logits(model).toFloats()).isEqualTo(plain.toFloats());
      }
    }
  }

  @Test
  void int8RunsAnAdapterBesideItsWeights() {
    try (Scope scope = Scope.open();
        MusicGen exact = MusicGen.load(BASE, Form.PACKED);
        MusicGen rounded = MusicGen.load(BASE, Form.INT8);
        LoraAdapter adapter =
            saved(exact.decoder(), settings("q_proj", "fc2"), temporary.resolve("int8"))) {
      exact.decoder().adapt(adapter);
      rounded.decoder().adapt(adapter);
      Tensor expected = logits(exact);
      assertThat(logits(rounded).sub(expected).norm().item() / expected.norm().item())
          .isLessThan(0.06);
    }
  }

  @Test
  void gradientsReachTheAdapterAndNothingElse() {
    LoraAdapter.Settings settings = settings("q_proj", "fc1", "lm_heads.0");
    try (MusicGen model = MusicGen.load(BASE, Form.PLAIN)) {
      List<MusicGenDecoder.Module> modules =
          model.decoder().modules().stream().filter(m -> settings.aimsAt(m.name())).toList();
      // Two q_proj and one fc1 in each of three layers, and a head.
      assertThat(modules).hasSize(3 * 3 + 1);
      try (ParameterStore store = store(modules, 3, Initializer.zeros());
          Scope scope = Scope.open();
          Safetensors file = Safetensors.open(BASE.resolve("parity.safetensors"))) {
        LoraAdapter adapter =
            LoraAdapter.over(
                settings, modules.stream().map(MusicGenDecoder.Module::name).toList(), store::get);
        Tensor tokens = file.tensor("in.decoder_input_ids").reshape(3, 4, 7);
        try (MusicGenDecoder.Adapted on = model.decoder().with(adapter)) {
          var text =
              model.encode(file.tensor("in.input_ids"), file.tensor("in.attention_mask"), false);
          Tensor scores = model.decoder().logits(tokens, text);
          // B is zero at first: nothing changes, and only B can learn.
          assertThat(worst(scores, file.tensor("out.logits").reshape(3, 4, 7, 40)))
              .isLessThan(1e-5);
          scores.square().mean().backward();
        }
        for (MusicGenDecoder.Module module : modules) {
          assertThat(store.get(LoraAdapter.upName(module.name())).grad().norm().item())
              .as(module.name())
              .isPositive();
          assertThat(store.get(LoraAdapter.downName(module.name())).grad().norm().item()).isZero();
        }
      }
    }
  }

  /** Ranks differ by module, and the scale is that of rsLoRA. */
  @Test
  void readsWhatPythonWrote() throws Exception {
    Path folder = TextTokensTest.golden().resolve("adapter");
    try (Scope scope = Scope.open();
        LoraAdapter adapter = LoraAdapter.load(folder);
        MusicGen model = MusicGen.load(BASE);
        MusicGen merged = MusicGen.load(BASE, Form.PACKED, adapter);
        Safetensors file = Safetensors.open(folder.resolve("expected.safetensors"))) {
      assertThat(adapter.settings().rankStabilised()).isTrue();
      Tensor expected = file.tensor("logits");
      assertThat(worst(logits(model), expected)).isGreaterThan(1e-2);
      model.decoder().adapt(adapter);
      assertThat(worst(logits(model), expected)).isLessThan(1e-5);
      assertThat(worst(logits(merged), expected)).isLessThan(1e-5);
    }
  }

  @Test
  void isWrittenAsPythonReadsIt() throws IOException {
    Path folder = temporary.resolve("written");
    try (Scope scope = Scope.open();
        MusicGen model = MusicGen.load(BASE);
        LoraAdapter adapter = saved(model.decoder(), settings("v_proj"), folder);
        Safetensors file = Safetensors.open(folder.resolve("adapter_model.safetensors"))) {
      assertThat(adapter.modules()).hasSize(6);
      String name = "base_model.model.decoder.model.decoder.layers.1.encoder_attn.v_proj";
      assertThat(file.shape(name + ".lora_A.weight")).containsExactly(3, 36);
      assertThat(file.shape(name + ".lora_B.weight")).containsExactly(36, 3);
      assertThat(file.names()).hasSize(12);
      assertThat(file.metadata()).containsEntry("note", "a test");
      assertThat(Files.readString(folder.resolve("adapter_config.json")))
          .contains("\"peft_type\" : \"LORA\"", "\"r\" : 3", "\"lora_alpha\" : 6.0");
      assertThat(adapter.settings()).isEqualTo(settings("v_proj"));
    }
  }

  @Test
  void theScaleFollowsItsRule() {
    assertThat(settings("x").scale(3)).isEqualTo(2);
    assertThat(new LoraAdapter.Settings(4, 6, true, List.of("x"), "").scale(4)).isEqualTo(3);
    assertThat(settings("q_proj").aimsAt("a.b.q_proj")).isTrue();
    assertThat(settings("q_proj").aimsAt("a.b.iq_proj")).isFalse();
  }

  @Test
  void refusesWhatIsNoPlainAdapterOfThisModel() throws IOException {
    Path folder = temporary.resolve("good");
    try (MusicGen model = MusicGen.load(BASE)) {
      saved(model.decoder(), settings("v_proj"), folder).close();
      refuses(folder, "\"bias\" : \"none\"", "\"bias\" : \"all\"", "bias");
      refuses(folder, "\"LORA\"", "\"IA3\"", "peft_type");
      refuses(folder, "\"r\" : 3", "\"r\" : 3, \"use_dora\" : true", "use_dora");
      refuses(folder, "\"r\" : 3", "\"r\" : 3, \"alpha_pattern\" : {\"a\": 1}", "alpha_pattern");
      refuses(folder, "\"r\" : 3", "\"r\" : \"x\"", "r = ");
      assertThatThrownBy(() -> LoraAdapter.load(temporary.resolve("nowhere")))
          .isInstanceOf(ModelException.class)
          .hasMessageContaining("adapter_config.json");
      try (MusicGen other = MusicGen.load(Fixtures.golden("musicgen-odd"));
          LoraAdapter adapter = LoraAdapter.load(folder)) {
        assertThatThrownBy(() -> other.decoder().adapt(adapter))
            .isInstanceOf(ModelException.class)
            .hasMessageContaining("[36, 36]");
        assertThatThrownBy(
                () -> MusicGen.load(Fixtures.golden("musicgen-odd"), Form.PACKED, adapter))
            .isInstanceOf(ModelException.class)
            .hasMessageContaining("[36, 36]");
      }
    }
  }

  private static void refuses(Path folder, String from, String to, String key) throws IOException {
    Path file = folder.resolve("adapter_config.json");
    String good = Files.readString(file);
    assertThat(good).contains(from);
    Files.writeString(file, good.replace(from, to));
    assertThatThrownBy(() -> LoraAdapter.load(folder))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining(key);
    Files.writeString(file, good);
  }
}
