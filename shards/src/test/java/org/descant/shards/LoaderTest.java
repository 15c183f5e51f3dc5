package org.descant.shards;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.descant.audio.Pcm;
import org.descant.database.Database;
import org.descant.rights.Decision;
import org.descant.rights.Rights;
import org.descant.rights.Use;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LoaderTest {
  private static final int CLIP = 100;
  private static final int RECORDINGS = 12;

  @TempDir static Path home;
  private static Database database;
  private static Rights rights;
  private static TestCatalog catalog;
  private static final List<Pcm> SOUNDS = new ArrayList<>();

  @BeforeAll
  static void build() {
    database = Database.temporary();
    rights = Rights.open(database);
    catalog = new TestCatalog(rights);
    for (int number = 0; number < RECORDINGS; number++) {
      Pcm sound = ShardFileTest.noise(1 + number % 2, 60 + 97 * number, number);
      SOUNDS.add(sound);
      catalog.register(number, sound, true);
    }
    // Before any test takes a consent back.
    write("pcm", Packing.PCM16);
    write("flac", Packing.FLAC);
    write("withdrawn", Packing.PCM16);
    write("chain", Packing.PCM16);
    write("refusals", Packing.PCM16);
    write("open", Packing.PCM16);
  }

  private static void write(String name, Packing packing) {
    Path folder = home.resolve(name);
    DatasetWriter.write(
        folder,
        name,
        Use.TRAIN,
        IntStream.range(0, RECORDINGS).mapToObj(i -> catalog.source(i, SOUNDS.get(i))).toList(),
        List.of(),
        rights.clearance(),
        packing);
  }

  @AfterAll
  static void close() {
    database.close();
  }

  private static List<String> take(Loader<Clip> loader, int batches) {
    var taken = new ArrayList<String>();
    for (int i = 0; i < batches; i++) {
      loader.next().forEach(clip -> taken.add(describe(clip)));
    }
    return taken;
  }

  private static String describe(Clip clip) {
    return "%d/%d at %d: %s, %d"
        .formatted(
            clip.epoch(),
            clip.sample(),
            clip.from(),
            clip.pcm().hash(),
            clip.draws("pitch").nextInt());
  }

  @Test
  void everyEpochGivesEverySampleOnceFromItsOwnPlaceInTheSound() {
    for (String name : List.of("pcm", "flac")) {
      try (Dataset dataset = Dataset.open(home.resolve(name))) {
        ClipPlan plan = ClipPlan.of(dataset, 1, CLIP);
        int samples = Math.toIntExact(plan.samples());
        try (Loader<Clip> loader = Loader.start(dataset, plan, new Loader.Options(1, 1, 0, 3, 7))) {
          for (int epoch = 0; epoch < 3; epoch++) {
            boolean[] seen = new boolean[samples];
            for (int i = 0; i < samples; i++) {
              Clip clip = loader.next().getFirst();
              assertThat(clip.epoch()).isEqualTo(epoch);
              assertThat(seen[(int) clip.sample()]).isFalse();
              seen[(int) clip.sample()] = true;
              Pcm whole = SOUNDS.get(clip.recording());
              assertThat(clip.pcm())
                  .isEqualTo(whole.slice(clip.from(), clip.from() + clip.pcm().frames()));
              assertThat(clip.pcm().frames()).isEqualTo(Math.min(CLIP, whole.frames()));
            }
          }
        }
      }
    }
  }

  @Test
  void anyNumberOfWorkersAndThreadsReadOneGlobalOrder() {
    int batch = 8;
    int batches = 30; // More than two epochs.
    try (Dataset dataset = Dataset.open(home.resolve("pcm"))) {
      ClipPlan plan = ClipPlan.of(dataset, 1, CLIP);
      assertThat(plan.samples() * 2).isLessThan(batch * batches);
      List<String> one = together(dataset, plan, batch, batches, 1);
      for (int workers : new int[] {2, 4, 8}) {
        assertThat(together(dataset, plan, batch, batches, workers)).isEqualTo(one);
      }
    }
  }

  private static List<String> together(
      Dataset dataset, ClipPlan plan, int batch, int batches, int workers) {
    List<List<String>> shares = new ArrayList<>();
    for (int rank = 0; rank < workers; rank++) {
      try (Loader<Clip> loader =
          Loader.start(dataset, plan, new Loader.Options(batch, workers, rank, 1 + rank % 3, 5))) {
        shares.add(take(loader, batches));
      }
    }
    int share = batch / workers;
    var all = new ArrayList<String>();
    for (int i = 0; i < batches; i++) {
      for (List<String> taken : shares) {
        all.addAll(taken.subList(i * share, (i + 1) * share));
      }
    }
    return all;
  }

  @Test
  void aRunThatIsStoppedAnywhereGoesOnWithAnyNumberOfWorkers() {
    int batch = 4;
    try (Dataset dataset = Dataset.open(home.resolve("pcm"))) {
      ClipPlan plan = ClipPlan.of(dataset, 1, CLIP);
      List<String> unbroken;
      try (Loader<Clip> loader = Loader.start(dataset, plan, Loader.Options.of(batch))) {
        unbroken = take(loader, 50);
      }
      for (int stop = 0; stop < 50; stop += 7) {
        long kept;
        try (Loader<Clip> loader = Loader.start(dataset, plan, Loader.Options.of(batch))) {
          take(loader, stop);
          kept = loader.position();
        }
        var rest = new ArrayList<List<String>>();
        for (int rank = 0; rank < 2; rank++) {
          try (Loader<Clip> loader =
              from(dataset, plan, kept, new Loader.Options(batch, 2, rank, 2, 8))) {
            rest.add(take(loader, 50 - stop));
          }
        }
        for (int i = 0; i < 50 - stop; i++) {
          assertThat(rest.get(0).subList(2 * i, 2 * i + 2))
              .isEqualTo(unbroken.subList(4 * (stop + i), 4 * (stop + i) + 2));
          assertThat(rest.get(1).subList(2 * i, 2 * i + 2))
              .isEqualTo(unbroken.subList(4 * (stop + i) + 2, 4 * (stop + i) + 4));
        }
      }
    }
  }

  private static Loader<Clip> from(
      Dataset dataset, ClipPlan plan, long position, Loader.Options options) {
    return Loader.start(dataset, plan, i -> i, position, options, Function.identity());
  }

  /** The samples after a withdrawal are those without it, less the withdrawn: none comes twice. */
  @Test
  void aRunThatIsResumedAcrossAWithdrawalKeepsItsOrder() throws Exception {
    Path folder = home.resolve("withdrawn");
    List<String> unbroken;
    long kept;
    long samples;
    try (Dataset dataset = Dataset.open(folder)) {
      ClipPlan plan = ClipPlan.of(dataset, 1, CLIP);
      samples = plan.samples();
      try (Loader<Clip> loader = Loader.start(dataset, plan, Loader.Options.of(1))) {
        take(loader, 20);
        kept = loader.position();
        unbroken = take(loader, (int) (2 * samples - 20));
      }
    }
    Decision refusal = catalog.refuse(7);
    assertThat(refusal.allowed()).isFalse();
    String manifest = Files.readString(folder.resolve("manifest.json"));
    Tombstone tombstone = Dataset.withdraw(folder, refusal);
    assertThat(Files.readString(folder.resolve("manifest.json"))).isEqualTo(manifest);
    assertThat(tombstone.isrc()).isEqualTo("QZABC2600007");
    assertThat(tombstone.reasons()).isNotEmpty();
    assertThat(Dataset.withdraw(folder, refusal)).isEqualTo(tombstone);

    try (Dataset dataset = Dataset.open(folder)) {
      assertThat(dataset.withdrawn(7)).isTrue();
      assertThat(dataset.tombstones()).containsExactly(tombstone);
      assertThatThrownBy(() -> dataset.read(7))
          .isInstanceOf(ShardException.class)
          .hasMessageContaining("withdrawn");
      ClipPlan plan = ClipPlan.of(dataset, 1, CLIP);
      assertThat(plan.samples()).isEqualTo(samples);
      long gone = plan.samplesOf(i -> i == 7).count();
      assertThat(gone).isGreaterThan(1);
      // As a run's order has it, which knows from which position on the recording is out.
      int[] frames = IntStream.range(0, RECORDINGS).map(dataset::frames).toArray();
      ClipPlan resumed = ClipPlan.of(1, "clips", frames, CLIP).without(kept, i -> i == 7);
      try (Loader<Clip> loader = from(dataset, resumed, kept, Loader.Options.of(1))) {
        List<String> left =
            unbroken.stream().filter(clip -> plan.recording(sampleOf(clip)) != 7).toList();
        assertThat(take(loader, left.size())).isEqualTo(left);
      }
    }
    try (Dataset dataset = Dataset.openAsBuilt(folder)) {
      assertThat(dataset.withdrawn(7)).isTrue();
      assertThat(dataset.read(7)).isEqualTo(SOUNDS.get(7));
    }
  }

  /** Another process withdraws while the dataset is open: known at once, in force when told. */
  @Test
  void anOpenDatasetSeesAWithdrawalAndReadsOnUntilItIsToldToLearnOfIt() throws Exception {
    Path folder = home.resolve("open");
    try (Dataset dataset = Dataset.open(folder)) {
      assertThat(dataset.withdrawals()).isZero();
      Dataset.withdraw(folder, catalog.refuse(5));
      assertThat(dataset.withdrawals()).isEqualTo(1);
      assertThat(dataset.tombstones()).isEmpty();
      assertThat(dataset.read(5)).isEqualTo(SOUNDS.get(5));
      Dataset.withdraw(folder, catalog.refuse(6));
      dataset.learnOf(1);
      assertThat(dataset.withdrawn(5)).isTrue();
      assertThat(dataset.withdrawn(6)).isFalse();
      assertThatThrownBy(() -> dataset.read(5))
          .isInstanceOf(ShardException.class)
          .hasMessageContaining("withdrawn");
      assertThat(dataset.read(6)).isEqualTo(SOUNDS.get(6));
      assertThatThrownBy(() -> dataset.learnOf(3))
          .isInstanceOf(ShardException.class)
          .hasMessageContaining("must be the same for all");
      Path file = folder.resolve("tombstones.jsonl");
      Files.delete(file);
      assertThatThrownBy(dataset::withdrawals)
          .isInstanceOf(ShardException.class)
          .hasMessageContaining("lost withdrawals");
    }
  }

  /** What the reading threads make of a clip comes in the plan's order, from any position. */
  @Test
  void clipsAreWorkedOnByTheReadingThreadsAndAFailureThereReachesTheTaker() {
    try (Dataset dataset = Dataset.open(home.resolve("pcm"))) {
      ClipPlan plan = ClipPlan.of(dataset, 1, CLIP);
      List<String> all;
      try (Loader<Clip> loader = Loader.start(dataset, plan, Loader.Options.of(2))) {
        all = take(loader, 30);
      }
      try (Loader<String> loader =
          Loader.start(
              dataset, plan, i -> i, 20, new Loader.Options(2, 1, 0, 3, 9), LoaderTest::describe)) {
        assertThat(loader.position()).isEqualTo(20);
        for (int i = 10; i < 30; i++) {
          assertThat(loader.next()).isEqualTo(all.subList(2 * i, 2 * i + 2));
        }
        assertThat(loader.position()).isEqualTo(60);
      }
      try (Loader<String> loader =
          Loader.start(
              dataset,
              plan,
              i -> i,
              0,
              Loader.Options.of(1),
              clip -> {
                throw new IllegalStateException("clip " + clip.sample());
              })) {
        assertThatThrownBy(loader::next).isInstanceOf(IllegalStateException.class);
      }
    }
  }

  private static long sampleOf(String clip) {
    return Long.parseLong(clip.substring(clip.indexOf('/') + 1, clip.indexOf(' ')));
  }

  @Test
  void withdrawalsAreAChainThatCannotBeCutOrForged() throws Exception {
    Path folder = home.resolve("chain");
    Dataset.withdraw(folder, catalog.refuse(3));
    Dataset.withdraw(folder, catalog.refuse(4));
    try (Dataset dataset = Dataset.open(folder)) {
      assertThat(dataset.tombstones().stream().map(Tombstone::isrc))
          .containsExactly("QZABC2600003", "QZABC2600004");
      // Recording 7 may have been refused by another test; 3 and 4 are withdrawn, so not asked.
      assertThat(dataset.fallen(rights.clearance()).stream().map(d -> d.isrc().value()))
          .isSubsetOf("QZABC2600007");
    }
    Path file = folder.resolve("tombstones.jsonl");
    List<String> lines = Files.readAllLines(file);
    for (List<String> wrong :
        List.of(
            List.of(lines.get(1)),
            List.of(lines.get(1), lines.get(0)),
            List.of(lines.get(0), lines.get(0)),
            List.of(lines.get(0).replace("2600003", "2600005"), lines.get(1)))) {
      Files.write(file, wrong);
      assertThatThrownBy(() -> Dataset.open(folder))
          .isInstanceOf(ShardException.class)
          .hasMessageContaining("damaged");
    }
  }

  @Test
  void aWithdrawalNeedsARefusalOfThisUseForARecordingOfThisDataset() {
    Path folder = home.resolve("refusals");
    Decision allowed = catalog.cleared(2).decision();
    assertThatThrownBy(() -> Dataset.withdraw(folder, allowed))
        .isInstanceOf(ShardException.class)
        .hasMessageContaining("nothing is withdrawn");
    catalog.register(90, ShardFileTest.noise(1, 10, 90), false);
    assertThatThrownBy(() -> Dataset.withdraw(folder, catalog.refuse(90)))
        .isInstanceOf(ShardException.class)
        .hasMessageContaining("not in dataset");
  }

  @Test
  void aBatchThatTheWorkersCannotShareIsRefused() {
    assertThatThrownBy(() -> new Loader.Options(6, 4, 0, 1, 1)).isInstanceOf(ShardException.class);
  }

  @Test
  void closingEndsTheThreads() throws InterruptedException {
    try (Dataset dataset = Dataset.open(home.resolve("pcm"))) {
      ClipPlan plan = ClipPlan.of(dataset, 1, CLIP);
      Loader<Clip> loader = Loader.start(dataset, plan, new Loader.Options(16, 1, 0, 2, 32));
      assertThat(loader.next()).hasSize(16);
      List<Thread> readers =
          Thread.getAllStackTraces().keySet().stream().filter(LoaderTest::reads).toList();
      assertThat(readers).isNotEmpty();
      loader.close();
      for (Thread reader : readers) {
        reader.join(Duration.ofSeconds(10)); // their last task has ended, they themselves may not
        assertThat(reader.isAlive()).isFalse();
      }
      assertThatThrownBy(loader::next).isInstanceOf(ShardException.class);
    }
  }

  private static boolean reads(Thread thread) {
    return thread.getName().startsWith("loader-") && thread.isAlive();
  }
}
