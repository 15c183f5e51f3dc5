package org.descant.lab;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32C;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LabTest {
  @TempDir Path home;

  private static RunRecord record(String id, long seed) {
    return new RunRecord(
        RunRecord.VERSION,
        id,
        "house-tiny",
        "ab".repeat(32),
        Map.of("steps", 3, "codec", Map.of("width", 64)),
        "demo",
        "cd".repeat(32),
        seed,
        "ef".repeat(32),
        Map.of("pytorch", "2.10.0"),
        "some CPU",
        2,
        RunStatus.RUNNING,
        Instant.parse("2026-01-02T03:04:05Z"),
        null,
        0,
        3,
        Map.of());
  }

  private static MetricLine line(long step, double loss) {
    var values = new LinkedHashMap<String, Double>();
    values.put("loss", loss);
    values.put("gradientNorm", 1.5);
    return new MetricLine("codec", step, values);
  }

  @Test
  void aRecordComesBackAsItWasWritten() {
    RunRecord record = record("a", 7);
    try (var run = RunFolder.openForWriting(home)) {
      run.save(record);
      assertThat(RunFolder.record(home)).isEqualTo(record);
      RunRecord done =
          record.with(RunStatus.FINISHED, Instant.EPOCH, 3, Map.of("melDistanceEnd", 2.5));
      run.save(done);
      assertThat(RunFolder.record(home)).isEqualTo(done);
    }
    assertThat(home.resolve("run.json.tmp")).doesNotExist();
  }

  @Test
  void aFolderThatIsNoRunIsNamed() {
    assertThatThrownBy(() -> RunFolder.record(home))
        .isInstanceOf(LabException.class)
        .hasMessageContaining(home.toString())
        .hasMessageContaining("not a run folder");
  }

  @Test
  void onlyOneWriterAtATime() {
    try (var first = RunFolder.openForWriting(home)) {
      assertThat(first.path()).isEqualTo(home);
      assertThatThrownBy(() -> RunFolder.openForWriting(home))
          .isInstanceOf(LabException.class)
          .hasMessageContaining("in use by another process");
    }
    RunFolder.openForWriting(home).close();
  }

  @Test
  void aTornLineIsCutAndAStepLoggedTwiceCountsOnce() throws Exception {
    try (var run = RunFolder.openForWriting(home)) {
      run.log(line(1, 5));
      run.log(line(2, 4));
      run.log(line(3, 9));
    }
    Path metrics = home.resolve("metrics.jsonl");
    Files.writeString(metrics, "{\"stage\":\"codec\",\"st", StandardOpenOption.APPEND);
    assertThat(RunFolder.metrics(home)).hasSize(3);
    try (var run = RunFolder.openForWriting(home)) {
      run.log(line(3, 3));
      run.log(line(4, 2));
    }
    assertThat(Files.readAllLines(metrics)).hasSize(5);
    assertThat(Lab.curves(home).get("codec/loss"))
        .isEqualTo(new Lab.Curve("codec/loss", List.of(1L, 2L, 3L, 4L), List.of(5., 4., 3., 2.)));
  }

  @Test
  void aValueThatIsNoNumberIsRefused() {
    assertThatThrownBy(() -> line(8, Double.NaN))
        .isInstanceOf(LabException.class)
        .hasMessageContaining("codec/loss at step 8 is NaN");
  }

  @Test
  void comparingNamesTheKeysAndTheFirstStepThatDiffer() {
    for (String name : List.of("a", "b")) {
      try (var run = RunFolder.openForWriting(home.resolve(name))) {
        run.save(record(name, name.equals("a") ? 1 : 2));
        run.log(line(1, 5));
        run.log(line(2, name.equals("a") ? 4 : Math.nextUp(4.0)));
      }
    }
    assertThat(Lab.list(home)).extracting(run -> run.record().id()).containsExactly("a", "b");
    Lab.Comparison comparison = Lab.compare(home.resolve("a"), home.resolve("b"));
    assertThat(comparison.differences())
        .containsExactly(new Lab.Difference("id", "a", "b"), new Lab.Difference("seed", "1", "2"));
    assertThat(comparison.pairs())
        .extracting(Lab.Pair::name, Lab.Pair::sameBits, Lab.Pair::firstDifferentStep)
        .containsExactly(
            org.assertj.core.groups.Tuple.tuple("codec/loss", false, 2L),
            org.assertj.core.groups.Tuple.tuple("codec/gradientNorm", true, -1L));
  }

  @Test
  void curvesBecomeAPicture() throws Exception {
    Path png = home.resolve("curves.png");
    Plots.curves(
        "loss", "nats", List.of(new Lab.Curve("lm/loss", List.of(1L, 2L), List.of(2.0, 1.0))), png);
    var image = ImageIO.read(png.toFile());
    assertThat(image.getWidth()).isEqualTo(1200);
    assertThat(image.getHeight()).isEqualTo(700);
    assertThatThrownBy(() -> Plots.curves("loss", "nats", List.of(), png))
        .isInstanceOf(LabException.class);
  }

  /** Parses the file by the published formats, frame by frame and field by field. */
  @Test
  void tensorBoardEventsParseBack() throws Exception {
    try (var run = RunFolder.openForWriting(home)) {
      run.log(line(300, 0.125));
    }
    Path file;
    try (var files = Files.list(home)) {
      file =
          files
              .filter(f -> f.getFileName().toString().startsWith("events.out.tfevents."))
              .findFirst()
              .orElseThrow();
    }
    ByteBuffer in = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    var events = new ArrayList<ByteBuffer>();
    while (in.hasRemaining()) {
      byte[] length = new byte[8];
      in.get(length);
      assertThat(in.getInt()).isEqualTo(masked(length));
      byte[] data =
          new byte[(int) ByteBuffer.wrap(length).order(ByteOrder.LITTLE_ENDIAN).getLong()];
      in.get(data);
      assertThat(in.getInt()).isEqualTo(masked(data));
      events.add(ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN));
    }
    assertThat(events).hasSize(2);
    ByteBuffer version = events.get(0);
    assertThat(version.get()).isEqualTo((byte) 0x09);
    assertThat(version.getDouble()).isGreaterThan(1.7e9);
    assertThat(version.get()).isEqualTo((byte) 0x1a);
    assertThat(text(version)).isEqualTo("brain.Event:2");
    ByteBuffer event = events.get(1);
    assertThat(event.get()).isEqualTo((byte) 0x09);
    event.getDouble();
    assertThat(event.get()).isEqualTo((byte) 0x10);
    assertThat(varint(event)).isEqualTo(300);
    assertThat(event.get()).isEqualTo((byte) 0x2a);
    varint(event);
    assertThat(scalar(event)).isEqualTo(Map.entry("codec/loss", 0.125f));
    assertThat(scalar(event)).isEqualTo(Map.entry("codec/gradientNorm", 1.5f));
    assertThat(event.hasRemaining()).isFalse();
  }

  /** CRC-32C of the check string is published as 0xe3069283; TensorFlow rotates and offsets it. */
  @Test
  void theMaskedChecksumIsTheOneOfTheFormat() {
    int crc = 0xe3069283;
    assertThat(EventWriter.maskedCrc("123456789".getBytes(StandardCharsets.US_ASCII)))
        .isEqualTo((crc >>> 15 | crc << 17) + 0xa282ead8);
  }

  private static Map.Entry<String, Float> scalar(ByteBuffer in) {
    assertThat(in.get()).isEqualTo((byte) 0x0a);
    varint(in);
    assertThat(in.get()).isEqualTo((byte) 0x0a);
    String tag = text(in);
    assertThat(in.get()).isEqualTo((byte) 0x15);
    return Map.entry(tag, in.getFloat());
  }

  private static String text(ByteBuffer in) {
    byte[] bytes = new byte[(int) varint(in)];
    in.get(bytes);
    return new String(bytes, StandardCharsets.UTF_8);
  }

  private static long varint(ByteBuffer in) {
    long value = 0;
    for (int shift = 0; ; shift += 7) {
      byte b = in.get();
      value |= (long) (b & 0x7f) << shift;
      if (b >= 0) {
        return value;
      }
    }
  }

  private static int masked(byte[] data) {
    var crc = new CRC32C();
    crc.update(data);
    int value = (int) crc.getValue();
    return (value >>> 15 | value << 17) + 0xa282ead8;
  }

  @Test
  void eventsStandBetweenTheScalarsAndComeBackInOrder() throws Exception {
    try (var run = RunFolder.openForWriting(home)) {
      run.log(line(1, 2));
      run.event(new RunEvent("guard.skipped", "codec", 2, Map.of("isrcs", List.of("A", "B"))));
      var threads = new ArrayList<Thread>();
      for (int t = 0; t < 4; t++) {
        int stage = t;
        threads.add(
            Thread.ofPlatform()
                .start(() -> {
                  for (int i = 0; i < 50; i++) {
                    run.event(new RunEvent("e", "s" + stage, i, Map.of("text", "x".repeat(200))));
                  }
                }));
      }
      for (int step = 2; step < 50; step++) {
        run.log(line(step, 1));
      }
      for (Thread thread : threads) {
        thread.join();
      }
    }
    assertThat(RunFolder.metrics(home)).hasSize(49);
    List<RunEvent> events = RunFolder.events(home);
    assertThat(events).hasSize(201);
    assertThat(events.getFirst().facts()).containsEntry("isrcs", List.of("A", "B"));
    assertThat(events.getFirst().facts()).containsKey("at");
    assertThat(events.stream().filter(e -> e.stage().equals("s3")).map(RunEvent::step))
        .isSorted()
        .hasSize(50);
    assertThat(RunFolder.events(home.resolve("none"))).isEmpty();
  }
}
