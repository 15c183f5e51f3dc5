package org.descant.checks;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * The main job, as a stranger does it: the command in a process of its own, an empty home, a few
 * training steps instead of some minutes, then the questions that one asks afterwards.
 */
class EndToEndTest {
  private static final JsonMapper JSON = JsonMapper.builder().build();
  private static final int MINUTES_MAX = 15;

  @TempDir Path home;

  private record Result(int status, String out, String err) {
    JsonNode json() {
      return JSON.readTree(out);
    }
  }

  @Test
  void aRecordingWithARightBecomesAPaidSecondOfNewSound() throws Exception {
    Result demo =
        descant(
            "demo",
            "--no-serve",
            "--json",
            "--set",
            "steps=24",
            "--set",
            "augment.copies=1",
            "--set",
            "logEvery=4");
    assertThat(demo.status()).as(demo.err()).isZero();
    JsonNode document = demo.json();
    JsonNode dataset = document.path("dataset");
    assertThat(dataset.path("included").size()).isGreaterThanOrEqualTo(18);
    assertThat(dataset.path("seconds").asDouble()).isGreaterThanOrEqualTo(15 * 60);
    assertThat(dataset.path("excluded").size()).isGreaterThanOrEqualTo(7);
    for (JsonNode excluded : dataset.path("excluded")) {
      assertThat(excluded.path("reasons").size()).isPositive();
    }
    assertThat(document.path("model").path("datasetRoot").asString())
        .isEqualTo(dataset.path("root").asString());
    JsonNode clip = document.path("clip");
    assertThat(clip.path("seconds").asDouble()).isEqualTo(10);
    assertThat(clip.path("sampleRate").asInt()).isEqualTo(44_100);
    assertThat(clip.path("copiedSeconds").asDouble()).isLessThanOrEqualTo(3);
    assertThat(Path.of(clip.path("wav").asString())).isRegularFile();

    double shares = 0;
    for (JsonNode credit : document.path("credits")) {
      shares += credit.path("share").asDouble();
      assertThat(credit.path("role").asString()).isNotBlank();
    }
    assertThat(shares).isBetween(1 - 1e-9, 1 + 1e-9);
    long paid = 0;
    for (JsonNode transfer : document.path("transfers")) {
      assertThat(transfer.path("from").asString()).isEqualTo("customer:fan");
      paid += transfer.path("amount").asLong();
    }
    assertThat(paid).isEqualTo(10_000);
    assertThat(document.path("books").path("balanced").asBoolean()).isTrue();

    String id = clip.path("id").asString();
    JsonNode trace = descant("--json", "trace", id).json();
    List<String> kinds = new ArrayList<>();
    trace.path("ancestors").forEach(step -> kinds.add(step.path("kind").asString()));
    trace.path("descendants").forEach(step -> kinds.add(step.path("kind").asString()));
    assertThat(kinds).contains("RECORDING", "DECISION", "DATASET", "MODEL", "USAGE", "TRANSFER");

    Result verified = descant("--json", "verify", clip.path("flac").asString());
    assertThat(verified.json().path("state").asString()).isEqualTo("TRUSTED");
    assertThat(verified.json().path("clipIsOfThisHome").asBoolean()).isTrue();

    assertThat(descant("ledger", "check").status()).isZero();
    assertThat(descant("dataset", "verify", dataset.path("id").asString()).status()).isZero();

    // A refusal is heard by the very next request.
    String style = "ZZDSC2600010";
    Path out = home.resolve("after.wav");
    assertThat(descant("rights", "decide", "--use", "style", "--recording", style).status())
        .isZero();
    JsonNode shown = descant("--json", "catalog", "show", style).json();
    String artist = shown.path("contributors").get(0).path("party").asString();
    assertThat(
            descant("rights", "choose", "--party", artist, "--use", "style", "--scope", "all", "no")
                .status())
        .isZero();
    Result refused =
        descant("generate", "--style", style, "--seconds", "2", "--out", out.toString());
    assertThat(refused.status()).as(refused.out() + refused.err()).isEqualTo(1);
    assertThat(out).doesNotExist();
  }

  /** Every door's bad input is asked for in the tests of `cli`, without a process for each. */
  @Test
  void badInputIsOneSentenceOnTheErrorStreamAndTheProcessesStatus() throws Exception {
    Path file = Files.writeString(home.resolve("file"), "a file, not a home");
    for (List<String> command :
        List.of(List.of("--home", file.toString(), "catalog", "ls"), List.of("nonsense"))) {
      Result result = descant(command.toArray(String[]::new));
      assertThat(result.status()).as(command + "\n" + result.out() + result.err()).isEqualTo(2);
      assertThat(result.err().lines())
          .filteredOn(line -> line.startsWith("descant: "))
          .as(command + result.err())
          .hasSize(1);
    }
  }

  /** Runs the command on the test's class path, in a process of its own. */
  private Result descant(String... arguments) throws Exception {
    Path out = Files.createTempFile("descant", ".out");
    Path err = Files.createTempFile("descant", ".err");
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx3g",
                "-XX:+UseSerialGC",
                // All but the demo are at their end before the optimising compiler has helped.
                "-XX:TieredStopAtLevel=" + (arguments[0].equals("demo") ? 4 : 1),
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow",
                "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0",
                "-Ddescant.source=" + Repository.root(),
                "-cp",
                System.getProperty("java.class.path"),
                "org.descant.cli.Main"));
    command.addAll(List.of(arguments));
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().putIfAbsent("DESCANT_HOME", home.resolve("home").toString());
    Process process =
        builder
            .redirectOutput(out.toFile())
            .redirectError(err.toFile())
            .redirectInput(new File("/dev/null"))
            .start();
    if (!process.waitFor(MINUTES_MAX, TimeUnit.MINUTES)) {
      process.destroyForcibly();
    }
    Result result = new Result(process.waitFor(), Files.readString(out), Files.readString(err));
    Files.delete(out);
    Files.delete(err);
    return result;
  }
}
