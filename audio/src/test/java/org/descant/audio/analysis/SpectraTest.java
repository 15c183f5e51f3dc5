package org.descant.audio.analysis;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Path;
import java.util.SplittableRandom;
import javax.imageio.ImageIO;
import org.descant.audio.AudioException;
import org.descant.audio.AudioFile;
import org.descant.audio.AudioWriter;
import org.descant.audio.MusicalKey;
import org.descant.audio.Pcm;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SpectraTest {
  @TempDir Path folder;

  @Test
  void magnitudesAreThoseOfTheDefinition() {
    SplittableRandom random = new SplittableRandom(1);
    float[] samples = new float[300];
    for (int i = 0; i < samples.length; i++) {
      samples[i] = (float) (random.nextDouble() - 0.5);
    }
    int size = 64;
    int hop = 48;
    float[][] fast = Spectra.magnitudes(samples, size, hop);
    assertThat(fast).hasNumberOfRows(1 + 300 / 48);
    for (int frame = 0; frame < fast.length; frame++) {
      for (int bin = 0; bin <= size / 2; bin++) {
        double re = 0;
        double im = 0;
        for (int i = 0; i < size; i++) {
          int at = frame * hop - size / 2 + i;
          if (at >= 0 && at < samples.length) {
            double windowed = samples[at] * (0.5 - 0.5 * Math.cos(2 * Math.PI * i / size));
            re += windowed * Math.cos(2 * Math.PI * bin * i / size);
            im -= windowed * Math.sin(2 * Math.PI * bin * i / size);
          }
        }
        assertThat((double) fast[frame][bin]).isCloseTo(Math.hypot(re, im), within(1e-4));
      }
    }
  }

  @Test
  void aFullScaleSineHasAQuarterOfTheSize() {
    float[] samples = new float[8192];
    for (int i = 0; i < samples.length; i++) {
      samples[i] = (float) Math.sin(2 * Math.PI * 64 * i / 1024);
    }
    assertThat(Spectra.magnitudes(samples, 1024, 512)[8][64]).isCloseTo(256, within(0.5f));
  }

  @Test
  void sizesThatCannotBeAreRefused() {
    assertThatThrownBy(() -> Spectra.magnitudes(new float[10], 1000, 10))
        .isInstanceOf(AudioException.class)
        .hasMessageContaining("power of two");
    assertThatThrownBy(() -> Spectra.magnitudes(new float[10], 1024, 0))
        .isInstanceOf(AudioException.class);
    assertThatThrownBy(() -> new MelBands(10, 8000, 1024, 0, 5000))
        .hasMessageContaining("do not fit");
  }

  @Test
  void melDistanceIsZeroForTheSameAndGrowsWithDamage() {
    Pcm song = song().resampled(44_100);
    assertThat(MelDistance.between(song, song)).isZero();
    Path file = folder.resolve("a.opus");
    double before = 0;
    for (int bitsPerSecond : new int[] {128_000, 32_000, 12_000}) {
      AudioWriter.opus(song, file, bitsPerSecond);
      double distance = MelDistance.between(song, AudioFile.decode(file));
      assertThat(distance).isGreaterThan(before).isLessThan(15);
      before = distance;
    }
    Pcm silence = Pcm.ofMono(new float[song.frames()], 44_100);
    assertThat(MelDistance.between(song, silence)).isBetween(before, 60.0);
  }

  @Test
  void aGainOfSixDecibelsIsADistanceOfAlmostSix() {
    SplittableRandom random = new SplittableRandom(2);
    float[] noise = new float[44_100];
    float[] half = new float[44_100];
    for (int i = 0; i < noise.length; i++) {
      noise[i] = (float) (random.nextDouble() - 0.5);
      half[i] = noise[i] / 2;
    }
    assertThat(MelDistance.between(Pcm.ofMono(noise, 44_100), Pcm.ofMono(half, 44_100)))
        .isCloseTo(6.02, within(0.05));
  }

  @Test
  void waveformIsTheOutline() {
    Pcm pcm = new Pcm(new float[][] {{0, 1, 0, -1}, {0.5f, 0, -0.5f, 0}}, 8000);
    assertThat(Waveform.peaks(pcm, 2)).isDeepEqualTo(new float[][] {{0, -1}, {1, 0}});
    assertThat(Waveform.peaks(pcm, 8)[0]).hasSize(8);
    assertThatThrownBy(() -> Waveform.peaks(pcm, 0)).isInstanceOf(AudioException.class);
  }

  @Test
  void spectrogramShowsAToneWhereItIs() throws IOException {
    float[] samples = new float[22_050];
    for (int i = 0; i < samples.length; i++) {
      samples[i] = (float) Math.sin(2 * Math.PI * 1000 * i / 22_050);
    }
    Path file = folder.resolve("a.png");
    SpectrogramImage.png(Pcm.ofMono(samples, 22_050), file);
    var image = ImageIO.read(file.toFile());
    int x = image.getWidth() / 2;
    int brightest = 0;
    for (int y = 0; y < image.getHeight(); y++) {
      brightest = green(image.getRGB(x, y)) > green(image.getRGB(x, brightest)) ? y : brightest;
    }
    double mel = 1 - brightest / (double) image.getHeight();
    double expected = Math.log10(1 + 1000 / 700.0) / Math.log10(1 + 11_025 / 700.0);
    assertThat(mel).isCloseTo(expected, within(0.03));
    assertThatThrownBy(() -> SpectrogramImage.png(Pcm.ofMono(new float[0], 8000), file))
        .isInstanceOf(AudioException.class);
  }

  private static int green(int rgb) {
    return rgb >> 8 & 255;
  }

  private static Pcm song() {
    return TestSong.of(TestSong.Style.ROCK, 110, MusicalKey.parse("G"), 6, 1).pcm();
  }
}
