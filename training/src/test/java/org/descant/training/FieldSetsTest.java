package org.descant.training;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.descant.lab.RunFolder;
import org.descant.lab.RunRecord;
import org.descant.lab.RunStatus;
import org.descant.shards.Dataset;
import org.descant.shards.FieldFile;
import org.descant.shards.FieldSpec;
import org.descant.shards.FieldType;
import org.descant.shards.FieldWriter;
import org.descant.shards.StoredField;
import org.descant.training.FieldSets.FieldSet;
import org.descant.training.FieldSets.Pruned;
import org.descant.training.recipe.RecipeText;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** One home, in which one small run was trained; what follows changes its record and the fields. */
class FieldSetsTest {
  @TempDir static Path home;

  private static Path dataset;
  private static Path runs;
  private static Path run;
  private static Map<String, byte[]> made;

  @BeforeAll
  static void train() throws Exception {
    dataset = Small.dataset(home.resolve("dataset"));
    runs = home.resolve("runs");
    run = runs.resolve("first");
    train(run);
    made = bytes();
  }

  @BeforeEach
  void restoreFields() throws Exception {
    for (Map.Entry<String, byte[]> field : made.entrySet()) {
      Files.write(file(field.getKey()), field.getValue());
    }
  }

  private static Path file(String field) {
    return dataset.resolve("fields").resolve(field + ".dsf");
  }

  private static void train(Path folder) {
    try (Dataset opened = Dataset.open(dataset)) {
      RunRecord record =
          Trainer.run(
              RecipeText.withOverrides(Small.recipe(), List.of("steps=8")),
              opened,
              folder,
              Progress.NONE);
      assertThat(record.status()).isEqualTo(RunStatus.FINISHED);
    }
  }

  private static Map<String, byte[]> bytes() throws Exception {
    var bytes = new TreeMap<String, byte[]>();
    for (StoredField field : StoredField.in(dataset)) {
      bytes.put(field.name(), Files.readAllBytes(file(field.name())));
    }
    return bytes;
  }

  private static void save(Path folder, RunRecord record) {
    try (RunFolder writing = RunFolder.openForWriting(folder)) {
      writing.save(record);
    }
  }

  private static RunRecord standing(RunRecord record, RunStatus status, boolean says) {
    var facts = new TreeMap<>(record.facts());
    if (!says) {
      facts.remove(Trainer.FIELDS);
    }
    return new RunRecord(
        record.version(),
        record.id(),
        record.recipe(),
        record.recipeHash(),
        record.effectiveRecipe(),
        record.dataset(),
        record.datasetRoot(),
        record.seed(),
        record.codeTree(),
        record.libraries(),
        record.processor(),
        record.threads(),
        status,
        record.startedAt(),
        null,
        record.step(),
        record.steps(),
        facts);
  }

  private static List<String> kinds(List<Pruned> pruned, boolean removed) {
    return pruned.stream()
        .filter(each -> each.kept().isEmpty() == removed)
        .map(each -> each.set().kind())
        .sorted(Comparator.naturalOrder())
        .toList();
  }

  private static void deleteRun(Path folder) throws Exception {
    try (var tree = Files.walk(folder)) {
      for (Path path : tree.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
    }
  }

  @Test
  void whatNoUnfinishedRunNeedsIsRemovedAndMadeAgainWithTheSameBits() throws Exception {
    List<FieldSet> sets = FieldSets.of(dataset, runs);
    assertThat(sets).extracting(FieldSet::kind).containsExactly("codes", "heard", "latents");
    assertThat(sets)
        .allSatisfy(set -> {
          assertThat(set.runs()).extracting(each -> each.path()).containsExactly(run);
          assertThat(set.neededBy()).isEmpty();
          assertThat(set.bytes()).isEqualTo(made.get(set.name()).length);
        });
    assertThat(sets.get(0).codec()).hasSize(64).isEqualTo(sets.get(2).codec());
    assertThat(sets.get(0).copies()).hasSize(64);
    assertThat(sets.get(1).codec()).isEmpty();

    assertThat(kinds(FieldSets.prune(dataset, runs, true), true))
        .containsExactly("codes", "heard", "latents");
    assertThat(bytes()).as("a dry run removes nothing").hasSize(3);
    RunRecord record = RunFolder.record(run);
    assertThat(kinds(FieldSets.prune(dataset, runs, false), true))
        .containsExactly("codes", "heard", "latents");
    assertThat(bytes()).isEmpty();
    assertThat(RunFolder.record(run)).as("the record keeps its lineage").isEqualTo(record);

    Path again = runs.resolve("again");
    train(again);
    Map<String, byte[]> second = bytes();
    assertThat(second.keySet()).isEqualTo(made.keySet());
    second.forEach((name, values) -> assertThat(values).as(name).isEqualTo(made.get(name)));
    deleteRun(again);
  }

  @Test
  void anUnfinishedRunKeepsWhatItNamesOrAllWhenItNamesNothingYet() throws Exception {
    RunRecord finished = RunFolder.record(run);
    List<String> mine = StoredField.in(dataset).stream().map(StoredField::name).toList();
    var old =
        new FieldSpec(
            "codes",
            FieldType.U16,
            2,
            "copies %s\ncodec %s on cpu\ncode before".formatted("ab".repeat(32), "cd".repeat(32)));
    put(old);
    try {
      for (RunStatus status : List.of(RunStatus.RUNNING, RunStatus.STOPPED, RunStatus.FAILED)) {
        save(run, standing(finished, status, true));
        List<Pruned> pruned = FieldSets.prune(dataset, runs, true);
        assertThat(pruned)
            .filteredOn(each -> each.kept().isEmpty())
            .extracting(each -> each.set().name())
            .containsExactly(old.name());
        assertThat(pruned)
            .filteredOn(each -> !each.kept().isEmpty())
            .allSatisfy(each ->
                assertThat(each.kept())
                    .containsExactly("Run first goes on from it (%s).".formatted(status)))
            .extracting(each -> each.set().name())
            .isEqualTo(mine);
        save(run, standing(finished, status, false));
        assertThat(FieldSets.prune(dataset, runs, false))
            .hasSize(4)
            .allSatisfy(each ->
                assertThat(each.kept()).singleElement().asString().contains("not said yet"));
      }
    } finally {
      save(run, finished);
    }
    FieldSets.prune(dataset, runs, false);
    assertThat(StoredField.in(dataset)).isEmpty();
  }

  @Test
  void whatIsReadNowAndWhatNoRunMakesStays() throws Exception {
    var byHand = new FieldSpec("captions", FieldType.TEXT, 1, "by hand");
    try (Dataset opened = Dataset.open(dataset)) {
      var writer = new FieldWriter(opened, byHand, home.resolve("made"));
      for (int i = 0; i < opened.size(); i++) {
        writer.put(i, "a caption");
      }
      writer.finish();
      FieldSpec codes =
          StoredField.in(dataset).stream()
              .map(StoredField::spec)
              .filter(spec -> spec.kind().equals("codes"))
              .findFirst()
              .orElseThrow();
      try (FieldFile reading = opened.field(codes)) {
        List<Pruned> pruned = FieldSets.prune(dataset, runs, false);
        assertThat(kinds(pruned, true)).containsExactly("heard", "latents");
        assertThat(pruned.getFirst().kept())
            .containsExactly("No run makes it again: it says that it is made by 'by hand'.");
        assertThat(pruned.get(1).kept()).containsExactly("A process reads it now.");
        assertThat(reading.rows(0)).isPositive();
      }
    }
    assertThat(kinds(FieldSets.prune(dataset, runs, false), true)).containsExactly("codes");
    assertThat(StoredField.in(dataset)).extracting(StoredField::spec).containsExactly(byHand);
    Files.delete(file(byHand.name()));
  }

  private static void put(FieldSpec spec) {
    try (Dataset opened = Dataset.open(dataset)) {
      var writer = new FieldWriter(opened, spec, home.resolve("made"));
      for (int i = 0; i < opened.size(); i++) {
        writer.put(i, new int[] {1, 2});
      }
      writer.finish();
    }
  }
}
