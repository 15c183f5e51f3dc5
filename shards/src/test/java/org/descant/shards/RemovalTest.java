package org.descant.shards;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.BufferedReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;
import java.util.stream.IntStream;
import org.descant.audio.Pcm;
import org.descant.database.Database;
import org.descant.rights.DecisionContext;
import org.descant.rights.Isrc;
import org.descant.rights.Rights;
import org.descant.rights.Use;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RemovalTest {
  private static final FieldSpec ONE = new FieldSpec("codes", FieldType.U16, 4, "codec 1");
  private static final FieldSpec TWO = new FieldSpec("codes", FieldType.U16, 4, "codec 2");

  @TempDir Path home;
  private Path folder;
  private Path kept;

  @BeforeEach
  void build() {
    folder = home.resolve("datasets/demo");
    kept = home.resolve("datasets/.removed");
    try (Database database = Database.temporary()) {
      Rights rights = Rights.open(database);
      var catalog = new TestCatalog(rights);
      DatasetWriter.write(
          folder,
          "demo",
          Use.TRAIN,
          IntStream.range(0, 2)
              .mapToObj(i -> {
                Pcm sound = ShardFileTest.noise(1, 100, i);
                catalog.register(i, sound, true);
                return catalog.source(i, sound);
              })
              .toList(),
          List.of(),
          rights.clearance());
    }
    write(ONE);
    write(TWO);
  }

  private void write(FieldSpec spec) {
    try (Dataset dataset = Dataset.open(folder)) {
      var writer = new FieldWriter(dataset, spec, home.resolve("run"));
      for (int i = 0; i < dataset.size(); i++) {
        writer.put(i, new int[] {i, 1, 2, 3});
      }
      writer.finish();
    }
  }

  private List<String> fields() {
    return StoredField.in(folder).stream().map(StoredField::name).toList();
  }

  @Test
  void fieldsAreListedWithoutTheDatasetAndADamagedOneIsNotGuessedAt() throws Exception {
    List<StoredField> stored = StoredField.in(folder);
    assertThat(stored).extracting(StoredField::spec).containsExactlyInAnyOrder(ONE, TWO);
    Path file = FieldFile.pathOf(folder, ONE.name());
    assertThat(stored)
        .filteredOn(field -> field.name().equals(ONE.name()))
        .extracting(StoredField::bytes)
        .containsExactly(Files.size(file));
    Files.writeString(file, "no field");
    assertThat(StoredField.in(folder))
        .filteredOn(field -> field.name().equals(ONE.name()))
        .extracting(StoredField::spec)
        .containsExactly((FieldSpec) null);
  }

  @Test
  void aFieldIsRemovedWholeAndAnotherStaysAndItIsMadeAgainAlike() throws Exception {
    Path file = FieldFile.pathOf(folder, ONE.name());
    byte[] bytes = Files.readAllBytes(file);
    assertThat(Removal.field(folder, ONE.name())).hasValue(bytes.length);
    assertThat(fields()).containsExactly(TWO.name());
    assertThat(file.getParent().toFile().list()).hasSize(1);
    assertThatThrownBy(() -> Removal.field(folder, ONE.name())).isInstanceOf(ShardException.class);
    write(ONE);
    assertThat(file).hasBinaryContent(bytes);
  }

  @Test
  void whatThisProcessReadsStaysUntilItsLastReaderHasClosed() {
    try (Dataset dataset = Dataset.open(folder)) {
      FieldFile first = dataset.field(ONE);
      FieldFile second = dataset.field(ONE);
      assertThat(Removal.field(folder, ONE.name())).isEmpty();
      first.close();
      assertThat(Removal.isRead(folder, ONE.name())).isTrue();
      assertThat(Removal.field(folder, TWO.name())).isPresent();
      assertThat(second.ints(1, 0, 1)).containsExactly(1, 1, 2, 3);
      assertThat(Removal.dataset(folder, kept)).isEmpty();
      second.close();
      assertThat(Removal.isRead(folder, ONE.name())).isFalse();
      assertThat(Removal.field(folder, ONE.name())).isPresent();
    }
    assertThat(Removal.dataset(folder, kept)).isPresent();
  }

  /** Reads until its input ends. */
  static final class Reader {
    private Reader() {}

    public static void main(String[] arguments) throws Exception {
      try (Dataset dataset = Dataset.open(Path.of(arguments[0]));
          FieldFile field = dataset.field(ONE)) {
        System.out.println(field.rows(0));
        System.in.read();
      }
    }
  }

  @Test
  void whatAnotherProcessReadsStaysUntilItIsKilled() throws Exception {
    Process reader =
        new ProcessBuilder(
                ProcessHandle.current().info().command().orElseThrow(),
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                Reader.class.getName(),
                folder.toString())
            .redirectError(home.resolve("errors").toFile())
            .start();
    try (BufferedReader said = reader.inputReader()) {
      assertThat(said.readLine()).as(Files.readString(home.resolve("errors"))).isEqualTo("1");
      assertThat(Removal.field(folder, ONE.name())).isEmpty();
      assertThat(Removal.dataset(folder, kept)).isEmpty();
      assertThat(Removal.field(folder, TWO.name())).isPresent();
      // Readers in this process do not take the other's claim away when they close.
      try (Dataset dataset = Dataset.open(folder);
          FieldFile field = dataset.field(ONE)) {
        assertThat(field.rows(1)).isEqualTo(1);
      }
      assertThat(Removal.field(folder, ONE.name())).isEmpty();
    } finally {
      reader.destroyForcibly().waitFor();
    }
    assertThat(Removal.field(folder, ONE.name())).isPresent();
    assertThat(Removal.dataset(folder, kept)).isPresent();
  }

  @Test
  void aProcessThatDiesWhileItRemovesLeavesNothingThatLooksWhole() throws Exception {
    Path file = FieldFile.pathOf(folder, ONE.name());
    Removal.setAside(file); // and it died
    assertThat(fields()).containsExactly(TWO.name());
    try (Dataset dataset = Dataset.open(folder)) {
      assertThat(dataset.hasField(ONE)).isFalse();
      dataset.verify();
    }
    write(ONE); // a run makes it again meanwhile
    Removal.setAside(file); // and it died again
    assertThat(Removal.field(folder, TWO.name())).isPresent();
    assertThat(file.getParent()).isEmptyDirectory();

    Removal.setAside(folder); // and it died before the first file was deleted
    assertThatThrownBy(() -> Dataset.open(folder)).isInstanceOf(ShardException.class);
    Path aside = folder.resolveSibling(".demo.removing");
    Files.delete(aside.resolve("shard-00000.dsc")); // or in the middle
    build();
    assertThat(aside).exists();
    Removal.finish(home.resolve("datasets"));
    assertThat(home.resolve("datasets").toFile().list()).containsExactly("demo");
    try (Dataset dataset = Dataset.open(folder)) {
      dataset.verify();
    }
  }

  @Test
  void aDatasetLeavesItsManifestAndItsWithdrawals() throws Exception {
    Manifest manifest = Manifest.read(folder);
    String isrc = manifest.included().getFirst().isrc();
    try (Database database = Database.temporary()) {
      Rights rights = Rights.open(database);
      var catalog = new TestCatalog(rights);
      catalog.register(0, ShardFileTest.noise(1, 100, 0), false);
      Dataset.withdraw(
          folder, rights.clearance().decide(Use.TRAIN, Isrc.of(isrc), DecisionContext.today()));
    }
    List<Tombstone> withdrawn = Dataset.withdrawals(folder);
    OptionalLong freed = Removal.dataset(folder, kept);
    assertThat(freed.orElseThrow()).isGreaterThan(manifest.shards().getFirst().bytes());
    assertThat(folder).doesNotExist();
    Path left = kept.resolve(manifest.id());
    assertThat(Manifest.read(left)).isEqualTo(manifest);
    assertThat(Dataset.withdrawals(left)).isEqualTo(withdrawn).hasSize(1);

    build(); // and removed again, without the withdrawal
    assertThat(Manifest.read(folder).root()).isEqualTo(manifest.root());
    Removal.dataset(folder, kept);
    assertThat(Dataset.withdrawals(left)).isEqualTo(withdrawn);
  }
}
