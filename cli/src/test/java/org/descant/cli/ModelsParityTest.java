package org.descant.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.descant.cli.platform.Exit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** {@code descant models parity} on the golden fixtures of {@code models}. */
class ModelsParityTest {
  private static final Path GOLDEN = Path.of("../models/src/test/resources/published");

  @TempDir Path temporary;

  private Path strict(String name) throws IOException {
    Path folder = Files.createDirectories(temporary.resolve(name));
    try (Stream<Path> files = Files.list(GOLDEN.resolve(name))) {
      for (Path file : files.toList()) {
        Files.copy(file, folder.resolve(file.getFileName().toString()));
      }
    }
    Path settings = folder.resolve("parity.json");
    Files.writeString(
        settings,
        Files.readString(settings).replace("\"relative\": 0.0001", "\"relative\": 1e-12"));
    return folder;
  }

  @Test
  void oneLinePerOutputAndZeroWhenAllAgree() {
    Answer answer =
        Answer.to(
            "models",
            "parity",
            GOLDEN.resolve("t5-plain").toString(),
            GOLDEN.resolve("dac-odd").toString());
    assertThat(answer.status()).isEqualTo(Exit.DONE);
    assertThat(answer.out().lines()).hasSize(6).allMatch(line -> line.startsWith("ok "));
    assertThat(answer.out()).contains("last_hidden_state").contains("codes@2");
  }

  @Test
  void oneWhenAnOutputIsOutside() throws IOException {
    Answer answer = Answer.to("models", "parity", strict("encodec-short").toString());
    assertThat(answer.status()).isEqualTo(Exit.REFUSED);
    assertThat(answer.out().lines().filter(line -> line.startsWith("OUTSIDE")))
        .isNotEmpty()
        .allMatch(line -> line.contains("audio@"));
  }

  @Test
  void twoWhenAFolderCannotBeRunAndTheOthersStillAnswer() {
    Answer answer =
        Answer.to(
            "models",
            "parity",
            "--json",
            temporary.toString(),
            GOLDEN.resolve("t5-gated").toString());
    assertThat(answer.status()).isEqualTo(Exit.BAD_INPUT);
    assertThat(answer.err()).contains("parity.json");
    JsonNode document = JsonMapper.shared().readTree(answer.out());
    assertThat(document.size()).isEqualTo(1);
    assertThat(document.get(0).get("output").stringValue()).isEqualTo("last_hidden_state");
    assertThat(document.get(0).get("within").booleanValue()).isTrue();
    assertThat(Answer.to("models", "parity").status()).isEqualTo(Exit.BAD_INPUT);
  }
}
