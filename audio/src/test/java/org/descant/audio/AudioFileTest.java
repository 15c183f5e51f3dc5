package org.descant.audio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.descant.audio.FfmpegEncoder.Encoding;
import org.descant.audio.FfmpegEncoder.SampleFormat;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class AudioFileTest {
  @TempDir Path folder;

  // ---- what decodes

  @Test
  void wavOf16BitsComesBackBitForBit() {
    Pcm pcm = grid(16, 12_345, 2, 44_100, 1);
    Path file = folder.resolve("a.wav");
    AudioWriter.wav16(pcm, file);
    assertThat(AudioFile.decode(file)).isEqualTo(pcm);
    assertThat(AudioFile.probe(file))
        .isEqualTo(new AudioInfo("wav", "pcm_s16le", 44_100, 2, 12_345 / 44_100.0));
  }

  @Test
  void wavOf24BitsWithAnOddNumberOfBytesComesBackBitForBit() throws IOException {
    Pcm pcm = grid(24, 1001, 1, 48_000, 2);
    Path file = folder.resolve("a.wav");
    AudioWriter.wav24(pcm, file);
    assertThat(AudioFile.decode(file)).isEqualTo(pcm);
    assertThat(Files.size(file) % 2).isZero();
  }

  @Test
  void wav16BytesAreTheFile() throws IOException {
    Pcm pcm = grid(16, 999, 1, 22_050, 3);
    Path file = folder.resolve("a.wav");
    AudioWriter.wav16(pcm, file);
    assertThat(AudioWriter.wav16Bytes(pcm)).isEqualTo(Files.readAllBytes(file));
  }

  @Test
  void hashIsTheSameInWavAndFlac() {
    for (int seed = 0; seed < 20; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      int bits = random.nextBoolean() ? 16 : 24;
      int rate = new int[] {8_000, 22_050, 44_100, 48_000, 96_000}[random.nextInt(5)];
      Pcm pcm = grid(bits, 1 + random.nextInt(20_000), 1 + random.nextInt(2), rate, seed);
      Path wav = folder.resolve("a.wav");
      Path flac = folder.resolve("a.flac");
      if (bits == 16) {
        AudioWriter.wav16(pcm, wav);
        AudioWriter.flac(pcm, flac);
      } else {
        AudioWriter.wav24(pcm, wav);
        AudioWriter.flac24(pcm, flac);
      }
      assertThat(AudioFile.decode(flac)).isEqualTo(pcm);
      assertThat(AudioFile.decode(flac).hash()).isEqualTo(pcm.hash());
      assertThat(AudioFile.decode(wav).hash()).isEqualTo(pcm.hash());
    }
  }

  @Test
  void writtenFilesAreTheSameBytesEachTime() throws IOException {
    Pcm pcm = grid(16, 30_000, 2, 44_100, 4);
    Path one = folder.resolve("one");
    Path two = folder.resolve("two");
    AudioWriter.flac(pcm, one);
    AudioWriter.flac(pcm, two);
    assertThat(Files.mismatch(one, two)).isEqualTo(-1);
    AudioWriter.opus(pcm, one, 64_000);
    AudioWriter.opus(pcm, two, 64_000);
    assertThat(Files.mismatch(one, two)).isEqualTo(-1);
  }

  @ParameterizedTest
  @CsvSource({"1, 24000", "2, 96000", "2, 12000"})
  void opusKeepsLengthAndTone(int channels, int bitsPerSecond) {
    Pcm pcm = tone(440, 2, channels, 44_100);
    Path file = folder.resolve("a.opus");
    AudioWriter.opus(pcm, file, bitsPerSecond);
    Pcm back = AudioFile.decode(file);
    assertThat(back.sampleRate()).isEqualTo(48_000);
    assertThat(back.channelCount()).isEqualTo(channels);
    assertThat(back.frames()).isBetween(96_000, 96_000 + 2);
    assertThat(toneShare(back, 440)).isGreaterThan(0.98);
    assertThat(AudioFile.probe(file).codec()).isEqualTo("opus");
  }

  @ParameterizedTest
  @CsvSource({
    "mp3, libmp3lame, S16P, mp3, mp3",
    "ogg, vorbis, FLTP, ogg, vorbis",
    "ogg, libopus, FLT, ogg, opus",
    "ipod, aac, FLTP, mov, aac",
    "adts, aac, FLTP, aac, aac",
    "aiff, pcm_s16be, S16, aiff, pcm_s16be",
    "flac, flac, S16, flac, flac"
  })
  void everyPromisedFormatDecodes(
      String muxer, String encoder, SampleFormat samples, String container, String codec)
      throws IOException {
    Pcm pcm = tone(440, 3, 2, 48_000);
    Path file = folder.resolve("sound");
    FfmpegEncoder.encode(pcm, file, new Encoding(muxer, encoder, samples, 16, 128_000));
    AudioInfo info = AudioFile.probe(file);
    assertThat(info.container()).isEqualTo(container);
    assertThat(info.codec()).isEqualTo(codec);
    assertThat(info.channels()).isEqualTo(2);
    Pcm back = AudioFile.decode(file);
    assertThat(back.sampleRate()).isEqualTo(48_000);
    assertThat(back.seconds()).isCloseTo(3, within(0.1));
    assertThat(toneShare(back, 440)).isGreaterThan(0.98);
  }

  @Test
  void rateAndChannelsAreAsAskedFor() {
    Path file = folder.resolve("a.wav");
    AudioWriter.wav16(tone(440, 1, 2, 44_100), file);
    Pcm mono = AudioFile.decode(file, 16_000, 1);
    assertThat(mono.sampleRate()).isEqualTo(16_000);
    assertThat(mono.channelCount()).isEqualTo(1);
    assertThat(mono.frames()).isEqualTo(16_000);
    assertThat(toneShare(mono, 440)).isGreaterThan(0.999);
    AudioWriter.wav16(tone(440, 1, 1, 16_000), file);
    assertThat(AudioFile.decode(file, 44_100, 2).channelCount()).isEqualTo(2);
  }

  @Test
  void flacWithAnId3TagInFrontDecodes() throws IOException {
    Pcm pcm = grid(16, 10_000, 2, 44_100, 5);
    Path file = folder.resolve("a.flac");
    AudioWriter.flac(pcm, file);
    byte[] flac = Files.readAllBytes(file);
    int body = 5000; // 5000 = 39 * 128 + 8
    byte[] tag = new byte[10 + body];
    System.arraycopy(new byte[] {'I', 'D', '3', 4, 0, 0, 0, 0, 39, 8}, 0, tag, 0, 10);
    byte[] geob = {'G', 'E', 'O', 'B', 0, 0, 39, 8 - 10, 0, 0};
    System.arraycopy(geob, 0, tag, 10, 10);
    tag[17] = (byte) 126;
    tag[16] = 38;
    Files.write(file, concat(tag, flac));
    assertThat(AudioFile.decode(file)).isEqualTo(pcm);
    assertThat(AudioFile.probe(file).codec()).isEqualTo("flac");

    Files.write(file, Arrays.copyOf(concat(tag, flac), tag.length + flac.length * 2 / 3));
    refuses(file, "truncated");
  }

  @Test
  void silenceIsAllowed() {
    Path file = folder.resolve("silent.wav");
    AudioWriter.wav16(Pcm.ofMono(new float[1000], 44_100), file);
    assertThat(AudioFile.decode(file).frames()).isEqualTo(1000);
  }

  @ParameterizedTest
  @CsvSource({"1, 8", "1, 16", "1, 24", "1, 32", "3, 32", "3, 64"})
  void wavSampleFormatsPlainAndExtensible(int tag, int bits) throws IOException {
    double[] values = {0, 0.5, -0.5, -1, 0.25, -0.75};
    ByteBuffer data = ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN);
    for (double value : values) {
      switch (tag * 100 + bits) {
        case 108 -> data.put((byte) (value * 128 + 128));
        case 116 -> data.putShort((short) (value * 32_768));
        case 124 -> data.putShort((short) 0).put((byte) (value * 128));
        case 132 -> data.putInt((int) (value * 0x1p31));
        case 332 -> data.putFloat((float) value);
        default -> data.putDouble(value);
      }
    }
    byte[] body = Arrays.copyOf(data.array(), data.position());
    Path file = folder.resolve("a.wav");
    for (byte[] format : new byte[][] {format(tag, 2, 44_100, bits), extensible(tag, 2, bits)}) {
      Files.write(file, riff(chunk("fmt ", format), chunk("data", body)));
      Pcm pcm = AudioFile.decode(file);
      assertThat(pcm.channels()[0]).containsExactly(0f, -0.5f, 0.25f);
      assertThat(pcm.channels()[1]).containsExactly(0.5f, -1f, -0.75f);
    }
  }

  @Test
  void otherChunksArePassedOver() throws IOException {
    byte[] list = chunk("LIST", "INFOISFT\5\0\0\0hello".getBytes(StandardCharsets.US_ASCII));
    byte[] odd = chunk("odd ", new byte[] {1, 2, 3});
    Path file = folder.resolve("a.wav");
    byte[] after = chunk("C2PA", new byte[7]);
    Files.write(
        file,
        riff(
            odd,
            list,
            chunk("fmt ", format(1, 1, 8000, 16)),
            odd,
            chunk("data", new byte[8]),
            after));
    assertThat(AudioFile.decode(file).frames()).isEqualTo(4);
  }

  // ---- what is refused

  @Test
  void folderIsRefused() {
    refuses(folder, "is a folder");
  }

  @Test
  void missingFileIsRefused() {
    refuses(folder.resolve("nothing.wav"), "does not exist");
  }

  @Test
  void emptyFileIsRefused() throws IOException {
    refuses(Files.createFile(folder.resolve("a.wav")), "is empty");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"song.flac", "song.wav", "song.mp3", "song.txt", "list.m3u8", "a.ffconcat"})
  void textIsRefused(String name) throws IOException {
    Path file = folder.resolve(name);
    String text =
        switch (name) {
          case "list.m3u8" ->
              "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9,\nhttp://localhost/a.ts\n";
          case "a.ffconcat" -> "ffconcat version 1.0\nfile other.wav\n";
          default -> "This is not music. ".repeat(500);
        };
    Files.writeString(file, text);
    refuses(file, "no audio file");
  }

  @Test
  void pictureIsRefused() throws IOException {
    var image = new java.awt.image.BufferedImage(64, 64, java.awt.image.BufferedImage.TYPE_INT_RGB);
    Path file = folder.resolve("cover.mp3");
    javax.imageio.ImageIO.write(image, "png", file.toFile());
    refuses(file, "no audio file");
  }

  @Test
  void truncatedWavIsRefused() throws IOException {
    byte[] whole = AudioWriter.wav16Bytes(grid(16, 5000, 2, 44_100, 6));
    Path file = folder.resolve("a.wav");
    for (int length : new int[] {6, 12, 20, 40, 44, 45, 3000, whole.length - 1}) {
      Files.write(file, Arrays.copyOf(whole, length));
      refuses(file, "truncated");
      assertThatThrownBy(() -> AudioFile.probe(file)).isInstanceOf(AudioException.class);
    }
  }

  @Test
  void cutOffFilesAreRefusedWhereTheySaySo() throws IOException {
    Pcm pcm = grid(16, 100_000, 2, 44_100, 7);
    Encoding[] encodings = {
      Encoding.FLAC_16,
      new Encoding("mp3", "libmp3lame", SampleFormat.S16P, 0, 128_000),
      new Encoding("ogg", "vorbis", SampleFormat.FLTP, 0, 128_000),
      new Encoding("ogg", "libopus", SampleFormat.FLT, 0, 96_000),
      new Encoding("ipod", "aac", SampleFormat.FLTP, 0, 128_000),
      new Encoding("aiff", "pcm_s16be", SampleFormat.S16, 16, 0)
    };
    for (Encoding encoding : encodings) {
      Path file = folder.resolve(encoding.muxer() + encoding.encoder());
      Pcm input = encoding.encoder().equals("libopus") ? pcm.resampled(48_000) : pcm;
      FfmpegEncoder.encode(input, file, encoding);
      assertThatCode(() -> AudioFile.decode(file)).doesNotThrowAnyException();
      byte[] whole = Files.readAllBytes(file);
      Files.write(file, Arrays.copyOf(whole, whole.length * 3 / 4));
      assertThatThrownBy(() -> AudioFile.decode(file))
          .as("%s cut off", encoding)
          .isInstanceOf(AudioException.class);
    }
  }

  @Test
  void damagedFlacIsRefused() throws IOException {
    Path file = folder.resolve("a.flac");
    AudioWriter.flac(grid(16, 60_000, 2, 44_100, 8), file);
    byte[] bytes = Files.readAllBytes(file);
    for (int i = bytes.length / 2; i < bytes.length / 2 + 40; i++) {
      bytes[i] ^= 0x55;
    }
    Files.write(file, bytes);
    assertThatThrownBy(() -> AudioFile.decode(file)).isInstanceOf(AudioException.class);
  }

  @Test
  void moreThanTwoChannelsAreRefused() throws IOException {
    Path file = folder.resolve("a.wav");
    Files.write(file, riff(chunk("fmt ", format(1, 8, 44_100, 16)), chunk("data", new byte[1600])));
    refuses(file, "has 8 channels: deliver mono or stereo");
    FfmpegEncoder.encode(grid(16, 1000, 6, 44_100, 9), file, FfmpegEncoder.Encoding.FLAC_16);
    refuses(file, "has 6 channels: deliver mono or stereo");
  }

  @ParameterizedTest
  @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
  void samplesThatAreNoNumbersAreRefused(float bad) throws IOException {
    ByteBuffer data = ByteBuffer.allocate(400).order(ByteOrder.LITTLE_ENDIAN);
    data.putFloat(240, bad);
    Path file = folder.resolve("a.wav");
    Files.write(file, riff(chunk("fmt ", format(3, 1, 44_100, 32)), chunk("data", data.array())));
    refuses(file, "not numbers");
  }

  @Test
  void moreThanHalfAnHourIsRefused() throws IOException {
    Path file = folder.resolve("a.wav");
    Files.write(
        file, riff(chunk("fmt ", format(1, 1, 4000, 8)), chunk("data", new byte[4000 * 1801])));
    refuses(file, "lasts 1801 s");
    Pcm quiet = Pcm.ofMono(new float[8000 * 1801], 8000);
    Path flac = folder.resolve("a.flac");
    AudioWriter.flac(quiet, flac);
    refuses(flac, "lasts 1801 s");
  }

  @Test
  void unreadableFileIsRefused() throws IOException {
    Path file = folder.resolve("a.wav");
    AudioWriter.wav16(Pcm.ofMono(new float[10], 8000), file);
    Assumptions.assumeTrue(file.toFile().setReadable(false));
    Assumptions.assumeFalse(Files.isReadable(file), "runs as a user who may read everything");
    refuses(file, "cannot be read");
  }

  @Test
  void oddWavHeadersAreRefused() throws IOException {
    byte[] data = chunk("data", new byte[64]);
    byte[] format = chunk("fmt ", format(1, 1, 44_100, 16));
    byte[] rf64 = riff(format, data);
    rf64[2] = '6';
    rf64[3] = '4';
    rf64[1] = 'F';
    byte[] badAlign = format(1, 2, 44_100, 16);
    badAlign[12] = 3;
    Object[][] cases = {
      {riff(data, format), "no \"fmt \" chunk"},
      {riff(format), "no \"data\" chunk"},
      {riff(chunk("fmt ", new byte[4]), data), "\"fmt \" chunk of 4 bytes"},
      {riff(chunk("fmt ", format(2, 1, 44_100, 4)), data), "format 0x0002"},
      {riff(chunk("fmt ", format(1, 1, 44_100, 20)), data), "20 bits"},
      {riff(chunk("fmt ", format(1, 0, 44_100, 16)), data), "0 channels"},
      {riff(chunk("fmt ", format(1, 1, 0, 16)), data), "at 0 Hz"},
      {riff(chunk("fmt ", format(1, 1, 400_000, 16)), data), "sample rate of 400000"},
      {riff(chunk("fmt ", badAlign), data), "frames of 3 bytes"},
      {riff(chunk("fmt ", format(1, 1, 44_100, 24)), data), "inside a frame"},
      {riff(format, chunk("data", new byte[0])), "no samples"},
      {rf64, "not plain WAVE"},
    };
    Path file = folder.resolve("a.wav");
    for (Object[] one : cases) {
      Files.write(file, (byte[]) one[0]);
      refuses(file, (String) one[1]);
    }
  }

  @Test
  void mutatedWavHeadersAreReadOrRefused() throws IOException {
    byte[] good =
        riff(
            chunk("LIST", new byte[5]),
            chunk("fmt ", extensible(1, 2, 16)),
            chunk("data", new byte[400]));
    SplittableRandom random = new SplittableRandom(20);
    Path file = folder.resolve("a.wav");
    int read = 0;
    for (int i = 0; i < 3000; i++) {
      byte[] bytes = good.clone();
      int changes = 1 + random.nextInt(4);
      for (int k = 0; k < changes; k++) {
        bytes[4 + random.nextInt(80)] = (byte) random.nextInt(256);
      }
      if (random.nextInt(5) == 0) {
        bytes = Arrays.copyOf(bytes, 4 + random.nextInt(bytes.length - 4));
      }
      Files.write(file, bytes);
      try {
        assertThat(AudioFile.decode(file).frames()).isPositive();
        read++;
      } catch (AudioException e) {
        assertThat(e.getMessage()).contains("a.wav");
      }
    }
    assertThat(read).isBetween(100, 2900);
  }

  @Test
  void mutatedEncodedFilesAreReadOrRefused() throws IOException {
    Pcm pcm = grid(16, 6000, 2, 48_000, 10);
    SplittableRandom random = new SplittableRandom(21);
    for (Encoding encoding :
        new Encoding[] {
          Encoding.FLAC_16,
          Encoding.opus(32_000),
          new Encoding("mp3", "libmp3lame", SampleFormat.S16P, 0, 64_000),
          new Encoding("ipod", "aac", SampleFormat.FLTP, 0, 64_000)
        }) {
      Path file = folder.resolve("fuzzed");
      FfmpegEncoder.encode(pcm, file, encoding);
      byte[] good = Files.readAllBytes(file);
      for (int i = 0; i < 60; i++) {
        byte[] bytes = good.clone();
        for (int k = 0; k < 8; k++) {
          bytes[random.nextInt(Math.min(bytes.length, k < 4 ? 200 : bytes.length))] =
              (byte) random.nextInt(256);
        }
        Files.write(file, bytes);
        try {
          assertThat(AudioFile.decode(file).isFinite()).isTrue();
        } catch (AudioException e) {
          assertThat(e.getMessage()).contains("fuzzed");
        }
      }
    }
  }

  // ---- writing

  @Test
  void writersRefuseWhatTheyCannotWrite() {
    Pcm good = Pcm.ofMono(new float[100], 44_100);
    Path file = folder.resolve("a.wav");
    assertThatThrownBy(() -> AudioWriter.wav16(Pcm.ofMono(new float[0], 44_100), file))
        .hasMessageContaining("without frames");
    assertThatThrownBy(() -> AudioWriter.wav16(Pcm.ofMono(new float[] {Float.NaN}, 8000), file))
        .hasMessageContaining("not numbers");
    assertThatThrownBy(() -> AudioWriter.wav16(new Pcm(new float[3][10], 8000), file))
        .hasMessageContaining("one or two channels");
    assertThatThrownBy(() -> AudioWriter.wav16(good, folder.resolve("no/such/a.wav")))
        .isInstanceOf(AudioException.class)
        .hasMessageContaining("folder does not exist");
    assertThatThrownBy(() -> AudioWriter.flac(good, folder)).hasMessageContaining("is a folder");
    assertThatThrownBy(() -> AudioWriter.opus(good, file, 1))
        .hasMessageContaining("6000 to 510000");
  }

  @Test
  void failedWriteLeavesTheOldFileAndNothingElse() throws IOException {
    Path file = folder.resolve("a.flac");
    Files.writeString(file, "old");
    assertThatThrownBy(() ->
            Aside.write(
                file,
                aside -> {
                  Files.writeString(aside, "half");
                  throw new IOException("No space left on device");
                }))
        .isInstanceOf(AudioException.class)
        .hasMessageContaining("Cannot write")
        .hasMessageContaining("No space left");
    assertThat(Files.readString(file)).isEqualTo("old");
    try (Stream<Path> files = Files.list(folder)) {
      assertThat(files).containsExactly(file);
    }
  }

  // ---- real songs

  @Test
  void realSongsDecodeWhole() throws IOException {
    Path music = RealMusic.folder();
    for (String name :
        new String[] {
          "holizna/phonograph_album_holiznacc0_001-01-creppy-piano-1.ogg",
          "jordach/phonograph_album_mcl_mcl_jukebox_track_3.ogg",
          "everything-is-free/potassium/kick.m4a"
        }) {
      Path file = music.resolve(name);
      Pcm pcm = AudioFile.decode(file);
      assertThat(pcm.seconds()).isCloseTo(AudioFile.probe(file).seconds(), within(0.2));
      assertThat(pcm.seconds()).isGreaterThan(10);
    }
  }

  // ---- helpers

  private static void refuses(Path file, String why) {
    assertThatThrownBy(() -> AudioFile.decode(file))
        .isInstanceOf(AudioException.class)
        .hasMessageContaining(file.getFileName().toString())
        .hasMessageContaining(why);
  }

  /** Random samples that an integer format of so many bits holds exactly. */
  private static Pcm grid(int bits, int frames, int channels, int rate, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    float[][] samples = new float[channels][frames];
    int scale = 1 << (bits - 1);
    for (float[] channel : samples) {
      double level = 0;
      for (int i = 0; i < frames; i++) {
        level = 0.95 * level + 0.05 * (random.nextInt(2 * scale) - scale);
        channel[i] = Math.round(i % 1000 == 0 ? -scale : level) / (float) scale;
      }
    }
    return new Pcm(samples, rate);
  }

  private static Pcm tone(double hertz, double seconds, int channels, int rate) {
    float[][] samples = new float[channels][(int) (seconds * rate)];
    for (float[] channel : samples) {
      for (int i = 0; i < channel.length; i++) {
        channel[i] = (float) (0.5 * Math.sin(2 * Math.PI * hertz * i / rate));
      }
    }
    return new Pcm(samples, rate);
  }

  /** How much of the energy is a tone of this frequency. */
  private static double toneShare(Pcm pcm, double hertz) {
    double re = 0;
    double im = 0;
    double energy = 0;
    float[] x = pcm.channel(0);
    for (int i = 0; i < x.length; i++) {
      double phase = 2 * Math.PI * hertz * i / pcm.sampleRate();
      re += x[i] * Math.cos(phase);
      im += x[i] * Math.sin(phase);
      energy += x[i] * x[i];
    }
    return 2 * (re * re + im * im) / (energy * x.length);
  }

  private static byte[] format(int tag, int channels, int rate, int bits) {
    int align = channels * bits / 8;
    return ByteBuffer.allocate(16)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putShort((short) tag)
        .putShort((short) channels)
        .putInt(rate)
        .putInt(rate * align)
        .putShort((short) align)
        .putShort((short) bits)
        .array();
  }

  private static byte[] extensible(int tag, int channels, int bits) {
    byte[] plain = format(0xFFFE, channels, 44_100, bits);
    return ByteBuffer.allocate(40)
        .order(ByteOrder.LITTLE_ENDIAN)
        .put(plain)
        .putShort((short) 22)
        .putShort((short) bits)
        .putInt(3)
        .putInt(tag)
        .putInt(0x0010_0000)
        .putInt(0xAA00_0080)
        .putInt(0x719B_3800)
        .array();
  }

  private static byte[] chunk(String id, byte[] body) {
    return ByteBuffer.allocate(8 + body.length + (body.length & 1))
        .order(ByteOrder.LITTLE_ENDIAN)
        .put(id.getBytes(StandardCharsets.US_ASCII))
        .putInt(body.length)
        .put(body)
        .array();
  }

  private static byte[] riff(byte[]... chunks) {
    byte[] body = concat(chunks);
    return ByteBuffer.allocate(12 + body.length)
        .order(ByteOrder.LITTLE_ENDIAN)
        .put("RIFF".getBytes(StandardCharsets.US_ASCII))
        .putInt(4 + body.length)
        .put("WAVE".getBytes(StandardCharsets.US_ASCII))
        .put(body)
        .array();
  }

  private static byte[] concat(byte[]... parts) {
    int length = 0;
    for (byte[] part : parts) {
      length += part.length;
    }
    ByteBuffer all = ByteBuffer.allocate(length);
    for (byte[] part : parts) {
      all.put(part);
    }
    return all.array();
  }
}
