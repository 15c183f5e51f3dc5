package org.descant.shards;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.TreeSet;
import org.descant.audio.AudioWriter;
import org.descant.audio.Beat;
import org.descant.audio.ChordSpan;
import org.descant.audio.MusicAnnotations;
import org.descant.audio.MusicalKey;
import org.descant.audio.Pcm;
import org.descant.audio.Section;
import org.descant.database.Database;
import org.descant.rights.Choice;
import org.descant.rights.ClearedRecording;
import org.descant.rights.ConsentWithdrawnException;
import org.descant.rights.Decision;
import org.descant.rights.DecisionContext;
import org.descant.rights.Isrc;
import org.descant.rights.Recording;
import org.descant.rights.Rights;
import org.descant.rights.Scope;
import org.descant.rights.Use;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DatasetTest {
  private static final LocalDate DAY = LocalDate.of(2026, 6, 1);
  private static final DecisionContext CONTEXT = DecisionContext.at(DAY);

  @TempDir Path home;
  private Database database;
  private Rights rights;
  private TestCatalog catalog;

  @BeforeEach
  void openRights() {
    database = Database.temporary();
    rights = Rights.open(database);
    catalog = new TestCatalog(rights);
  }

  @AfterEach
  void closeRights() {
    database.close();
  }

  private static Isrc isrc(int number) {
    return TestCatalog.isrc(number);
  }

  private Recording register(int number, Pcm pcm, boolean licensed) {
    return catalog.register(number, pcm, licensed);
  }

  private ClearedRecording cleared(int number) {
    return catalog.cleared(number);
  }

  private DatasetSource source(int number, Pcm pcm) {
    return catalog.source(number, pcm);
  }

  private Manifest write(String name, List<DatasetSource> sources, List<Refusal> refused) {
    return DatasetWriter.write(
        home.resolve(name), name, Use.TRAIN, sources, refused, rights.clearance());
  }

  @Test
  void whatWasPackedComesBackWithItsRightsAndItsMusic() throws Exception {
    Pcm stereo = ShardFileTest.noise(2, 50_000, 1);
    Pcm mono = ShardFileTest.noise(1, 30_000, 2);
    register(1, stereo, true);
    register(2, mono, true);
    var truth =
        new MusicAnnotations(
            50_000 / 44_100.0,
            120,
            MusicalKey.parse("D minor"),
            List.of(new Beat(0, 1), new Beat(0.5, 2)),
            List.of(new ChordSpan(0, 1, "D:min")),
            List.of(new Section(0, 1, "verse")));
    Path file = home.resolve("one.wav");
    AudioWriter.wav16(stereo, file);
    write(
        "demo",
        List.of(
            source(2, mono),
            new DatasetSource(
                cleared(1), file, truth, "Artist 1", List.of("folk", "duo"), "two voices")),
        List.of());

    try (var dataset = Dataset.open(home.resolve("demo"))) {
      assertThat(dataset.size()).isEqualTo(2);
      assertThat(dataset.isrc(0)).isEqualTo("QZABC2600001");
      assertThat(dataset.read(0)).isEqualTo(stereo);
      assertThat(dataset.read(1, 100, 200)).isEqualTo(mono.slice(100, 300));
      assertThat(dataset.annotations(0)).contains(truth);
      assertThat(dataset.annotations(1)).isEmpty();
      assertThat(dataset.tags(0)).containsExactly("folk", "duo");
      assertThat(dataset.text(0)).isEqualTo("two voices");
      assertThat(dataset.artist(1)).isEqualTo("Artist 2");
      assertThat(dataset.entry(0).decisionId()).isEqualTo(cleared(1).decisionId());
      assertThat(dataset.entry(0).rulesHash()).isEqualTo(cleared(1).rulesHash());
      assertThat(dataset.manifest().seconds()).isBetween(1.8, 1.82);
      dataset.verify();
    }
    try (var children = Files.list(home)) {
      assertThat(children.map(c -> c.getFileName().toString()))
          .containsExactlyInAnyOrder("demo", "one.wav");
    }
  }

  @Test
  void otherRatesAreBroughtToTheHouseRate() {
    Pcm slow = new Pcm(ShardFileTest.noise(2, 8_000, 3).channels(), 22_050);
    register(1, slow, true);
    write("demo", List.of(source(1, slow)), List.of());
    try (var dataset = Dataset.open(home.resolve("demo"))) {
      assertThat(dataset.entry(0).rate()).isEqualTo(44_100);
      assertThat(dataset.frames(0)).isEqualTo(16_000);
    }
  }

  @Test
  void soundThatWasNotClearedIsRefusedAndNothingIsLeft() {
    Pcm sound = ShardFileTest.noise(2, 1_000, 1);
    register(1, sound, true);
    assertThatThrownBy(
            () -> write("demo", List.of(source(1, ShardFileTest.noise(2, 1_000, 2))), List.of()))
        .isInstanceOf(ShardException.class)
        .hasMessageContaining("QZABC2600001")
        .hasMessageContaining("not the one that was cleared");
    assertThat(home).isEmptyDirectory();
  }

  @Test
  void aConsentThatFellSinceIsRefused() {
    Pcm sound = ShardFileTest.noise(2, 1_000, 1);
    register(1, sound, true);
    DatasetSource source = source(1, sound);
    rights.choose(new Choice("party-1", Use.TRAIN, Scope.ALL, false, LocalDate.of(2026, 1, 2)));
    assertThatThrownBy(() -> write("demo", List.of(source), List.of()))
        .isInstanceOf(ConsentWithdrawnException.class);
    assertThat(home).isEmptyDirectory();
  }

  @Test
  void theSameSoundTwiceIsRefused() {
    Pcm sound = ShardFileTest.noise(2, 1_000, 1);
    register(1, sound, true);
    register(2, sound, true);
    assertThatThrownBy(() -> write("demo", List.of(source(1, sound), source(2, sound)), List.of()))
        .isInstanceOf(ShardException.class)
        .hasMessageContaining("same sound");
  }

  @Test
  void aPermissionForAnotherUseIsRefused() {
    Pcm sound = ShardFileTest.noise(2, 1_000, 1);
    register(1, sound, true);
    ClearedRecording style = rights.clearance().clear(Use.STYLE, isrc(1), CONTEXT).orElseThrow();
    var source = new DatasetSource(style, sound, null, "Artist 1", List.of(), "");
    assertThatThrownBy(() -> write("demo", List.of(source), List.of()))
        .isInstanceOf(ShardException.class)
        .hasMessageContaining("STYLE");
  }

  @Test
  void refusedRecordingsAreListedWithTheirReasonsAndChangeTheRoot() {
    Pcm sound = ShardFileTest.noise(2, 1_000, 1);
    register(1, sound, true);
    Recording other = register(2, ShardFileTest.noise(2, 1_000, 2), false);
    Decision no = rights.clearance().decide(Use.TRAIN, isrc(2), CONTEXT);
    Manifest with = write("with", List.of(source(1, sound)), List.of(new Refusal(no, other)));
    Manifest without = write("without", List.of(source(1, sound)), List.of());
    assertThat(with.root()).isNotEqualTo(without.root());
    assertThat(with.excluded()).hasSize(1);
    assertThat(with.excluded().getFirst().isrc()).isEqualTo("QZABC2600002");
    assertThat(with.excluded().getFirst().reasons()).isNotEmpty();
    assertThat(Manifest.read(home.resolve("with"))).isEqualTo(with);
    assertThat(DatasetWriter.rootOf(Use.TRAIN, List.of(source(1, sound)), List.of()))
        .isEqualTo(without.root());
    Decision yes = rights.clearance().decide(Use.TRAIN, isrc(1), CONTEXT);
    assertThatThrownBy(() -> new Refusal(yes, "ab".repeat(32))).isInstanceOf(ShardException.class);
  }

  /** The text is written out here as the Javadoc of Manifest gives it, and hashed by hand. */
  @Test
  void theRootIsTheHashOfTheCanonicalLinesWhateverTheOrder() throws Exception {
    var numbers = new ArrayList<>(List.of(1, 2, 3, 4, 5, 6, 7));
    var sounds = new ArrayList<Pcm>();
    for (int number = 0; number <= 7; number++) {
      sounds.add(ShardFileTest.noise(1, 100, number));
      register(number, sounds.get(number), number != 0);
    }
    Decision no = rights.clearance().decide(Use.TRAIN, isrc(0), CONTEXT);
    var lines = new TreeSet<String>();
    lines.add("QZABC2600000\t-\tTRAIN\trefused\t" + no.rulesHash() + "\n");
    for (int number : numbers) {
      lines.add(
          "QZABC260000%d\t%s\tTRAIN\tallowed\t%s\n"
              .formatted(number, sounds.get(number).hash(), cleared(number).rulesHash()));
    }
    String text = "descant-dataset/1\tTRAIN\n" + String.join("", lines);
    String expected =
        HexFormat.of()
            .formatHex(
                MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8)));
    var random = new Random(1);
    for (int trial = 0; trial < 3; trial++) {
      Collections.shuffle(numbers, random);
      Manifest manifest =
          write(
              "trial-" + trial,
              numbers.stream().map(n -> source(n, sounds.get(n))).toList(),
              List.of(new Refusal(no, (String) null)));
      assertThat(manifest.root()).isEqualTo(expected);
      assertThat(manifest.id()).isEqualTo("trial-" + trial + "-" + expected.substring(0, 12));
    }
  }

  /** Fixed hashes in, a fixed root out: the root must never change with the code. */
  @Test
  void theRootNeverChanges() {
    String hash = "0123456789abcdef".repeat(4);
    String rules = "fedcba9876543210".repeat(4);
    assertThat(
            Manifest.rootOf(
                Use.TRAIN,
                List.of(new Manifest.Included("QZABC2600001", "A", hash, "d1", rules, 1, 0, 0)),
                List.of(new Manifest.Excluded("QZABC2600002", "-", "d2", rules, List.of()))))
        .isEqualTo("33cdb57617dafb5c2c26bdd9c4124db2441d67c4915f5cf265ec58b43b192c51");
  }

  @Test
  void aDatasetNeverChanges() {
    Pcm first = ShardFileTest.noise(2, 1_000, 1);
    Pcm second = ShardFileTest.noise(2, 1_000, 2);
    register(1, first, true);
    register(2, second, true);
    Manifest manifest = write("demo", List.of(source(1, first)), List.of());
    assertThat(write("demo", List.of(source(1, first)), List.of())).isEqualTo(manifest);
    assertThatThrownBy(() -> write("demo", List.of(source(2, second)), List.of()))
        .isInstanceOf(ShardException.class)
        .hasMessageContaining("another root");
  }

  @Test
  void whatAKilledWriterLeftIsRemovedByTheNext() throws Exception {
    var dead = new ProcessBuilder("true").start();
    dead.waitFor();
    Path leftover = home.resolve(".demo." + dead.pid() + ".tmp");
    Files.createDirectories(leftover);
    Files.writeString(leftover.resolve("shard-00000.dsc"), "half");
    Pcm sound = ShardFileTest.noise(2, 1_000, 1);
    register(1, sound, true);
    write("demo", List.of(source(1, sound)), List.of());
    assertThat(leftover).doesNotExist();
  }

  @Test
  void aManifestThatWasTouchedIsRefused() throws Exception {
    Pcm sound = ShardFileTest.noise(2, 1_000, 1);
    register(1, sound, true);
    Manifest manifest = write("demo", List.of(source(1, sound)), List.of());
    Path file = home.resolve("demo/manifest.json");
    String json = Files.readString(file);
    Files.writeString(
        file, json.replace(manifest.included().getFirst().rulesHash(), "ab".repeat(32)));
    assertThatThrownBy(() -> Dataset.open(home.resolve("demo")))
        .isInstanceOf(ShardException.class)
        .hasMessageContaining("root does not follow");
    Files.writeString(file, json.substring(0, json.length() / 2));
    assertThatThrownBy(() -> Dataset.open(home.resolve("demo"))).isInstanceOf(ShardException.class);
    assertThatThrownBy(() -> Dataset.open(home))
        .isInstanceOf(ShardException.class)
        .hasMessageContaining("dataset build");
  }

  @Test
  void theHeldOutAreAPureFunctionOfTheRecordingsAndOfDifferentArtists() {
    var sources = new ArrayList<DatasetSource>();
    for (int number = 1; number <= 10; number++) {
      Pcm sound = ShardFileTest.noise(1, 100, number);
      register(number, sound, true);
      sources.add(source(number, sound));
    }
    write("demo", sources, List.of());
    try (var dataset = Dataset.open(home.resolve("demo"))) {
      List<Integer> three = dataset.heldOut(3);
      assertThat(three).hasSize(3).isSorted().doesNotHaveDuplicates();
      assertThat(three.stream().map(dataset::artist)).doesNotHaveDuplicates();
      assertThat(dataset.heldOut(7)).containsAll(three);
      assertThatThrownBy(() -> dataset.heldOut(10)).isInstanceOf(ShardException.class);
    }
  }
}
