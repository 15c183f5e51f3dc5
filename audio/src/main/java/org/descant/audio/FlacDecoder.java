package org.descant.audio;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Decodes single FLAC frames (RFC 9639 §9), for slices: a frame costs what its samples cost, with
 * no native codec to set up. One thread at a time has a decoder; its arrays are used again.
 *
 * <p>Bits are taken from the top of a 64-bit window that is filled up without a branch; a Rice code
 * is one count of leading zeros and one shift. Predictors of up to 12 coefficients are unrolled.
 */
final class FlacDecoder {
  private static final VarHandle LONG_BE =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);
  private static final int IDLE_MAX = 32;
  private static final Queue<FlacDecoder> IDLE = new ConcurrentLinkedQueue<>();
  private static final AtomicInteger IDLE_COUNT = new AtomicInteger();

  /** Zeros in front of the samples, so that an unrolled predictor may look back beyond them. */
  private static final int LOOK_BACK = 32;

  /** Zeros behind the frame, so that filling the window needs no check. */
  private static final int PADDING_BYTES = 16;

  /** After a refill the window holds at least so many bits. */
  private static final int WINDOW_BITS = 56;

  private byte[] input = new byte[0];
  private int inputBytes;
  private int[] first = new int[0];
  private int[] second = new int[0];
  private final long[] coefficients = new long[LOOK_BACK];

  /** The window: its top {@code held} bits are the next ones; {@code next} is the next byte. */
  private long window;

  private int held;
  private int next;

  private int channels;
  private int bits;
  private int assignment;

  private FlacDecoder() {}

  static FlacDecoder borrow() {
    FlacDecoder idle = IDLE.poll();
    if (idle == null) {
      return new FlacDecoder();
    }
    IDLE_COUNT.decrementAndGet();
    return idle;
  }

  /** Ends a loan. */
  void giveBack() {
    if (IDLE_COUNT.incrementAndGet() > IDLE_MAX) {
      IDLE_COUNT.decrementAndGet();
    } else {
      IDLE.add(this);
    }
  }

  /**
   * Decodes the frame that lies from {@code begin} to {@code end}; how many samples it holds.
   *
   * @throws AudioException when the bits are no frame of this format
   */
  int decode(MemorySegment bytes, long begin, long end, FlacFrames.Format format, String name) {
    inputBytes = Math.toIntExact(end - begin);
    if (input.length < inputBytes + PADDING_BYTES) {
      input = new byte[inputBytes + inputBytes / 2 + PADDING_BYTES];
    }
    MemorySegment.copy(bytes, ValueLayout.JAVA_BYTE, begin, input, 0, inputBytes);
    Arrays.fill(input, inputBytes, inputBytes + PADDING_BYTES, (byte) 0);
    FlacFrames.Header header = FlacFrames.header(bytes, begin, format);
    if (header == null) {
      throw FlacStream.damaged(name, "no frame begins where one should");
    }
    channels = format.channels();
    bits = format.bits();
    assignment = (input[3] & 0xF0) >>> 4;
    boolean stereo = channels == 2;
    if (assignment > 10 || (assignment < 8 ? assignment + 1 != channels : !stereo)) {
      throw FlacStream.damaged(name, "a frame has other channels than the stream");
    }
    int samples = header.frames();
    if (first.length < LOOK_BACK + samples) {
      first = new int[LOOK_BACK + samples];
      second = new int[LOOK_BACK + samples];
    }
    next = header.bytes();
    window = 0;
    held = 0;
    try {
      subframe(first, samples, assignment == 9 ? bits + 1 : bits);
      if (stereo) {
        subframe(second, samples, assignment == 8 || assignment == 10 ? bits + 1 : bits);
      }
      if (next - held / 8 > inputBytes) {
        throw new IndexOutOfBoundsException("past the end");
      }
    } catch (IndexOutOfBoundsException | Malformed e) {
      throw new AudioException(
          "%s is a damaged FLAC stream: a frame does not decode; deliver the file again."
              .formatted(name),
          e);
    }
    return samples;
  }

  /** Bits that no encoder writes. */
  private static final class Malformed extends RuntimeException {
    private static final long serialVersionUID = 1L;

    Malformed(String message) {
      super(message, null, false, false);
    }
  }

  private void refill() {
    if (next > inputBytes + PADDING_BYTES / 2) {
      throw new Malformed("the frame goes on past its end");
    }
    window |= (long) LONG_BE.get(input, next) >>> held;
    next += (63 - held) >>> 3;
    held |= WINDOW_BITS;
  }

  /** The next 1 to 32 bits. */
  private int unsigned(int count) {
    refill();
    int value = (int) (window >>> (64 - count));
    window <<= count;
    held -= count;
    return value;
  }

  private int signed(int count) {
    refill();
    int value = (int) (window >> (64 - count));
    window <<= count;
    held -= count;
    return value;
  }

  /** How many zeros come before the next one. */
  private int unary() {
    int zeros = 0;
    refill();
    while (window == 0) {
      zeros += held;
      held = 0;
      refill();
    }
    int count = Long.numberOfLeadingZeros(window);
    // Bits past the held ones are not counted off yet, so the one may lie beyond them.
    while (count >= held) {
      zeros += held;
      window <<= held;
      held = 0;
      refill();
      count = Long.numberOfLeadingZeros(window);
    }
    window <<= count + 1;
    held -= count + 1;
    return zeros + count;
  }

  private void subframe(int[] out, int samples, int sampleBits) {
    int head = unsigned(8);
    if (head >= 0x80) {
      throw new Malformed("a subframe begins with a one");
    }
    int wasted = (head & 1) == 0 ? 0 : unary() + 1;
    int width = sampleBits - wasted;
    if (width < 1) {
      throw new Malformed("all bits are wasted");
    }
    int type = head >>> 1 & 0x3F;
    if (type == 0) {
      Arrays.fill(out, LOOK_BACK, LOOK_BACK + samples, signed(width));
    } else if (type == 1) {
      for (int i = 0; i < samples; i++) {
        out[LOOK_BACK + i] = signed(width);
      }
    } else if (type >= 8 && type <= 12) {
      int order = type - 8;
      warmUp(out, order, width, samples);
      residual(out, samples, order);
      fixed(out, samples, order);
    } else if (type >= 32) {
      int order = type - 31;
      warmUp(out, order, width, samples);
      int precision = unsigned(4) + 1;
      int shift = signed(5);
      if (precision == 16 || shift < 0) {
        throw new Malformed("a predictor without precision");
      }
      Arrays.fill(coefficients, 0);
      for (int i = 0; i < order; i++) {
        coefficients[i] = signed(precision);
      }
      residual(out, samples, order);
      predict(out, samples, order, shift);
    } else {
      throw new Malformed("a subframe of a reserved type");
    }
    if (wasted > 0) {
      for (int i = 0; i < samples; i++) {
        out[LOOK_BACK + i] <<= wasted;
      }
    }
  }

  private void warmUp(int[] out, int order, int width, int samples) {
    if (order > samples) {
      throw new Malformed("a predictor longer than its block");
    }
    for (int i = 0; i < order; i++) {
      out[LOOK_BACK + i] = signed(width);
    }
  }

  private void residual(int[] out, int samples, int order) {
    int method = unsigned(2);
    if (method > 1) {
      throw new Malformed("a residual of a reserved kind");
    }
    int partitions = 1 << unsigned(4);
    int length = samples / partitions;
    if (length * partitions != samples || length < order) {
      throw new Malformed("partitions that do not fit the block");
    }
    int parameterBits = method == 0 ? 4 : 5;
    int escape = (1 << parameterBits) - 1;
    int at = LOOK_BACK + order;
    for (int p = 0; p < partitions; p++) {
      int to = LOOK_BACK + (p + 1) * length;
      int parameter = unsigned(parameterBits);
      if (parameter < escape) {
        rice(out, at, to, parameter);
      } else {
        int width = unsigned(5);
        for (int i = at; i < to; i++) {
          out[i] = width == 0 ? 0 : signed(width);
        }
      }
      at = to;
    }
  }

  /** Rice codes: a quotient in unary, {@code k} low bits, the sign folded into the lowest. */
  private void rice(int[] out, int from, int to, int k) {
    byte[] bytes = input;
    int limit = inputBytes + PADDING_BYTES / 2;
    long bitsLeft = window;
    int count = held;
    int at = next;
    int low = 63 - k;
    for (int i = from; i < to; i++) {
      if (at > limit) {
        throw new Malformed("the frame goes on past its end");
      }
      bitsLeft |= (long) LONG_BE.get(bytes, at) >>> count;
      at += (63 - count) >>> 3;
      count |= WINDOW_BITS;
      int quotient = Long.numberOfLeadingZeros(bitsLeft);
      int used = quotient + k + 1;
      int folded;
      if (used <= WINDOW_BITS) {
        long rest = bitsLeft << quotient; // Begins with the one that ends the unary part.
        folded = (quotient - 1 << k) + (int) (rest >>> low);
        bitsLeft = rest << 1 << k;
        count -= used;
      } else {
        window = bitsLeft;
        held = count;
        next = at;
        quotient = unary();
        folded = (quotient << k) + (k == 0 ? 0 : unsigned(k));
        bitsLeft = window;
        count = held;
        at = next;
      }
      out[i] = folded >>> 1 ^ -(folded & 1);
    }
    window = bitsLeft;
    held = count;
    next = at;
  }

  private static void fixed(int[] out, int samples, int order) {
    int to = LOOK_BACK + samples;
    int from = LOOK_BACK + order;
    int a = out[from - 1];
    int b = a - out[from - 2];
    int c = b - (out[from - 2] - out[from - 3]);
    int d = c - (out[from - 2] - 2 * out[from - 3] + out[from - 4]);
    switch (order) {
      case 0 -> {}
      case 1 -> {
        for (int i = from; i < to; i++) {
          a += out[i];
          out[i] = a;
        }
      }
      case 2 -> {
        for (int i = from; i < to; i++) {
          b += out[i];
          a += b;
          out[i] = a;
        }
      }
      case 3 -> {
        for (int i = from; i < to; i++) {
          c += out[i];
          b += c;
          a += b;
          out[i] = a;
        }
      }
      default -> {
        for (int i = from; i < to; i++) {
          d += out[i];
          c += d;
          b += c;
          a += b;
          out[i] = a;
        }
      }
    }
  }

  private void predict(int[] s, int samples, int order, int shift) {
    int from = LOOK_BACK + order;
    int to = LOOK_BACK + samples;
    if (order <= 4) {
      predict4(s, from, to, shift);
    } else if (order <= 8) {
      predict8(s, from, to, shift);
    } else if (order <= 12) {
      predict12(s, from, to, shift);
    } else {
      for (int i = from; i < to; i++) {
        long sum = 0;
        for (int j = 0; j < order; j++) {
          sum += coefficients[j] * s[i - 1 - j];
        }
        s[i] += (int) (sum >> shift);
      }
    }
  }

  private void predict4(int[] s, int from, int to, int shift) {
    long c1 = coefficients[0];
    long c2 = coefficients[1];
    long c3 = coefficients[2];
    long c4 = coefficients[3];
    long last = s[from - 1];
    for (int i = from; i < to; i++) {
      long older = c4 * s[i - 4] + c3 * s[i - 3] + c2 * s[i - 2];
      int value = s[i] + (int) (older + c1 * last >> shift);
      s[i] = value;
      last = value;
    }
  }

  private void predict8(int[] s, int from, int to, int shift) {
    long c1 = coefficients[0];
    long c2 = coefficients[1];
    long c3 = coefficients[2];
    long c4 = coefficients[3];
    long c5 = coefficients[4];
    long c6 = coefficients[5];
    long c7 = coefficients[6];
    long c8 = coefficients[7];
    long last = s[from - 1];
    long before = s[from - 2];
    for (int i = from; i < to; i++) {
      long older = c8 * s[i - 8] + c7 * s[i - 7] + (c6 * s[i - 6] + c5 * s[i - 5]);
      older += c4 * s[i - 4] + c3 * s[i - 3];
      older += c2 * before;
      int value = s[i] + (int) (older + c1 * last >> shift);
      s[i] = value;
      before = last;
      last = value;
    }
  }

  private void predict12(int[] s, int from, int to, int shift) {
    long c1 = coefficients[0];
    long c2 = coefficients[1];
    long c3 = coefficients[2];
    long c4 = coefficients[3];
    long c5 = coefficients[4];
    long c6 = coefficients[5];
    long c7 = coefficients[6];
    long c8 = coefficients[7];
    long c9 = coefficients[8];
    long c10 = coefficients[9];
    long c11 = coefficients[10];
    long c12 = coefficients[11];
    long last = s[from - 1];
    long before = s[from - 2];
    for (int i = from; i < to; i++) {
      long older = c12 * s[i - 12] + c11 * s[i - 11] + (c10 * s[i - 10] + c9 * s[i - 9]);
      older += c8 * s[i - 8] + c7 * s[i - 7] + (c6 * s[i - 6] + c5 * s[i - 5]);
      older += c4 * s[i - 4] + c3 * s[i - 3];
      older += c2 * before;
      int value = s[i] + (int) (older + c1 * last >> shift);
      s[i] = value;
      before = last;
      last = value;
    }
  }

  /** Copies part of the decoded frame as floats. */
  void copy(int skip, int count, float[][] out, int at) {
    float scale = 1f / (1 << (bits - 1));
    int from = LOOK_BACK + skip;
    if (channels == 1) {
      scaled(first, from, out[0], at, count, scale);
      return;
    }
    float[] left = out[0];
    float[] right = out[1];
    switch (assignment) {
      case 8 -> {
        scaled(first, from, left, at, count, scale);
        difference(first, second, from, right, at, count, scale);
      }
      case 9 -> {
        sum(first, second, from, left, at, count, scale);
        scaled(second, from, right, at, count, scale);
      }
      case 10 -> middle(from, left, right, at, count, scale);
      default -> {
        scaled(first, from, left, at, count, scale);
        scaled(second, from, right, at, count, scale);
      }
    }
  }

  private static void scaled(int[] in, int from, float[] out, int at, int count, float scale) {
    for (int i = 0; i < count; i++) {
      out[at + i] = in[from + i] * scale;
    }
  }

  private static void difference(
      int[] a, int[] b, int from, float[] out, int at, int count, float scale) {
    for (int i = 0; i < count; i++) {
      out[at + i] = (a[from + i] - b[from + i]) * scale;
    }
  }

  private static void sum(int[] a, int[] b, int from, float[] out, int at, int count, float scale) {
    for (int i = 0; i < count; i++) {
      out[at + i] = (a[from + i] + b[from + i]) * scale;
    }
  }

  /** The middle lost its lowest bit, which is the side's. */
  private void middle(int from, float[] left, float[] right, int at, int count, float scale) {
    int[] mid = first;
    int[] side = second;
    for (int i = 0; i < count; i++) {
      int twice = mid[from + i] << 1 | side[from + i] & 1;
      left[at + i] = (twice + side[from + i] >> 1) * scale;
    }
    for (int i = 0; i < count; i++) {
      int twice = mid[from + i] << 1 | side[from + i] & 1;
      right[at + i] = (twice - side[from + i] >> 1) * scale;
    }
  }
}
