package org.descant.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.descant.audio.Pcm;
import org.descant.cli.platform.Exit;
import org.descant.database.Database;
import org.descant.lab.RunFolder;
import org.descant.lab.RunStatus;
import org.descant.rights.Agreement;
import org.descant.rights.Contributor;
import org.descant.rights.DecisionContext;
import org.descant.rights.Isrc;
import org.descant.rights.Party;
import org.descant.rights.Recording;
import org.descant.rights.Rights;
import org.descant.rights.Scope;
import org.descant.rights.Share;
import org.descant.rights.Use;
import org.descant.rights.Work;
import org.descant.shards.DatasetSource;
import org.descant.shards.DatasetWriter;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class TrainCommandTest {
  /** Long enough that nobody sees the end, with nothing saved but what a stop saves. */
  private static final List<String> ENDLESS =
      List.of(
          "train",
          "house-tiny",
          "--set",
          "steps=1000000",
          "--set",
          "checkpoint.every=900000",
          "--set",
          "logEvery=1",
          "--set",
          "precision=fp32",
          "--set",
          "threads=1");

  @TempDir Path home;

  private Answer descant(String... arguments) {
    var all = new ArrayList<>(List.of(arguments));
    all.addAll(List.of("--home", home.toString()));
    return Answer.to(all.toArray(String[]::new));
  }

  /** Four recordings of six seconds of noise. */
  private void dataset() {
    try (Database database = Database.temporary()) {
      Rights rights = Rights.open(database);
      rights.register(new Party("p", "Somebody", true, null));
      rights.record(Agreement.publicDomain("pd", "p", Scope.ALL, LocalDate.of(2020, 1, 1)));
      var sources = new ArrayList<DatasetSource>();
      for (int n = 1; n <= 4; n++) {
        Pcm pcm = noise(n);
        Isrc isrc = Isrc.of("QZTST26%05d".formatted(n));
        rights.register(
            new Work(
                "w" + n,
                "Song " + n,
                List.of(new Contributor("p", "Composer")),
                List.of(Share.publishing("p", Share.WHOLE))));
        rights.register(
            new Recording(
                isrc,
                "Song " + n,
                "Artist " + n,
                pcm.seconds(),
                pcm.hash(),
                List.of("w" + n),
                List.of(new Contributor("p", "MainArtist")),
                List.of(Share.master("p", Share.WHOLE)),
                null));
        sources.add(
            new DatasetSource(
                rights
                    .clearance()
                    .clear(Use.TRAIN, isrc, DecisionContext.at(LocalDate.of(2026, 6, 1)))
                    .orElseThrow(),
                pcm,
                null,
                "Artist " + n,
                List.of("noise"),
                "noise"));
      }
      DatasetWriter.write(
          home.resolve("datasets/small"),
          "small",
          Use.TRAIN,
          sources,
          List.of(),
          rights.clearance());
    }
  }

  private static Pcm noise(int seed) {
    var random = new SplittableRandom(seed);
    float[][] channels = new float[2][6 * 44_100];
    for (float[] channel : channels) {
      for (int i = 0; i < channel.length; i++) {
        channel[i] = random.nextInt(-8000, 8000) / 32768f;
      }
    }
    return new Pcm(channels, 44_100);
  }

  private static void walk(CommandLine command, List<String> path, List<List<String>> all) {
    all.add(path);
    command
        .getSubcommands()
        .forEach((name, sub) -> {
          var longer = new ArrayList<>(path);
          longer.add(name);
          walk(sub, longer, all);
        });
  }

  @Test
  void everyCommandExplainsItself() {
    var all = new ArrayList<List<String>>();
    walk(Main.commandLine(), List.of(), all);
    assertThat(all).hasSizeGreaterThan(30).contains(List.of("train"), List.of("train", "plan"));
    for (List<String> path : all) {
      var arguments = new ArrayList<>(path);
      arguments.add("--help");
      Answer result = descant(arguments.toArray(String[]::new));
      assertThat(result.status()).as(path + result.err()).isZero();
      assertThat(result.err()).isEmpty();
      assertThat(result.out())
          .startsWith(String.join(" ", List.of("Usage: descant", String.join(" ", path))).strip());
    }
  }

  @Test
  void whatNoWorkerCanDoIsSaidOnceBeforeAnyStarts() {
    dataset();
    for (List<String> wrong :
        List.of(
            List.of("--workers", "3"),
            List.of("--workers", "2", "--shard-optimizer", "--set", "lm.optimiser.name=muon"),
            List.of("--workers", "2", "--worker-timeout", "0"),
            List.of("--workers", "0"),
            List.of("--workers", "2", "--dataset", "nothing"),
            List.of("--workers", "2", "--set", "no.such=key"))) {
      var arguments = new ArrayList<>(List.of("train", "house-tiny"));
      arguments.addAll(wrong);
      Answer result = descant(arguments.toArray(String[]::new));
      assertThat(result.status()).as(wrong + result.err()).isEqualTo(Exit.BAD_INPUT);
      assertThat(result.err().lines())
          .as(wrong + result.err())
          .singleElement()
          .asString()
          .startsWith("descant: ");
      assertThat(home.resolve("runs")).doesNotExist();
    }
  }

  /** One process and two end alike: the step is saved, and the status names the signal. */
  @Test
  @Tag("slow")
  void aSignalEndsOneProcessAndALauncherAlike() throws Exception {
    dataset();
    for (int workers : new int[] {1, 2}) {
      Path run = home.resolve("run" + workers);
      Path log = home.resolve("log" + workers);
      var command =
          new ArrayList<>(
              List.of(
                  ProcessHandle.current().info().command().orElseThrow(),
                  "-Xmx512m",
                  "-XX:+UseSerialGC",
                  "-XX:TieredStopAtLevel=1",
                  "--enable-native-access=ALL-UNNAMED",
                  "--sun-misc-unsafe-memory-access=allow",
                  "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0",
                  "-cp",
                  System.getProperty("java.class.path"),
                  Main.class.getName()));
      command.addAll(ENDLESS);
      command.addAll(
          List.of(
              "--workers",
              String.valueOf(workers),
              "--home",
              home.toString(),
              "--out",
              run.toString()));
      Process process =
          new ProcessBuilder(command)
              .redirectErrorStream(true)
              .redirectOutput(log.toFile())
              .start();
      while (process.isAlive() && !Files.readString(log).contains("codec  ")) {
        Thread.sleep(50);
      }
      List<ProcessHandle> below = process.descendants().toList();
      assertThat(below).as(() -> read(log)).hasSize(workers == 1 ? 0 : workers);
      process.destroy();
      assertThat(process.waitFor()).as(() -> read(log)).isEqualTo(143);
      assertThat(below).noneMatch(ProcessHandle::isAlive);
      assertThat(read(log).lines().filter(line -> line.contains("interrupted; the run is safe")))
          .as(() -> read(log))
          .hasSize(1);
      assertThat(RunFolder.record(run).status()).as(() -> read(log)).isEqualTo(RunStatus.STOPPED);
      long step = RunFolder.record(run).step();
      assertThat(step).isPositive();
      assertThat(run.resolve("checkpoints/%08d/state.json".formatted(step))).exists();
      System.out.printf("%d workers: stopped after step %d, status 143%n", workers, step);
    }
  }

  private static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (java.io.IOException e) {
      return e.toString();
    }
  }
}
