package org.descant.audio;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Streams that no encoder writes but the format allows, made here bit by bit: every kind of
 * subframe, stereo form and residual, compared with the samples they were made of and with FFmpeg.
 */
class FlacDecoderTest {
  private static final int BLOCK = 256;
  private static final int RATE = 44_100;

  @TempDir Path folder;

  @Test
  void everyKindOfFrameDecodesAsFfmpegDecodesIt() throws Exception {
    var random = new SplittableRandom(1);
    for (int trial = 0; trial < 60; trial++) {
      int channels = 1 + trial % 2;
      int blocks = random.nextInt(1, 6);
      int[][] samples = new int[channels][blocks * BLOCK];
      byte[] stream = stream(samples, blocks, random);
      float[][] planar = new float[channels][blocks * BLOCK];
      for (int c = 0; c < channels; c++) {
        for (int i = 0; i < planar[c].length; i++) {
          planar[c][i] = samples[c][i] / 32768f;
        }
      }
      Pcm whole = new Pcm(planar, RATE);
      FlacStream flac = FlacStream.of(MemorySegment.ofArray(stream), "trial " + trial);
      assertThat(flac.read(0, whole.frames())).as("trial %d", trial).isEqualTo(whole);
      assertThat(flac.read(100, whole.frames() - 150))
          .isEqualTo(whole.slice(100, whole.frames() - 50));
      Path file = Files.write(folder.resolve("trial.flac"), stream);
      assertThat(AudioFile.decode(file)).isEqualTo(whole);
    }
  }

  /** Random damage gives an exception or some samples, never anything else, and never hangs. */
  @Test
  void damageOfAnyKindIsAnAudioExceptionAtMost() {
    var random = new SplittableRandom(2);
    int refused = 0;
    for (int trial = 0; trial < 2_000; trial++) {
      byte[] stream = FlacStream.encode(AudioSlicesTest.music(2, 5_000, 16, trial % 7));
      for (int i = random.nextInt(1, 6); i > 0; i--) {
        stream[random.nextInt(42, stream.length)] = (byte) random.nextInt(256);
      }
      try {
        FlacStream flac = FlacStream.of(MemorySegment.ofArray(stream), "damaged");
        flac.read(0, (int) Math.min(5_000, flac.frames()));
      } catch (AudioException e) {
        refused++;
      }
    }
    assertThat(refused).isPositive();
  }

  private static byte[] stream(int[][] samples, int blocks, SplittableRandom random) {
    var out = new ByteArrayOutputStream();
    out.writeBytes(new byte[] {'f', 'L', 'a', 'C', (byte) 0x80, 0, 0, 34});
    out.writeBytes(
        ByteBuffer.allocate(34)
            .putShort((short) BLOCK)
            .putShort((short) BLOCK)
            .putLong(
                10,
                (long) RATE << 44 | (samples.length - 1L) << 41 | 15L << 36 | (long) blocks * BLOCK)
            .array());
    for (int block = 0; block < blocks; block++) {
      int assignment = samples.length == 1 ? 0 : new int[] {1, 8, 9, 10}[random.nextInt(4)];
      var frame = new Bits();
      frame.put(0xFFF8, 16);
      frame.put(0x79, 8); // Block size in 16 bits, 44.1 kHz.
      frame.put(assignment << 4 | 4 << 1, 8); // 16 bits.
      frame.put(block, 8);
      frame.put(BLOCK - 1, 16);
      frame.put(crc(frame.bytes(), 0x07, 8), 8);
      int[] a = new int[BLOCK];
      int[] b = new int[BLOCK];
      int limit = random.nextInt(3) == 0 ? 16_000 : 200;
      // What is written is made here; the channels follow from it.
      subframe(frame, a, assignment == 9 ? 17 : 16, limit, random);
      if (samples.length == 2) {
        subframe(frame, b, assignment == 8 || assignment == 10 ? 17 : 16, limit, random);
      }
      frame.align();
      frame.put(crc(frame.bytes(), 0x8005, 16), 16);
      out.writeBytes(frame.bytes());
      for (int i = 0; i < BLOCK; i++) {
        int at = block * BLOCK + i;
        if (samples.length == 1) {
          samples[0][at] = a[i];
          continue;
        }
        int twice = 2 * a[i] + (b[i] & 1);
        samples[0][at] =
            switch (assignment) {
              case 9 -> a[i] + b[i];
              case 10 -> (twice + b[i]) / 2;
              default -> a[i];
            };
        samples[1][at] =
            switch (assignment) {
              case 8 -> a[i] - b[i];
              case 10 -> (twice - b[i]) / 2;
              default -> b[i];
            };
      }
    }
    return out.toByteArray();
  }

  /** Writes one channel in a form drawn at random, and what it holds into {@code out}. */
  private static void subframe(
      Bits bits, int[] out, int width, int loudest, SplittableRandom random) {
    int wasted = random.nextInt(3) == 0 ? random.nextInt(1, 4) : 0;
    int limit = Math.min(loudest, 1 << 13 - wasted); // Sums of two channels stay in 16 bits.
    int kind = random.nextInt(4);
    int order =
        switch (kind) {
          case 2 -> random.nextInt(5);
          case 3 -> random.nextInt(1, 33);
          default -> 0;
        };
    int constant = random.nextInt(-limit, limit);
    for (int i = 0; i < BLOCK; i++) {
      int tone = (int) (limit / 2 * Math.sin(0.03 * i)) + random.nextInt(-limit / 8, limit / 8);
      out[i] = kind == 0 ? constant : tone;
    }
    int type =
        switch (kind) {
          case 0 -> 0;
          case 1 -> 1;
          case 2 -> 8 + order;
          default -> 31 + order;
        };
    bits.put(type << 1 | (wasted > 0 ? 1 : 0), 8);
    if (wasted > 0) {
      bits.put(1, wasted); // wasted - 1 zeros, then a one.
    }
    int left = width - wasted;
    switch (kind) {
      case 0 -> bits.put(out[0], left);
      case 1 -> {
        for (int sample : out) {
          bits.put(sample, left);
        }
      }
      default -> {
        for (int i = 0; i < order; i++) {
          bits.put(out[i], left);
        }
        int shift = 0;
        int[] c = {};
        if (kind == 2) {
          c = new int[][] {{}, {1}, {2, -1}, {3, -3, 1}, {4, -6, 4, -1}}[order];
        } else {
          int precision = random.nextInt(2, 16);
          shift = Math.min(15, precision + random.nextInt(2));
          c = new int[order];
          bits.put(precision - 1, 4);
          bits.put(shift, 5);
          for (int i = 0; i < order; i++) {
            c[i] = random.nextInt(-(1 << precision - 1), 1 << precision - 1) / order;
            bits.put(c[i], precision);
          }
        }
        residual(bits, out, c, shift, random);
      }
    }
    for (int i = 0; i < BLOCK; i++) {
      out[i] <<= wasted;
    }
  }

  private static void residual(
      Bits bits, int[] samples, int[] c, int shift, SplittableRandom random) {
    int method = random.nextInt(2);
    int order = c.length;
    int partitionOrder = random.nextInt(order <= 16 ? 4 : 3);
    bits.put(method, 2);
    bits.put(partitionOrder, 4);
    int length = BLOCK >> partitionOrder;
    for (int p = 0; p < 1 << partitionOrder; p++) {
      boolean escaped = random.nextInt(4) == 0;
      int k = random.nextInt(3, 12);
      bits.put(escaped ? (method == 0 ? 15 : 31) : k, method == 0 ? 4 : 5);
      if (escaped) {
        bits.put(24, 5);
      }
      for (int i = Math.max(order, p * length); i < (p + 1) * length; i++) {
        long sum = 0;
        for (int j = 0; j < order; j++) {
          sum += (long) c[j] * samples[i - 1 - j];
        }
        int rest = samples[i] - (int) (sum >> shift);
        if (escaped) {
          bits.put(rest, 24);
        } else {
          int folded = rest << 1 ^ rest >> 31;
          for (int zeros = folded >>> k; zeros > 0; zeros -= Math.min(zeros, 32)) {
            bits.put(0, Math.min(zeros, 32));
          }
          bits.put(1, 1);
          bits.put(folded, k);
        }
      }
    }
  }

  private static int crc(byte[] bytes, int polynomial, int width) {
    int crc = 0;
    for (byte next : bytes) {
      for (int bit = 7; bit >= 0; bit--) {
        int top = crc >>> (width - 1) & 1 ^ next >>> bit & 1;
        crc = crc << 1 & (1 << width) - 1;
        crc ^= top == 1 ? polynomial : 0;
      }
    }
    return crc;
  }

  private static final class Bits {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private int last;
    private int count;

    void put(int value, int width) {
      for (int bit = width - 1; bit >= 0; bit--) {
        last = last << 1 | (value >>> bit & 1);
        if (++count == 8) {
          out.write(last);
          count = 0;
        }
      }
    }

    void align() {
      while (count > 0) {
        put(0, 1);
      }
    }

    byte[] bytes() {
      return out.toByteArray();
    }
  }
}
