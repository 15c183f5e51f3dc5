package org.descant.audio.analysis;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import javax.imageio.ImageIO;
import org.descant.audio.Aside;
import org.descant.audio.AudioException;
import org.descant.audio.Pcm;

/**
 * A mel spectrogram as a PNG: time from left to right, 20 Hz at the bottom to half the sample rate
 * at the top, dark is 80 dB below the loudest point.
 */
public final class SpectrogramImage {
  private static final int FFT_SIZE = 2048;
  private static final int HEIGHT = 256;
  private static final int WIDTH_MAX = 1600;
  private static final int HOP_MIN = 256;
  private static final double LOW_HERTZ = 20;
  private static final double RANGE_DB = 80;
  private static final double POWER_MIN = 1e-12;

  /** Red, green, blue from quiet to loud; brightness rises steadily, so it prints in grey too. */
  private static final int[][] COLOURS = {
    {8, 8, 20},
    {40, 20, 90},
    {110, 28, 110},
    {180, 50, 90},
    {235, 105, 55},
    {250, 190, 80},
    {255, 250, 210}
  };

  private SpectrogramImage() {}

  /**
   * Draws the sound, mixed to mono, at up to {@value #WIDTH_MAX} by {@value #HEIGHT} points.
   *
   * @throws AudioException if the sound has no frames or the file cannot be written
   */
  public static void png(Pcm pcm, Path file) {
    BufferedImage image = of(pcm);
    Aside.write(
        file,
        aside -> {
          if (!ImageIO.write(image, "png", aside.toFile())) {
            throw new IOException("this Java has no PNG writer");
          }
        });
  }

  /**
   * The same picture in memory.
   *
   * @throws AudioException if the sound has no frames
   */
  public static BufferedImage of(Pcm pcm) {
    if (pcm.frames() == 0) {
      throw new AudioException("A sound without frames cannot be drawn.");
    }
    return draw(pcm.mono().channel(0), pcm.sampleRate());
  }

  private static BufferedImage draw(float[] samples, int sampleRate) {
    int hop = Math.max(HOP_MIN, (samples.length + WIDTH_MAX - 2) / (WIDTH_MAX - 1));
    MelBands bands =
        new MelBands(
            HEIGHT, sampleRate, FFT_SIZE, Math.min(LOW_HERTZ, sampleRate / 8.0), sampleRate / 2.0);
    float[][] decibels = new float[Spectra.frameCount(samples.length, hop)][HEIGHT];
    Spectra.forEachFrame(
        samples,
        FFT_SIZE,
        hop,
        (frame, magnitudes) -> {
          bands.power(magnitudes, decibels[frame]);
          for (int band = 0; band < HEIGHT; band++) {
            decibels[frame][band] = (float) (10 * Math.log10(decibels[frame][band] + POWER_MIN));
          }
        });
    float loudest = Float.NEGATIVE_INFINITY;
    for (float[] frame : decibels) {
      for (float value : frame) {
        loudest = Math.max(loudest, value);
      }
    }
    BufferedImage image = new BufferedImage(decibels.length, HEIGHT, BufferedImage.TYPE_INT_RGB);
    for (int x = 0; x < decibels.length; x++) {
      for (int band = 0; band < HEIGHT; band++) {
        double level = 1 + (decibels[x][band] - loudest) / RANGE_DB;
        image.setRGB(x, HEIGHT - 1 - band, colour(Math.clamp(level, 0, 1)));
      }
    }
    return image;
  }

  private static int colour(double level) {
    double place = level * (COLOURS.length - 1);
    int low = Math.min((int) place, COLOURS.length - 2);
    int rgb = 0;
    for (int i = 0; i < 3; i++) {
      double from = COLOURS[low][i];
      double to = COLOURS[low + 1][i];
      rgb = rgb << 8 | (int) Math.round(from + (place - low) * (to - from));
    }
    return rgb;
  }
}
