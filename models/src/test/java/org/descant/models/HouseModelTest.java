package org.descant.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeMap;
import org.descant.models.codec.CodecConfig;
import org.descant.models.codec.MagnitudeCodec;
import org.descant.models.flow.FlowConfig;
import org.descant.models.flow.FlowModel;
import org.descant.models.lm.TokenLm;
import org.descant.models.lm.TokenLmConfig;
import org.descant.tensor.Scope;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HouseModelTest {
  private static final CodecConfig CODEC = new CodecConfig(16, 1, 1, 2, 8, 2, 16, 4, 2);
  private static final TokenLmConfig LM = new TokenLmConfig(16, 1, 2, 2, 24, 2, 16, 16, 64);

  @TempDir Path folder;

  private static ModelCard card() {
    TreeMap<String, Object> training = new TreeMap<>();
    training.put("steps", 12);
    return new ModelCard(
        "",
        "test",
        "Apache-2.0",
        "house-tiny",
        "abc",
        "sha256:root",
        List.of(
            new ModelCard.TrainedOn(
                "ZZ-DSC-26-00001",
                "First",
                "Ada",
                List.of("lofi"),
                84,
                "D minor",
                false,
                List.of(0.5f, -1f))),
        training,
        new TreeMap<>(),
        null,
        CODEC,
        LM);
  }

  @Test
  void aCardFromBeforeThereWereNetworkPhasesIsOfARecoveringCodec() {
    String now = card().toJson();
    String before = now.replaceFirst(",\\s*\"phases\" : \"RECOVERED\"", "");
    assertThat(before).isNotEqualTo(now);
    assertThat(ModelCard.fromJson(before).codec()).isEqualTo(CODEC);
    String network = now.replace("\"RECOVERED\"", "\"NETWORK\"");
    assertThat(ModelCard.fromJson(network).codec())
        .isEqualTo(CODEC.with(CodecConfig.Phases.NETWORK));
  }

  @Test
  void savedLoadedAndSavedAgainIsTheSameBytes() throws IOException {
    Path first = folder.resolve("first");
    Path second = folder.resolve("second");
    try (MagnitudeCodec codec = MagnitudeCodec.create(CODEC, 1);
        TokenLm model = TokenLm.create(LM, 2)) {
      ModelCard written = HouseModel.save(first, codec, model, card());
      assertThat(written.id()).startsWith("sha256:").hasSize(71);
      try (HouseModel loaded = HouseModel.load(first);
          Scope scope = Scope.open()) {
        assertThat(loaded.card()).isEqualTo(written);
        ModelCard again = loaded.save(second, loaded.card());
        assertThat(again.id()).isEqualTo(written.id());
        float[] fresh = model.parameters().values().toFloats();
        float[] stored = loaded.languageModel().parameters().values().toFloats();
        for (int i = 0; i < fresh.length; i++) {
          assertThat(stored[i]).isCloseTo(fresh[i], within(0.01f));
        }
      }
    }
    for (String file : List.of("model.safetensors", "card.json")) {
      assertThat(first.resolve(file)).hasSameBinaryContentAs(second.resolve(file));
    }
    assertThat(Files.list(first)).hasSize(2);
  }

  @Test
  void aCardFromBeforeSpansAndMelodiesLoadsAsOneWithoutThem() throws IOException {
    try (MagnitudeCodec codec = MagnitudeCodec.create(CODEC, 1);
        TokenLm model = TokenLm.create(LM, 2)) {
      HouseModel.save(folder, codec, model, card());
    }
    Path card = folder.resolve("card.json");
    String older =
        Files.readString(card)
            .replaceAll("(\"context\" : 64),\\s+\"spans\" : false,\\s+\"melody\" : false", "$1");
    assertThat(older).doesNotContain("spans").doesNotContain("melody");
    Files.writeString(card, older);
    try (HouseModel loaded = HouseModel.load(folder)) {
      assertThat(loaded.card().languageModel()).isEqualTo(LM);
    }
    try (MagnitudeCodec codec = MagnitudeCodec.create(CODEC, 1);
        TokenLm model = TokenLm.create(LM.with(true, true), 2)) {
      HouseModel.save(folder, codec, model, card());
    }
    try (HouseModel loaded = HouseModel.load(folder)) {
      assertThat(loaded.languageModel().config()).isEqualTo(LM.with(true, true));
    }
  }

  @Test
  void aFlowModelIsSavedInTheSameFilesAndItsCardSaysWhichKindItIs() throws IOException {
    Path first = folder.resolve("first");
    Path second = folder.resolve("second");
    FlowConfig config = new FlowConfig(16, 2, 2, 24, 8, 16, 40);
    try (MagnitudeCodec codec = MagnitudeCodec.create(CODEC, 1);
        FlowModel model = FlowModel.create(config, 2)) {
      ModelCard written = HouseModel.save(first, codec, model, card());
      assertThat(written.kind()).isEqualTo("flow model");
      assertThat(written.flow()).isEqualTo(config);
      assertThat(written.toJson()).doesNotContain("languageModel");
      try (HouseModel loaded = HouseModel.load(first);
          Scope scope = Scope.open()) {
        assertThat(loaded.isFlow()).isTrue();
        assertThat(loaded.save(second, loaded.card()).id()).isEqualTo(written.id());
        float[] fresh = model.parameters().values().toFloats();
        float[] stored = loaded.flow().parameters().values().toFloats();
        for (int i = 0; i < fresh.length; i++) {
          assertThat(stored[i]).isCloseTo(fresh[i], within(0.01f));
        }
        assertThatThrownBy(loaded::languageModel)
            .isInstanceOf(ModelException.class)
            .hasMessageContaining("is a flow model");
      }
    }
    for (String file : List.of("model.safetensors", "card.json")) {
      assertThat(first.resolve(file)).hasSameBinaryContentAs(second.resolve(file));
    }
  }

  @Test
  void aCardHasOneShapeAndThoseOfOldAreTokenModels() {
    String text = card().toJson();
    assertThat(text).doesNotContain("flow");
    assertThat(ModelCard.fromJson(text).kind()).isEqualTo("token language model");
    assertThatThrownBy(() -> ModelCard.fromJson(text.replaceAll("\"languageModel\"", "\"lm\"")))
        .isInstanceOf(ModelException.class);
    ModelCard card = card();
    assertThatThrownBy(() ->
            new ModelCard(
                "",
                "test",
                "",
                "",
                "",
                "",
                List.of(),
                card.training(),
                card.evaluation(),
                null,
                CODEC,
                null,
                null))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("one only");
  }

  @Test
  void changedWeightsAreRefused() throws IOException {
    try (MagnitudeCodec codec = MagnitudeCodec.create(CODEC, 1);
        TokenLm model = TokenLm.create(LM, 2)) {
      HouseModel.save(folder, codec, model, card());
    }
    Path weights = folder.resolve(HouseModel.WEIGHTS);
    byte[] bytes = Files.readAllBytes(weights);
    bytes[bytes.length - 1] ^= 1;
    Files.write(weights, bytes);
    assertThatThrownBy(() -> HouseModel.load(folder))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("the card names");
  }

  @Test
  void aFolderWithoutACardIsRefusedInOneSentence() throws IOException {
    assertThatThrownBy(() -> HouseModel.load(folder))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("has no card.json");
    Files.writeString(folder.resolve("card.json"), "{\"format\": 1, \"card\": {\"surprise\": 3}}");
    assertThatThrownBy(() -> HouseModel.load(folder))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("cannot be read");
  }
}
