package org.descant.evaluation.release;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.descant.audio.AudioFile;
import org.descant.audio.AudioWriter;
import org.descant.audio.Pcm;
import org.descant.database.Database;
import org.descant.engine.Engine;
import org.descant.evaluation.EvaluationException;
import org.descant.evaluation.EvaluationReport;
import org.descant.evaluation.ModelEvaluation;
import org.descant.evaluation.Small;
import org.descant.evaluation.release.ReleaseRecord.Example;
import org.descant.evaluation.release.ReleaseRecord.Figure;
import org.descant.evaluation.release.ReleaseRecord.FileEntry;
import org.descant.lab.MetricLine;
import org.descant.lab.RunFolder;
import org.descant.lab.RunRecord;
import org.descant.lab.RunStatus;
import org.descant.models.HouseModel;
import org.descant.models.ModelCard;
import org.descant.models.ModelException;
import org.descant.rights.Rights;
import org.descant.shards.Dataset;
import org.descant.training.recipe.RecipeText;
import org.descant.training.recipe.Recipes;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelReleaseTest {
  @TempDir static Path shared;
  private static Database database;
  private static Rights rights;
  private static Dataset dataset;
  private static Path model;
  private static EvaluationReport report;
  private static ReleaseRecord record;
  private static Path release;

  @TempDir Path folder;

  @BeforeAll
  static void evaluateOnce() {
    database = Database.temporary();
    rights = Rights.open(database);
    dataset = Dataset.open(Small.dataset(rights, shared.resolve("dataset"), 4, 0));
    model = shared.resolve("model");
    Small.model(model, dataset, 1);
    report = ModelEvaluation.run(model, dataset, options(), shared.resolve("work"), line -> {});
    release = model.resolve("release");
    record = ModelRelease.write(request(model, release, true), dataset, line -> {});
  }

  @AfterAll
  static void close() {
    dataset.close();
    database.close();
  }

  private static ModelEvaluation.Options options() {
    return ModelEvaluation.Options.full(1, "./descant evaluate small")
        .only(EnumSet.copyOf(ModelRelease.PARTS))
        .sized(2, 3);
  }

  private static ModelRelease.Request request(Path modelFolder, Path out, boolean full) {
    return new ModelRelease.Request(
        "small",
        modelFolder,
        out,
        full,
        report,
        options(),
        3,
        ModelReleaseTest::letOut,
        rights,
        shared.resolve("runs"),
        0.3);
  }

  private static Path letOut(Pcm sound, Path into, String name) {
    Path file = into.resolve(name + ".study.flac");
    AudioWriter.flac(sound, file);
    return file;
  }

  private Path copyOfModel() throws IOException {
    Path copy = folder.resolve("model");
    try (Stream<Path> all = Files.walk(model)) {
      for (Path path : all.toList()) {
        Files.copy(path, copy.resolve(model.relativize(path).toString()));
      }
    }
    return copy;
  }

  private static void flip(Path file) throws IOException {
    byte[] bytes = Files.readAllBytes(file);
    bytes[bytes.length - 1] ^= 1;
    Files.write(file, bytes);
  }

  @Test
  void everyParentAndEveryFileIsInTheRecordByItsHash() {
    assertThat(record.faults(release, model)).isEmpty();
    ReleaseRecord read = ReleaseRecord.read(release);
    assertThat(read.toJson()).isEqualTo(record.toJson());
    assertThat("sha256:" + read.parents().weights()).isEqualTo(ModelCard.read(model).id());
    assertThat(read.parents().datasetRoot()).isEqualTo(dataset.manifest().root());
    assertThat(read.parents().evaluatedByCode()).matches("[0-9a-f]{64}");
    assertThat(read.files())
        .extracting(FileEntry::path)
        .contains("card.md", "index.html", "spectrograms.png")
        .hasSize(3 + 3 + 2);
    assertThat(Hashes.files(release)).hasSize(3 + 3 + 2 + 1);
  }

  @Test
  void everyExampleIsTheFileThatItsEntryNames() {
    assertThat(record.examples()).hasSize(3);
    for (Example example : record.examples()) {
      Path file = release.resolve(example.file());
      assertThat(Hashes.of(file)).isEqualTo(example.sha256());
      assertThat(AudioFile.decode(file).seconds()).isCloseTo(3, within(1e-3));
      assertThat(example.command())
          .contains("--seed " + example.request().seed(), "--model small", "--tempo");
      assertThat(example.shareRule()).isEqualTo("equal-share");
      assertThat(example.credits()).extracting(ReleaseRecord.Person::name).contains("Somebody");
      assertThat(example.credits().stream().mapToDouble(ReleaseRecord.Person::share).sum())
          .isCloseTo(1, within(1e-9));
    }
    assertThat(record.examples()).extracting(e -> e.request().seed()).doesNotHaveDuplicates();
  }

  @Test
  void anExampleIsWhatTheEngineMakesOfItsRequest() {
    Example example = record.examples().getFirst();
    var request = ExampleRequests.of(ModelCard.read(model), 3, 3, example.request().seed());
    try (Engine engine = Engine.open(model, 1)) {
      Pcm again = engine.generate(request.getFirst().request(), chunk -> {}, () -> false).audio();
      Path file = letOut(again, folder, "again");
      assertThat(file).hasSameBinaryContentAs(release.resolve(example.file()));
    }
  }

  @Test
  void everyFigureHasItsSampleItsCommandAndWhatItIsComparedWith() {
    assertThat(record.figures()).hasSizeGreaterThan(40);
    List<String> names = record.figures().stream().map(Figure::name).toList();
    for (Figure figure : record.figures()) {
      assertThat(figure.sample()).as(figure.name()).isNotBlank();
      assertThat(figure.command()).as(figure.name()).startsWith("./descant");
      assertThat(names).as(figure.name()).containsAll(figure.beside());
      assertThat(figure.name()).doesNotContain("TimesRealTime");
    }
    assertThat(record.figure("control.tempo").orElseThrow())
        .satisfies(
            f -> assertThat(f.seed()).isEqualTo(1),
            f ->
                assertThat(f.beside())
                    .contains("control.shuffled.tempo", "estimators.heldOut.tempo"),
            f -> assertThat(f.sample()).isEqualTo("2 generations of 3.0 s"));
    assertThat(record.figure("frechet.generatedToTrained").orElseThrow().beside())
        .containsExactly("frechet.heldOutToTrained");
    assertThat(record.clock().speeds()).containsKey("codec.decodeTimesRealTime");
  }

  @Test
  void theThresholdsStandBesideTheirNullAndWhatTheyFind() {
    ReleaseRecord.Memorisation memorisation = record.memorisation();
    assertThat(memorisation.comparedWith()).isEqualTo(3);
    for (ReleaseRecord.Judgement judged :
        List.of(memorisation.sound(), memorisation.tokenRun(), memorisation.tokenNgrams())) {
      assertThat(judged.clips()).isEqualTo(2);
      assertThat(judged.heldOut().samples()).isEqualTo(1);
      assertThat(judged.planted()).isEqualTo(3);
      assertThat(judged.probability()).isIn(0.5, 1.0);
      assertThat(judged.copies()).isLessThanOrEqualTo(judged.clips());
    }
    assertThat(memorisation.sound().threshold()).isEqualTo(3);
    assertThat(memorisation.tokenRun().threshold()).isEqualTo(1);
    assertThat(memorisation.tokenNgrams().threshold())
        .isGreaterThanOrEqualTo(memorisation.tokenNgrams().heldOut().largest());
    assertThat(memorisation.rows().planted())
        .allSatisfy(row -> assertThat(row.ngramShares()).hasSize(3));
  }

  @Test
  void aFlippedByteIsFoundAndOtherWeightsAreNotEvaluated() throws Exception {
    Path copy = copyOfModel();
    Path there = copy.resolve("release");
    Path example = there.resolve(record.examples().getFirst().file());
    flip(example);
    Files.writeString(there.resolve("more.txt"), "more");
    Files.delete(there.resolve("spectrograms.png"));
    assertThat(record.faults(there, copy))
        .hasSize(3)
        .anyMatch(fault -> fault.contains(example.getFileName() + " is not the file"))
        .anyMatch(fault -> fault.contains("more.txt is not in the record"))
        .anyMatch(fault -> fault.contains("spectrograms.png is missing"));

    flip(copy.resolve(HouseModel.WEIGHTS));
    assertThat(record.faults(there, copy)).anyMatch(f -> f.contains(HouseModel.WEIGHTS));
    assertThatThrownBy(
            () -> ModelEvaluation.run(copy, dataset, options(), folder.resolve("w"), line -> {}))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("fetch the model again");
    assertThatThrownBy(
            () -> ModelRelease.write(request(copy, folder.resolve("r"), true), dataset, line -> {}))
        .isInstanceOf(ModelException.class);
    assertThat(Files.list(folder).map(path -> path.getFileName().toString()))
        .as("nothing half-written is left")
        .doesNotContain("r")
        .noneMatch(name -> name.startsWith("."));
  }

  @Test
  void theSameEvaluationGivesTheSameFolderApartFromTheClock() throws Exception {
    Path other = folder.resolve("again");
    ReleaseRecord again = ModelRelease.write(request(model, other, true), dataset, line -> {});
    assertThat(timeless(again)).isEqualTo(timeless(record));
    for (FileEntry entry : record.files()) {
      Path here = release.resolve(entry.path());
      Path there = other.resolve(entry.path());
      if (entry.path().equals("card.md") || entry.path().equals("index.html")) {
        assertThat(beforeTheClock(there)).isEqualTo(beforeTheClock(here)).isNotBlank();
      } else {
        assertThat(there).hasSameBinaryContentAs(here);
      }
    }
    // In its own place too.
    ModelRelease.write(request(model, other, true), dataset, line -> {});
    assertThat(ReleaseRecord.read(other).faults(other, model)).isEmpty();
  }

  private static String timeless(ReleaseRecord one) {
    String json =
        one.withFiles(
                one.files().stream()
                    .filter(file -> !file.path().equals("card.md"))
                    .filter(file -> !file.path().equals("index.html"))
                    .toList())
            .toJson();
    return json.substring(0, json.indexOf("\"clock\""));
  }

  private static String beforeTheClock(Path file) throws IOException {
    String text = Files.readString(file);
    return text.substring(0, text.indexOf("On the clock"));
  }

  @Test
  void aQuickLookDoesNotReplaceAFullReleaseNorAnythingElse() throws Exception {
    ModelCard card = ModelCard.read(model);
    assertThatThrownBy(() -> ModelRelease.requireFree(release, card, false))
        .isInstanceOf(EvaluationException.class)
        .hasMessageContaining("name another folder with --out");
    ModelRelease.requireFree(release, card, true);
    ModelRelease.requireFree(folder.resolve("new"), card, false);
    Files.writeString(folder.resolve("letter.txt"), "dear");
    assertThatThrownBy(() -> ModelRelease.requireFree(folder, card, true))
        .hasMessageContaining("is no release");
  }

  @Test
  void theCardAndThePageTellNumbersPeopleAndLimits() throws Exception {
    String card = Files.readString(release.resolve("card.md"));
    String page = Files.readString(release.resolve("index.html"));
    assertThat(card)
        .contains("## What it learned from", "3 recordings", "1 agreements of 1 parties")
        .contains("## What these figures do not say", "Somebody", "## Make it again")
        .contains("its folder is not in this home", "cannot be drawn");
    assertThat(page).contains("<audio controls", "spectrograms.png", "Content-Security-Policy");
    assertThat(page).doesNotContain("http:", "https:", "//", "<script");
    for (Example example : record.examples()) {
      assertThat(page).contains("src=\"" + example.file() + "\"");
    }
    assertThat(card.indexOf("On the clock"))
        .as("the clock comes last")
        .isGreaterThan(card.indexOf("Who is behind it"));
  }

  @Test
  void aRunThatIsHereGivesRecipeAndCurve() throws Exception {
    Path run = folder.resolve("runs").resolve("one");
    Path in = run.resolve("model");
    ModelCard small = ModelCard.read(model);
    String hash = RecipeText.hash(Recipes.named("house-tiny"));
    Files.createDirectories(in);
    Files.copy(model.resolve(HouseModel.WEIGHTS), in.resolve(HouseModel.WEIGHTS));
    new ModelCard(
            small.id(),
            small.name(),
            small.licence(),
            "house-tiny",
            hash,
            small.datasetRoot(),
            small.recordings(),
            small.training(),
            small.evaluation(),
            null,
            small.codec(),
            small.languageModel())
        .write(in);
    try (RunFolder writing = RunFolder.openForWriting(run)) {
      writing.save(
          new RunRecord(
              RunRecord.VERSION,
              "house-tiny-1",
              "house-tiny",
              hash,
              RecipeText.toMap(Recipes.named("house-tiny")),
              "small",
              small.datasetRoot(),
              1,
              "c0de",
              Map.of(),
              "a processor",
              1,
              RunStatus.FINISHED,
              Instant.EPOCH,
              Instant.EPOCH,
              2,
              2,
              Map.of()));
      for (long step = 0; step < 3; step++) {
        writing.log(new MetricLine("lm", step, Map.of("loss", 3.0 - step, "loss0", 1.0)));
      }
    }
    List<String> lines = new ArrayList<>();
    Path out = in.resolve("release");
    ReleaseRecord withRun = ModelRelease.write(request(in, out, true), dataset, lines::add);
    assertThat(withRun.parents().run()).isNotNull();
    assertThat(withRun.parents().run().recordSha256())
        .isEqualTo(Hashes.of(run.resolve("run.json")));
    assertThat(withRun.parents().recipe().hash()).isEqualTo(hash);
    assertThat(withRun.parents().recipe().keys()).containsKeys("steps", "seed");
    assertThat(withRun.parents().recipe().from()).contains("whose hash this is");
    assertThat(withRun.curve().names()).containsExactly("lm/loss");
    assertThat(out.resolve("curve.png")).isNotEmptyFile();
    assertThat(withRun.faults(out, in)).isEmpty();
    assertThat(lines).anyMatch(line -> line.contains("s left"));
  }
}
