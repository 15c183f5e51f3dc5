package org.descant.audio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AudioSlicesTest {
  @TempDir Path folder;

  /** Tones and a little noise on the 16-bit grid, so that predictors and Rice codes all work. */
  static Pcm music(int channels, int frames, int bits, long seed) {
    var random = new SplittableRandom(seed);
    float[][] planar = new float[channels][frames];
    float grid = 1 << (bits - 1);
    for (int c = 0; c < channels; c++) {
      for (int i = 0; i < frames; i++) {
        double value = 0.6 * Math.sin(0.01 * (c + 2) * i) + 0.1 * random.nextDouble(-1, 1);
        planar[c][i] = Math.round(value * grid) / grid;
      }
    }
    return new Pcm(planar, 44_100);
  }

  private static void assertAnyPartIs(Pcm whole, AudioSlices slices, long seed) {
    assertThat(slices.frames()).isEqualTo(whole.frames());
    assertThat(slices.channels()).isEqualTo(whole.channelCount());
    assertThat(slices.sampleRate()).isEqualTo(whole.sampleRate());
    assertThat(slices.read(0, whole.frames())).isEqualTo(whole);
    var random = new SplittableRandom(seed);
    for (int trial = 0; trial < 60; trial++) {
      int from = random.nextInt(whole.frames() + 1);
      int count = random.nextInt(whole.frames() - from + 1);
      assertThat(slices.read(from, count)).isEqualTo(whole.slice(from, from + count));
    }
    assertThatThrownBy(() -> slices.read(whole.frames() - 1, 2)).isInstanceOf(AudioException.class);
    assertThatThrownBy(() -> slices.read(-1, 2)).isInstanceOf(AudioException.class);
  }

  @Test
  void anyPartOfAnyWavIsThatPartOfTheWhole() {
    for (int channels = 1; channels <= 2; channels++) {
      Pcm sound = music(channels, 30_011, 16, channels);
      AudioWriter.wav16(sound, folder.resolve("a.wav"));
      AudioWriter.wav24(music(channels, 9_973, 24, 3), folder.resolve("b.wav"));
      try (var slices = AudioSlices.open(folder.resolve("a.wav"))) {
        assertAnyPartIs(sound, slices, 1);
      }
      try (var slices = AudioSlices.open(folder.resolve("b.wav"))) {
        assertAnyPartIs(AudioFile.decode(folder.resolve("b.wav")), slices, 2);
      }
    }
  }

  @Test
  void anyPartOfAFlacFileWithoutATableIsThatPartOfTheWhole() {
    for (int channels = 1; channels <= 2; channels++) {
      Pcm sound = music(channels, 50_021, 16, channels);
      AudioWriter.flac(sound, folder.resolve("a.flac"));
      AudioWriter.flac24(music(channels, 20_011, 24, 4), folder.resolve("b.flac"));
      try (var slices = AudioSlices.open(folder.resolve("a.flac"))) {
        assertAnyPartIs(sound, slices, 1);
      }
      try (var slices = AudioSlices.open(folder.resolve("b.flac"))) {
        assertAnyPartIs(AudioFile.decode(folder.resolve("b.flac")), slices, 2);
      }
    }
  }

  @Test
  void whatIsEncodedInMemoryIsAFlacFileForEverybodyAndComesBackInParts() throws Exception {
    for (int frames : new int[] {1, 100, 4096, 4097, 40_000}) {
      Pcm sound = music(2, frames, 16, frames);
      byte[] bytes = FlacStream.encode(sound);
      assertThat(FlacStream.encode(sound)).isEqualTo(bytes);
      Path file = Files.write(folder.resolve("own.flac"), bytes);
      assertThat(AudioFile.decode(file)).isEqualTo(sound);
      try (var slices = AudioSlices.open(file)) {
        assertAnyPartIs(sound, slices, 1);
      }
    }
  }

  @Test
  void manyThreadsReadTheSameStream() {
    Pcm sound = music(2, 60_000, 16, 1);
    FlacStream stream = FlacStream.of(MemorySegment.ofArray(FlacStream.encode(sound)), "sound");
    IntStream.range(0, 400)
        .parallel()
        .forEach(i ->
            assertThat(stream.read(97 * i, 1000)).isEqualTo(sound.slice(97 * i, 97 * i + 1000)));
  }

  @Test
  void tagsInFrontArePassedOver() throws Exception {
    Pcm sound = music(1, 10_000, 16, 1);
    var bytes = new ByteArrayOutputStream();
    bytes.writeBytes(new byte[] {'I', 'D', '3', 4, 0, 0, 0, 0, 0, 5, 1, 2, 3, 4, 5});
    bytes.writeBytes(FlacStream.encode(sound));
    FlacStream stream = FlacStream.of(MemorySegment.ofArray(bytes.toByteArray()), "sound");
    assertThat(stream.read(5_000, 10)).isEqualTo(sound.slice(5_000, 5_010));
  }

  @Test
  void aTableThatLiesIsFoundWhenItIsUsed() {
    byte[] bytes = FlacStream.encode(music(2, 20_000, 16, 1));
    int table = 4 + 4 + 34 + 4;
    ByteBuffer points = ByteBuffer.wrap(bytes);
    points.putLong(table + 18 + 8, points.getLong(table + 18 + 8) + 3);
    FlacStream stream = FlacStream.of(MemorySegment.ofArray(bytes), "sound");
    assertThatThrownBy(() -> stream.read(4_000, 1_000))
        .isInstanceOf(AudioException.class)
        .hasMessageContaining("seek table");
  }

  /** Every cut is refused on opening, or when the frame that is cut is read. */
  @Test
  void aStreamCutShortNeverGivesWrongSamples() {
    Pcm sound = music(2, 12_000, 16, 1);
    byte[] bytes = FlacStream.encode(sound);
    var random = new SplittableRandom(1);
    int refused = 0;
    for (int trial = 0; trial < 100; trial++) {
      byte[] cut =
          Arrays.copyOf(bytes, random.nextInt(trial < 50 ? 0 : bytes.length - 400, bytes.length));
      int missing = bytes.length - cut.length;
      try {
        Pcm read = FlacStream.of(MemorySegment.ofArray(cut), "sound").read(0, sound.frames());
        assertThat(read).isEqualTo(sound);
        assertThat(missing).as("only the last checksum is cut").isLessThanOrEqualTo(2);
      } catch (AudioException e) {
        refused++;
      }
    }
    assertThat(refused).isGreaterThan(95);
  }

  @Test
  void aFileThatIsNeitherIsRefused() throws Exception {
    Path file = Files.writeString(folder.resolve("note.txt"), "no sound in here, only words");
    assertThatThrownBy(() -> AudioSlices.open(file)).isInstanceOf(AudioException.class);
    Path wav = folder.resolve("cut.wav");
    AudioWriter.wav16(music(1, 1_000, 16, 1), wav);
    try (var whole = new RandomAccessFile(wav.toFile(), "rw")) {
      whole.setLength(500);
    }
    assertThatThrownBy(() -> AudioSlices.open(wav)).hasMessageContaining("truncated");
  }
}
