package org.descant.provenance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** What the reference implementation of C2PA says about our files. */
class ReferenceValidatorTest {
  private static final Path SCRIPT = Path.of("src/test/js/validate.mjs").toAbsolutePath();
  private static final int FLIPS = 300;

  /**
   * Nearly all are flags and type fields of box descriptions, which the reference does not read.
   */
  private static final int UNNOTICED_MAX = FLIPS / 10;

  private static final JsonMapper JSON = new JsonMapper();

  @TempDir Path folder;

  @Test
  void theReferenceValidatorAcceptsOurFilesAndNoticesChanges() throws Exception {
    assumeReference();
    SigningKey key = SigningKey.loadOrCreate(folder);
    var credential = new ContentCredential(key);
    Path even = folder.resolve("even.wav");
    Path odd = folder.resolve("odd.wav");
    Path flac = folder.resolve("a.flac");
    credential.signWav(TestSound.wav(folder.resolve("1"), 20_000), even, TestSound.FACTS);
    credential.signWav(TestSound.wav(folder.resolve("2"), 20_001), odd, TestSound.FACTS);
    credential.signFlac(TestSound.flac(folder.resolve("3")), flac, TestSound.FACTS);
    long from = storeStart(even);
    byte[] bytes = Files.readAllBytes(even);
    bytes[5_000] ^= 1;
    Path changed = Files.write(folder.resolve("changed.wav"), bytes);

    List<JsonNode> answers =
        ask(
            question(even, "audio/wav", Map.of()),
            question(even, "audio/wav", Map.of("anchors", key.rootPem())),
            question(odd, "audio/wav", Map.of("anchors", key.rootPem())),
            question(flac, "audio/flac", Map.of("anchors", key.rootPem())),
            question(changed, "audio/wav", Map.of("anchors", key.rootPem())),
            question(even, "audio/wav", Map.of("flips", flips(from, bytes.length))),
            question(even, "audio/wav", Map.of("flips", flips(0, from))));

    assertThat(answers.stream().map(answer -> answer.path("state").asString()))
        .containsExactly("Valid", "Trusted", "Trusted", "Trusted", "Invalid", "Valid", "Valid");
    assertThat(answers.get(0).path("codes")).isEmpty();
    assertThat(answers.get(4).path("codes").toString()).contains("assertion.dataHash.mismatch");
    assertThat(answers.get(0).path("title").asString()).isEqualTo(TestSound.FACTS.title());
    assertThat(answers.get(0).path("ingredients").toString())
        .isEqualTo("[\"house-demo\",\"Front Porch Rag\",\"Lantern\",\"prompt\"]");
    assertThat(answers.get(0).path("actions").path(0).path("digitalSourceType").asString())
        .isEqualTo(Manifest.TRAINED_ALGORITHMIC_MEDIA);

    int unnoticed = answers.get(5).path("unnoticed").size();
    System.out.printf(
        "reference validator: %d of %d bit flips in the credential and %d of %d in the sound"
            + " unnoticed%n",
        unnoticed, FLIPS, answers.get(6).path("unnoticed").size(), FLIPS);
    assertThat(unnoticed).isLessThan(UNNOTICED_MAX);
    assertThat(answers.get(6).path("unnoticed")).isEmpty();
  }

  @Test
  void weAcceptWhatTheReferenceWritesAndNoticeChanges() throws Exception {
    assumeReference();
    SigningKey key = SigningKey.loadOrCreate(folder);
    Path plain = TestSound.wav(folder.resolve("plain.wav"), 20_001);
    Map<Path, String> sources =
        Map.of(plain, "audio/wav", TestSound.flac(folder.resolve("plain.flac")), "audio/flac");
    for (var source : sources.entrySet()) {
      Path signed = folder.resolve("signed-" + source.getKey().getFileName());
      Process node =
          new ProcessBuilder(
                  "node",
                  SCRIPT.resolveSibling("write.mjs").toString(),
                  folder.resolve("keys/signing.pem").toString(),
                  source.getValue(),
                  source.getKey().toString(),
                  signed.toString())
              .inheritIO()
              .start();
      assertThat(node.waitFor()).isZero();
      CredentialReport report = ContentCredential.verify(signed, key.root());
      assertThat(report.problems()).isEmpty();
      assertThat(report.state()).isEqualTo(CredentialReport.State.TRUSTED);
      assertThat(report.credential().title()).isEqualTo("Recorded elsewhere");
      assertThat(report.credential().generator()).isEqualTo("other");
      assertThat(report.credential().clipId()).isNull();

      byte[] bytes = Files.readAllBytes(signed);
      bytes[source.getValue().equals("audio/wav") ? 5_000 : bytes.length - 9] ^= 4;
      assertThat(ContentCredential.verify(Files.write(signed, bytes)).state())
          .isEqualTo(CredentialReport.State.INVALID);
    }
  }

  private static void assumeReference() throws InterruptedException {
    assumeTrue(
        Files.isDirectory(SCRIPT.resolveSibling("node_modules")),
        "skipped: run npm ci in provenance/src/test/js to judge credentials by the reference");
    assumeTrue(hasNode(), "skipped: install Node 20 to judge credentials by the reference");
  }

  private static Map<String, Object> flips(long from, long to) {
    return Map.of("from", from, "to", to, "count", FLIPS, "seed", 1);
  }

  private static String question(Path file, String mime, Map<String, Object> more) {
    var question = new java.util.HashMap<String, Object>(more);
    question.put("file", file.toString());
    question.put("mime", mime);
    return JSON.writeValueAsString(question);
  }

  private List<JsonNode> ask(String... questions) throws IOException, InterruptedException {
    Path in = Files.write(folder.resolve("questions"), List.of(questions));
    Path out = folder.resolve("answers");
    Process node =
        new ProcessBuilder("node", SCRIPT.toString())
            .redirectInput(in.toFile())
            .redirectOutput(out.toFile())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    assertThat(node.waitFor()).isZero();
    var answers = new ArrayList<JsonNode>();
    for (String line : Files.readAllLines(out, StandardCharsets.UTF_8)) {
      answers.add(JSON.readTree(line));
    }
    return answers;
  }

  private static boolean hasNode() throws InterruptedException {
    try {
      Process node =
          new ProcessBuilder("node", "--version")
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start();
      return node.waitFor(20, TimeUnit.SECONDS) && node.exitValue() == 0;
    } catch (IOException _) {
      return false;
    }
  }

  private static long storeStart(Path file) throws IOException, Malformed {
    try (FileChannel channel = FileChannel.open(file)) {
      return Carrier.find(channel).orElseThrow().from();
    }
  }
}
