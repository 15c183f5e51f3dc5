package org.descant.models.published.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.descant.models.ModelException;
import org.descant.tensor.NativeRuntime;
import org.descant.tensor.Scope;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

public class TextTokensTest {
  @TempDir Path temporary;

  /** Our golden tokenizer and adapter, made by bench/peers/musicgen_parts.py. */
  public static Path golden() throws URISyntaxException {
    return Path.of(
        Objects.requireNonNull(TextTokensTest.class.getResource("/musicgen"), "/musicgen").toURI());
  }

  @Test
  void cutsTextAsTheReferenceDoes() throws Exception {
    TextTokens tokens = TextTokens.load(golden());
    JsonNode texts =
        JsonMapper.shared().readTree(Files.readAllBytes(golden().resolve("texts.json")));
    assertThat(texts.size()).isGreaterThan(5);
    for (JsonNode entry : texts) {
      long[] expected = entry.path("ids").valueStream().mapToLong(JsonNode::longValue).toArray();
      String text = entry.path("text").stringValue();
      assertThat(tokens.encode(text)).as("'%s'", text).containsExactly(expected);
    }
  }

  @Test
  void padsToTheLongest() throws Exception {
    NativeRuntime.init(1);
    TextTokens tokens = TextTokens.load(golden());
    try (Scope scope = Scope.open()) {
      TextTokens.Batch batch = tokens.batch(List.of("", "warm bass"));
      int width = tokens.encode("warm bass").length;
      assertThat(batch.ids().shape()).containsExactly(2, width);
      assertThat(batch.ids().select(0, 1).toLongs()).isEqualTo(tokens.encode("warm bass"));
      assertThat(batch.mask().select(0, 0).sum().itemLong()).isEqualTo(1);
      assertThat(batch.ids().select(0, 0).narrow(0, 1, width - 1L).amax().itemLong()).isZero();
    }
  }

  @Test
  void refusesOtherTokenizers() throws IOException {
    assertThat(TextTokens.isIn(temporary)).isFalse();
    assertThatThrownBy(() -> TextTokens.load(temporary))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("tokenizer.json");
    Path file = temporary.resolve("tokenizer.json");
    Files.writeString(file, "{\"model\": {\"type\": \"BPE\"}}");
    assertThatThrownBy(() -> TextTokens.load(temporary))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("model.type = \"BPE\"");
    Files.writeString(
        file, "{\"model\": {\"type\": \"Unigram\", \"unk_id\": 0, \"vocab\": [[\"a\", -1]]}}");
    assertThatThrownBy(() -> TextTokens.load(temporary))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("</s>");
    Files.writeString(file, "{\"model\": {\"type\": \"Unigram\", \"vocab\": [[1, -1]]}}");
    assertThatThrownBy(() -> TextTokens.load(temporary))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("model.vocab[0]");
  }
}
