package org.descant.shards;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.descant.audio.Pcm;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ShardFileTest {
  private static final String HASH = "0123456789abcdef".repeat(4);

  @TempDir Path folder;

  /** Noise on the 16-bit grid, full scale included. */
  static Pcm noise(int channels, int frames, long seed) {
    var random = new SplittableRandom(seed);
    float[][] planar = new float[channels][frames];
    for (float[] channel : planar) {
      for (int i = 0; i < frames; i++) {
        channel[i] = random.nextInt(-32768, 32768) / 32768f;
      }
    }
    return new Pcm(planar, 44_100);
  }

  private Path write(Pcm... sounds) throws Exception {
    return write(Packing.PCM16, sounds);
  }

  private Path write(Packing packing, Pcm... sounds) throws Exception {
    Path file = folder.resolve("shard.dsc");
    Files.deleteIfExists(file);
    try (var writer = new ShardFile.Writer(file, packing)) {
      for (int i = 0; i < sounds.length; i++) {
        writer.add(sounds[i], "QZABC260000" + i, "decision-" + i, HASH, sounds[i].hash());
      }
      writer.finish();
    }
    return file;
  }

  @Test
  void anyPartOfAnyRecordComesBackBitForBitHoweverItIsPacked() throws Exception {
    Pcm[] sounds = {noise(2, 20_001, 1), noise(1, 12_345, 2), noise(2, 0, 3), noise(2, 4097, 4)};
    for (Packing packing : Packing.values()) {
      try (var shard = ShardFile.open(write(packing, sounds))) {
        assertThat(shard.entries()).hasSize(4).allMatch(entry -> entry.packing() == packing);
        var random = new SplittableRandom(5);
        for (int r = 0; r < sounds.length; r++) {
          int frames = sounds[r].frames();
          assertThat(shard.read(r, 0, frames)).isEqualTo(sounds[r]);
          for (int trial = 0; trial < 50; trial++) {
            int from = random.nextInt(frames + 1);
            int count = random.nextInt(frames - from + 1);
            assertThat(shard.read(r, from, count)).isEqualTo(sounds[r].slice(from, from + count));
          }
        }
        shard.verify();
      }
    }
  }

  @Test
  void aPartGoesIntoTheCallersArraysWhereItIsTold() throws Exception {
    Pcm sound = noise(2, 5_000, 1);
    for (Packing packing : Packing.values()) {
      try (var shard = ShardFile.open(write(packing, sound))) {
        float[][] out = new float[2][300];
        shard.read(0, 4_500, 200, out, 50);
        assertThat(new Pcm(out, 44_100).slice(50, 250)).isEqualTo(sound.slice(4_500, 4_700));
        assertThat(out[0][49]).isZero();
        assertThat(out[1][250]).isZero();
        assertThatThrownBy(() -> shard.read(0, 0, 10, new float[1][10], 0))
            .isInstanceOf(ShardException.class)
            .hasMessageContaining("2 channels");
      }
    }
  }

  /** The file of version 1 is written out here by hand, as the first build wrote it. */
  @Test
  void aShardOfVersionOneIsStillRead() throws Exception {
    Pcm sound = noise(2, 500, 1);
    byte[] packed = ShardFile.Writer.pack(sound);
    byte[] head = new byte[64];
    ByteBuffer.wrap(head)
        .order(ByteOrder.LITTLE_ENDIAN)
        .put("DSCSHARD".getBytes(StandardCharsets.US_ASCII))
        .putInt(1);
    byte[] body = Arrays.copyOf(head, 64 + packed.length);
    System.arraycopy(packed, 0, body, 64, packed.length);
    String json =
        "{\"version\":1,\"records\":[{\"offset\":64,\"length\":%d,\"rate\":44100,\"channels\":2,"
                .formatted(packed.length)
            + "\"isrc\":\"QZABC2600001\",\"decisionId\":\"d\",\"rulesHash\":\"%s\",\"pcmHash\":\"%s\","
                .formatted(HASH, sound.hash())
            + "\"sha256\":\"%s\"}]}".formatted(Hashes.hex(Hashes.sha256(packed)));
    Path file = Files.write(folder.resolve("one.dsc"), withFooter(body, body.length, json));
    try (var shard = ShardFile.open(file)) {
      assertThat(shard.read(0, 100, 300)).isEqualTo(sound.slice(100, 400));
      shard.verify();
    }
    Files.write(file, withFooter(body, body.length, json.replace("\"decisionId\":\"d\",", "")));
    assertThatThrownBy(() -> ShardFile.open(file)).hasMessageContaining("decisionId");
  }

  @Test
  void aDamagedFlacRecordIsFoundOnVerifyingAndNeverGivesOtherChannels() throws Exception {
    Path file = write(Packing.FLAC, noise(2, 9_000, 1));
    byte[] bytes = Files.readAllBytes(file);
    bytes[64 + 4 + 4 + 12] ^= 2; // One channel fewer, in the STREAMINFO.
    Files.write(file, bytes);
    try (var shard = ShardFile.open(file)) {
      assertThatThrownBy(() -> shard.read(0, 0, 100))
          .isInstanceOf(ShardException.class)
          .hasMessageContaining("damaged");
      assertThatThrownBy(shard::verify).hasMessageContaining("another hash");
    }
  }

  @Test
  void framesOutsideARecordAreRefused() throws Exception {
    try (var shard = ShardFile.open(write(noise(2, 100, 1)))) {
      assertThatThrownBy(() -> shard.read(0, 90, 11))
          .isInstanceOf(ShardException.class)
          .hasMessageContaining("100 frames");
      assertThatThrownBy(() -> shard.read(0, -1, 2)).isInstanceOf(ShardException.class);
    }
  }

  @Test
  void soundAboveFullScaleIsClipped() throws Exception {
    Pcm loud = new Pcm(new float[][] {{1.5f, -1.5f, 0.99999f}}, 44_100);
    try (var shard = ShardFile.open(write(loud))) {
      assertThat(shard.read(0, 0, 3).channel(0))
          .containsExactly(32767 / 32768f, -1f, 32767 / 32768f);
    }
  }

  @Test
  void aShardCutShortAnywhereIsRefused() throws Exception {
    Path file = write(noise(2, 500, 1));
    byte[] bytes = Files.readAllBytes(file);
    var random = new SplittableRandom(2);
    for (int trial = 0; trial < 60; trial++) {
      Files.write(file, Arrays.copyOf(bytes, random.nextInt(bytes.length)));
      assertThatThrownBy(() -> ShardFile.open(file)).isInstanceOf(ShardException.class);
    }
  }

  @Test
  void aFlippedBitIsFoundInTheIndexOnOpeningAndInTheSoundOnVerifying() throws Exception {
    Path file = write(noise(2, 500, 1));
    byte[] bytes = Files.readAllBytes(file);
    int footer =
        (int) ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong(bytes.length - 56);
    byte[] index = bytes.clone();
    index[footer + 40] ^= 1;
    Files.write(file, index);
    assertThatThrownBy(() -> ShardFile.open(file))
        .isInstanceOf(ShardException.class)
        .hasMessageContaining("checksum");
    byte[] sound = bytes.clone();
    sound[100] ^= 1;
    Files.write(file, sound);
    try (var shard = ShardFile.open(file)) {
      assertThatThrownBy(shard::verify)
          .isInstanceOf(ShardException.class)
          .hasMessageContaining("QZABC2600000");
    }
  }

  @Test
  void aShardWithoutItsRightsFieldsIsRefused() throws Exception {
    for (String field : new String[] {"decisionId", "rulesHash", "pcmHash", "isrc", "sha256"}) {
      Path file = write(noise(1, 10, 1));
      byte[] bytes = Files.readAllBytes(file);
      ByteBuffer in = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
      int at = (int) in.getLong(bytes.length - 56);
      int length = (int) in.getLong(bytes.length - 48);
      String json = new String(bytes, at, length, StandardCharsets.UTF_8);
      for (String without :
          new String[] {
            json.replaceAll("\"" + field + "\":\"[^\"]*\",?", "").replace(",}", "}"),
            json.replaceAll("\"" + field + "\":\"[^\"]*\"", "\"" + field + "\":\"\""),
            json.replaceAll("\"" + field + "\":\"[^\"]*\"", "\"" + field + "\":null")
          }) {
        Files.write(file, withFooter(bytes, at, without));
        assertThatThrownBy(() -> ShardFile.open(file))
            .as("%s in %s", field, without)
            .isInstanceOf(ShardException.class)
            .hasMessageContaining(field);
      }
    }
  }

  /** The shard with another index, correctly checksummed. */
  static byte[] withFooter(byte[] bytes, int at, String json) {
    byte[] footer = json.getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocate(at + footer.length + 56)
        .order(ByteOrder.LITTLE_ENDIAN)
        .put(bytes, 0, at)
        .put(footer)
        .putLong(at)
        .putLong(footer.length)
        .put(Hashes.sha256(footer))
        .put("DSCINDEX".getBytes(StandardCharsets.US_ASCII))
        .array();
  }
}
