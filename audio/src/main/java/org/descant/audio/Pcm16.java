package org.descant.audio;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Packed samples of 16 bits, interleaved little-endian, in and out of planar floats: the hot path
 * of every loader. Stateless.
 */
public final class Pcm16 {
  private static final ValueLayout.OfInt INT_LE =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfShort SHORT_LE =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** Frames copied out of the memory at a time: 16 KiB of stereo stay in the first cache. */
  private static final int BLOCK_FRAMES = 4096;

  private Pcm16() {}

  /**
   * Unpacks {@code count} frames of one or two channels to planar floats of ±1 full scale.
   *
   * @param bytes holds the packed samples from {@code offset}
   * @param out one array a channel, filled from index {@code at}
   */
  public static void unpack(MemorySegment bytes, long offset, int count, float[][] out, int at) {
    switch (out.length) {
      case 1 -> mono(bytes, offset, count, out[0], at);
      case 2 -> stereo(bytes, offset, count, out[0], out[1], at);
      default ->
          throw new AudioException(
              "Packed samples are mono or stereo, %d channels were asked for."
                  .formatted(out.length));
    }
  }

  private static void mono(MemorySegment bytes, long offset, int count, float[] out, int at) {
    short[] block = new short[Math.min(BLOCK_FRAMES, count)];
    for (int done = 0; done < count; done += block.length) {
      int n = Math.min(block.length, count - done);
      MemorySegment.copy(bytes, SHORT_LE, offset + 2L * done, block, 0, n);
      int to = at + done;
      for (int i = 0; i < n; i++) {
        out[to + i] = block[i] * 0x1p-15f;
      }
    }
  }

  /** A frame of two samples is read as one int, which splits with two shifts. */
  private static void stereo(
      MemorySegment bytes, long offset, int count, float[] left, float[] right, int at) {
    int[] block = new int[Math.min(BLOCK_FRAMES, count)];
    for (int done = 0; done < count; done += block.length) {
      int n = Math.min(block.length, count - done);
      MemorySegment.copy(bytes, INT_LE, offset + 4L * done, block, 0, n);
      int to = at + done;
      for (int i = 0; i < n; i++) {
        left[to + i] = (block[i] << 16 >> 16) * 0x1p-15f;
      }
      for (int i = 0; i < n; i++) {
        right[to + i] = (block[i] >> 16) * 0x1p-15f;
      }
    }
  }
}
