package org.descant.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.descant.audio.AudioWriter;
import org.descant.audio.Pcm;
import org.descant.cli.platform.Exit;
import org.descant.cli.platform.Platform;
import org.descant.cli.platform.Steps;
import org.descant.lab.RunRecord;
import org.descant.lab.RunStatus;
import org.descant.models.ModelCard;
import org.descant.shards.Manifest;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** From a delivery to a proof that a stranger checks. */
class ProveCommandTest {
  private static final Path SHIPPED = Path.of("../models/house-demo");

  @TempDir static Path temporary;

  private static Path home;
  private static Path stranger;
  private static Path key;
  private static ModelCard card;

  private static Answer descant(Path home, String... arguments) {
    var all = new ArrayList<>(List.of("--home", home.toString()));
    all.addAll(List.of(arguments));
    return Answer.to(all.toArray(String[]::new));
  }

  /** Two recordings under a dedication, of which one is held out, and one without agreement. */
  private static Path delivery() throws Exception {
    Path folder = Files.createDirectory(temporary.resolve("delivery"));
    for (int n = 1; n <= 3; n++) {
      var random = new SplittableRandom(n);
      float[][] channels = new float[2][5 * 44_100];
      for (float[] channel : channels) {
        for (int i = 0; i < channel.length; i++) {
          channel[i] = random.nextInt(-8000, 8000) / 32768f;
        }
      }
      AudioWriter.wav16(new Pcm(channels, 44_100), folder.resolve(n + ".wav"));
    }
    Files.writeString(
        folder.resolve("songs.csv"),
        """
        file,artist,title,isrc,licence
        1.wav,Ann,One,QZTST2600001,CC0-1.0
        2.wav,Bea,Two,QZTST2600002,CC0-1.0
        3.wav,Cem,Three,QZTST2600003,all rights reserved
        """);
    return folder;
  }

  /** A model's folder whose card names this dataset. */
  private static ModelCard model(Path folder, String name, String digits, String root)
      throws Exception {
    ModelCard shipped = ModelCard.read(SHIPPED);
    var recordings =
        List.of(
            new ModelCard.TrainedOn(
                "QZTST2600001", "One", "Ann", List.of(), 0, "", false, List.of()),
            new ModelCard.TrainedOn(
                "QZTST2600002", "Two", "Bea", List.of(), 0, "", true, List.of()));
    var card =
        new ModelCard(
            "sha256:" + digits.repeat(32),
            name,
            shipped.licence(),
            shipped.recipe(),
            shipped.recipeHash(),
            root,
            recordings,
            shipped.training(),
            shipped.evaluation(),
            null,
            shipped.codec(),
            shipped.languageModel(),
            shipped.flow());
    card.write(Files.createDirectories(folder));
    return card;
  }

  private static RunRecord run(ModelCard card) {
    return new RunRecord(
        RunRecord.VERSION,
        "small",
        card.recipe(),
        card.recipeHash(),
        Map.of(),
        "small",
        card.datasetRoot(),
        1,
        "ef".repeat(32),
        Map.of(),
        "some CPU",
        1,
        RunStatus.FINISHED,
        Instant.parse("2026-01-02T03:04:05Z"),
        null,
        3,
        3,
        Map.of());
  }

  @BeforeAll
  static void aHouse() throws Exception {
    home = temporary.resolve("home");
    stranger = temporary.resolve("stranger");
    key = temporary.resolve("log.key");
    Answer imported = descant(home, "catalog", "import", delivery().toString());
    assertThat(imported.status()).as(imported.out() + imported.err()).isZero();
    Answer built = descant(home, "dataset", "build", "small");
    assertThat(built.status()).as(built.out() + built.err()).isZero();
    String root = Manifest.read(Steps.dataset(home, "small")).root();
    model(home.resolve("models/stray"), "stray", "77", root);
    card = model(home.resolve("models/small"), "small", "5a", root);
    try (Platform platform = Platform.open(home)) {
      assertThat(platform.log().checkpoint().size()).as("the dataset's root and tree").isEqualTo(2);
      Steps.recordRun(platform, run(card), card);
      Files.writeString(key, platform.log().verifierKey() + "\n");
    }
  }

  private static Answer prove(String recording, String... more) {
    var arguments = new ArrayList<>(List.of("prove", "--recording", recording, "--model", "small"));
    arguments.addAll(List.of(more));
    return descant(home, arguments.toArray(String[]::new));
  }

  /** What the stranger, who has the file and the key and an empty home, is told. */
  private static JsonNode verified(Path file) {
    Answer answer =
        descant(stranger, "verify", file.toString(), "--log-key", key.toString(), "--json");
    assertThat(answer.status()).as(answer.out() + answer.err()).isZero();
    assertThat(stranger).doesNotExist();
    assertThat(answer.json().get("dataset").stringValue()).isEqualTo(card.datasetRoot());
    assertThat(answer.json().get("model").stringValue()).isEqualTo(card.id());
    return answer.json();
  }

  @Test
  void aStrangerLearnsWhatIsInTheDataset() {
    Path file = temporary.resolve("held-out.proof");
    Answer proven = prove("QZTST2600002", "--out", file.toString());
    assertThat(proven.status()).as(proven.err()).isZero();
    JsonNode verified = verified(file);
    assertThat(verified.get("answer").stringValue()).isEqualTo("INCLUDED");
    assertThat(proven.out()).contains(verified.get("sentence").stringValue());
    assertThat(descant(stranger, "verify", file.toString()).out())
        .contains("the house says: It was held out")
        .contains("compare this with the key that the house publishes");
  }

  @Test
  void aStrangerLearnsThatARecordingWasRefused() {
    Path file = temporary.resolve("refused.json");
    assertThat(prove("QZTST2600003", "--list", "--out", file.toString()).status()).isZero();
    assertThat(verified(file).get("answer").stringValue()).isEqualTo("REFUSED");
    assertThat(descant(stranger, "verify", file.toString()).out())
        .contains("was refused for the dataset")
        .contains("the house says: ")
        .contains("whole list of 3 recordings");
  }

  @Test
  void theProofOfAbsenceIsTheJsonDocumentAndAChangedOneFails() throws Exception {
    Answer json = prove("QZ-TST-26-00004", "--json");
    assertThat(json.status()).as(json.err()).isZero();
    Path file = Files.writeString(temporary.resolve("absent.json"), json.out());
    assertThat(verified(file).get("answer").stringValue()).isEqualTo("ABSENT");
    byte[] proof = Files.readAllBytes(file);
    for (int at = 0; at < proof.length; at += 211) {
      byte[] changed = proof.clone();
      changed[at] ^= 1;
      Files.write(file, changed);
      Answer answer = descant(stranger, "verify", file.toString());
      assertThat(answer.status()).as("byte %d: %s", at, answer.out()).isEqualTo(Exit.REFUSED);
      assertThat(answer.out().lines()).hasSize(1).allMatch(line -> line.contains("does not hold"));
    }
  }

  @Test
  void badInputIsOneSentenceAndStatusTwo() throws Exception {
    Path file = Files.writeString(temporary.resolve("no-key"), "no key");
    List<List<String>> wrong =
        List.of(
            List.of("prove", "--recording", "no-isrc", "--model", "small"),
            List.of("prove", "--recording", "QZTST2600001", "--model", "nothing"),
            List.of("prove", "--recording", "QZTST2600001", "--model", "stray"),
            List.of("prove", "--recording", "QZTST2600001"),
            List.of("prove", "--recording", "QZTST2600001", "--model", SHIPPED.toString()),
            List.of("verify", file.toString(), "--log-key", file.toString()),
            List.of("verify", file.toString(), "--log-key", file + ".not"));
    for (List<String> command : wrong) {
      Answer answer = descant(home, command.toArray(String[]::new));
      assertThat(answer.status()).as(command + answer.err()).isEqualTo(Exit.BAD_INPUT);
      assertThat(answer.err().lines().filter(line -> line.startsWith("descant: "))).hasSize(1);
      assertThat(answer.err()).doesNotContain("Something broke");
    }
  }
}
