package org.descant.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.StreamSupport;
import org.descant.audio.AudioWriter;
import org.descant.audio.Pcm;
import org.descant.cli.platform.Exit;
import org.descant.cli.platform.Platform;
import org.descant.cli.platform.Steps;
import org.descant.lab.RunFolder;
import org.descant.lab.RunRecord;
import org.descant.lab.RunStatus;
import org.descant.models.ModelCard;
import org.descant.shards.Dataset;
import org.descant.shards.FieldSpec;
import org.descant.shards.FieldType;
import org.descant.shards.FieldWriter;
import org.descant.shards.Manifest;
import org.descant.training.Trainer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** What is taken away from a dataset, and what can be proven afterwards. */
class DatasetRemovalTest {
  private static final FieldSpec CODES =
      new FieldSpec(
          "codes",
          FieldType.U16,
          1,
          "copies %s\ncodec %s on cpu\ncode x".formatted("ab".repeat(32), "cd".repeat(32)));

  @TempDir Path temporary;

  private Answer descant(String... arguments) {
    var all = new ArrayList<>(List.of("--home", home().toString()));
    all.addAll(List.of(arguments));
    return Answer.to(all.toArray(String[]::new));
  }

  private Path home() {
    return temporary.resolve("home");
  }

  private JsonNode json(int status, String... arguments) {
    var all = new ArrayList<>(List.of(arguments));
    all.add("--json");
    Answer answer = descant(all.toArray(String[]::new));
    assertThat(answer.status()).as(answer.out() + answer.err()).isEqualTo(status);
    return answer.json();
  }

  private static List<String> names(JsonNode fields) {
    return StreamSupport.stream(fields.spliterator(), false)
        .map(field -> field.get("name").stringValue())
        .toList();
  }

  /** A dataset of one recording, with codes beside it. */
  private Manifest build() throws Exception {
    Path delivery = Files.createDirectory(temporary.resolve("delivery"));
    var random = new SplittableRandom(1);
    float[][] channels = new float[2][5 * 44_100];
    for (float[] channel : channels) {
      for (int i = 0; i < channel.length; i++) {
        channel[i] = random.nextInt(-8000, 8000) / 32768f;
      }
    }
    AudioWriter.wav16(new Pcm(channels, 44_100), delivery.resolve("1.wav"));
    Files.writeString(
        delivery.resolve("songs.csv"),
        "file,artist,title,isrc,licence\n1.wav,Ann,One,QZTST2600001,CC0-1.0\n");
    json(0, "catalog", "import", delivery.toString());
    json(0, "dataset", "build", "small");
    Path folder = Steps.dataset(home(), "small");
    try (Dataset dataset = Dataset.open(folder)) {
      var writer = new FieldWriter(dataset, CODES, temporary.resolve("made"));
      writer.put(0, new int[] {1, 2, 3});
      writer.finish();
    }
    return Manifest.read(folder);
  }

  private RunRecord run(ModelCard card, RunStatus status) {
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
        status,
        Instant.parse("2026-01-02T03:04:05Z"),
        null,
        3,
        3,
        Map.of(Trainer.FIELDS, List.of(CODES.name())));
  }

  private void save(RunRecord record) {
    try (RunFolder folder = RunFolder.openForWriting(home().resolve("runs/first"))) {
      folder.save(record);
    }
  }

  private static ModelCard model(Path folder, String root) throws Exception {
    ModelCard shipped = ModelCard.read(Path.of("../models/house-demo"));
    var card =
        new ModelCard(
            "sha256:" + "5a".repeat(32),
            "small",
            shipped.licence(),
            shipped.recipe(),
            shipped.recipeHash(),
            root,
            List.of(
                new ModelCard.TrainedOn(
                    "QZTST2600001", "One", "Ann", List.of(), 0, "", false, List.of())),
            shipped.training(),
            shipped.evaluation(),
            null,
            shipped.codec(),
            shipped.languageModel(),
            shipped.flow());
    card.write(Files.createDirectories(folder));
    return card;
  }

  @Test
  void whatIsNeededStaysAndWhatWasRemovedIsStillTracedAndProven() throws Exception {
    Manifest manifest = build();
    Path model = home().resolve("models/small");
    ModelCard card = model(model, manifest.root());
    try (Platform platform = Platform.open(home())) {
      Steps.recordRun(platform, run(card, RunStatus.FINISHED), card);
    }

    // An unfinished run keeps its codes and the sound.
    save(run(card, RunStatus.STOPPED));
    JsonNode shown = json(0, "dataset", "show", "small").get("fields").get(0);
    assertThat(shown.get("name").stringValue()).isEqualTo(CODES.name());
    assertThat(shown.get("codec").stringValue()).isEqualTo("cd".repeat(32));
    assertThat(shown.get("copies").stringValue()).isEqualTo("ab".repeat(32));
    assertThat(shown.get("bytes").longValue()).isPositive();
    assertThat(shown.get("runs").get(0).get("name").stringValue()).isEqualTo("first");
    JsonNode pruned = json(0, "dataset", "prune", "small");
    assertThat(names(pruned.get("kept"))).containsExactly(CODES.name());
    assertThat(pruned.get("freedBytes").longValue()).isZero();
    JsonNode refused = json(Exit.REFUSED, "dataset", "rm", "small");
    assertThat(refused.get("reasons").toString())
        .contains("Run first has not ended (STOPPED)")
        .contains("models/small needs it");

    // A finished one names its codes and does not need them; it is replayed from the sound.
    save(run(card, RunStatus.FINISHED));
    JsonNode dry = json(0, "dataset", "prune", "small", "--dry-run");
    assertThat(names(dry.get("removed"))).containsExactly(CODES.name());
    assertThat(descant("dataset", "prune", "small").out())
        .contains("removed " + CODES.name(), "0 of 1 fields kept");
    assertThat(json(0, "dataset", "show", "small").get("fields")).isEmpty();
    assertThat(json(Exit.REFUSED, "dataset", "rm", "small").get("reasons").toString())
        .contains("Run first needs it to be replayed");
    assertThat(Steps.dataset(home(), "small")).exists();

    // Run and model leave the home; the sound may go, and the proof still holds.
    String[] prove = {
      "prove", "--recording", "QZTST2600001", "--model", temporary.resolve("elsewhere").toString()
    };
    Files.move(model, temporary.resolve("elsewhere"));
    Files.move(home().resolve("runs/first"), temporary.resolve("first"));
    JsonNode before = json(0, prove);
    JsonNode thread = json(0, "trace", card.id());
    JsonNode removed = json(0, "dataset", "rm", "small");
    assertThat(removed.get("freedBytes").longValue())
        .isGreaterThan(manifest.shards().getFirst().bytes());
    assertThat(Steps.datasets(home()).resolve(manifest.id())).doesNotExist();
    assertThat(json(0, prove)).isEqualTo(before);
    assertThat(json(0, "trace", card.id())).isEqualTo(thread);
    assertThat(json(0, "dataset", "ls").get(0).get("removed").booleanValue()).isTrue();
    assertThat(json(0, "dataset", "show", "small").get("root").stringValue())
        .isEqualTo(manifest.root());
    for (String command : List.of("verify", "prune", "rm")) {
      Answer answer = descant("dataset", command, "small");
      assertThat(answer.status()).as(command).isEqualTo(Exit.BAD_INPUT);
      assertThat(answer.err()).contains("was removed, its manifest was kept; build it again");
    }

    // And it can be built again, with the same root.
    assertThat(json(0, "dataset", "build", "small").get("root").stringValue())
        .isEqualTo(manifest.root());
    assertThat(json(0, "dataset", "verify", "small").get("whole").booleanValue()).isTrue();
    assertThat(json(0, "dataset", "ls")).hasSize(1);
  }
}
