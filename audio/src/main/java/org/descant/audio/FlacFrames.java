package org.descant.audio;

import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** The headers of FLAC frames (RFC 9639 §9.1), and where the frames of a stream begin. */
final class FlacFrames {
  private static final int HEADER_BYTES_MAX = 16;

  /** Header, one constant subframe a channel, CRC-16: no frame is shorter. */
  private static final int FRAME_BYTES_MIN = 10;

  private static final int[] CRC8 = table(0x07, 8);
  private static final int[] CRC16 = table(0x8005, 16);

  private FlacFrames() {}

  /**
   * What all frames of a stream share.
   *
   * @param blockMin frames in the smallest block but the last
   * @param blockMax frames in the largest block
   */
  record Format(int blockMin, int blockMax, int sampleRate, int channels, int bits) {
    void check(String name) {
      if (channels > AudioFile.CHANNELS_MAX || (bits != 16 && bits != 24) || sampleRate < 1) {
        throw new AudioException(
            "%s is FLAC of %d channels and %d bits at %d Hz: deliver mono or stereo of 16 or 24 bits."
                .formatted(name, channels, bits, sampleRate));
      }
      if (blockMin < 1 || blockMax < blockMin) {
        throw FlacStream.damaged(
            name, "it declares blocks of %d to %d frames".formatted(blockMin, blockMax));
      }
    }
  }

  /** A frame's header: its first sample, how many it holds, and its own bytes, CRC-8 included. */
  record Header(long start, int frames, int bytes) {}

  /** The table of a scanned stream, in the form of a SEEKTABLE, and its length. */
  @SuppressWarnings("ArrayRecordComponent") // Made and used once, never compared.
  record Scan(byte[] points, long frames) {}

  /** Finds every frame of a stream's body. */
  static Scan scan(MemorySegment body, Format format, String name) {
    var points = new ByteArrayOutputStream();
    ByteBuffer point = ByteBuffer.allocate(FlacStream.POINT_BYTES);
    long expected = 0;
    long at = 0;
    while (at < body.byteSize()) {
      Header header = header(body, at, format);
      if (header == null || header.start != expected) {
        throw FlacStream.damaged(
            name, "no frame begins at sample %d, where one should".formatted(expected));
      }
      point.clear().putLong(expected).putLong(at).putShort((short) header.frames);
      points.writeBytes(point.array());
      expected += header.frames;
      at = next(body, at, format, expected);
    }
    return new Scan(points.toByteArray(), expected);
  }

  /** Where the next frame begins, or the end of the body: what lies between has a CRC-16 of 0. */
  private static long next(MemorySegment body, long frame, Format format, long expected) {
    long size = body.byteSize();
    int crc = 0;
    for (long at = frame; at < size; at++) {
      if (crc == 0 && at - frame >= FRAME_BYTES_MIN && isSync(body, at)) {
        Header header = header(body, at, format);
        if (header != null && header.start == expected) {
          return at;
        }
      }
      int next = Byte.toUnsignedInt(body.get(ValueLayout.JAVA_BYTE, at));
      crc = (crc << 8 ^ CRC16[(crc >>> 8 ^ next) & 0xFF]) & 0xFFFF;
    }
    return size;
  }

  private static boolean isSync(MemorySegment bytes, long at) {
    return at + 1 < bytes.byteSize()
        && bytes.get(ValueLayout.JAVA_BYTE, at) == -1
        && (bytes.get(ValueLayout.JAVA_BYTE, at + 1) & 0xFE) == 0xF8;
  }

  /** Throws unless a frame with this first sample begins there: a table may lie. */
  static void requireStart(
      MemorySegment bytes, long begin, long end, Format format, long start, String name) {
    Header header =
        begin < 0 || end > bytes.byteSize() || begin >= end ? null : header(bytes, begin, format);
    if (header == null || header.start != start) {
      throw FlacStream.damaged(name, "its seek table points where no frame begins");
    }
  }

  /** The header at an offset, or null when there is none. */
  static @Nullable Header header(MemorySegment bytes, long at, Format format) {
    int room = (int) Math.min(HEADER_BYTES_MAX, bytes.byteSize() - at);
    if (room < 6 || !isSync(bytes, at)) {
      return null;
    }
    int blockCode = unsigned(bytes, at + 2) >>> 4;
    int rateCode = unsigned(bytes, at + 2) & 0xF;
    int length = 4;
    int first = unsigned(bytes, at + length++);
    int more = first < 0x80 ? 0 : Integer.numberOfLeadingZeros(~(first << 24)) - 1;
    if (first >= 0x80 && (more < 1 || more > 6)) {
      return null;
    }
    long number = more == 0 ? first : first & (0x3F >>> more);
    int blockBytes = blockCode == 6 ? 1 : blockCode == 7 ? 2 : 0;
    int rateBytes = rateCode == 12 ? 1 : rateCode == 13 || rateCode == 14 ? 2 : 0;
    if (length + more + blockBytes + rateBytes + 1 > room) {
      return null;
    }
    for (int i = 0; i < more; i++) {
      int next = unsigned(bytes, at + length++);
      if ((next & 0xC0) != 0x80) {
        return null;
      }
      number = number << 6 | next & 0x3F;
    }
    int frames;
    switch (blockCode) {
      case 0 -> {
        return null;
      }
      case 1 -> frames = 192;
      case 2, 3, 4, 5 -> frames = 576 << (blockCode - 2);
      case 6, 7 -> {
        int value = 0;
        for (int i = 0; i < blockBytes; i++) {
          value = value << 8 | unsigned(bytes, at + length++);
        }
        frames = value + 1;
      }
      default -> frames = 256 << (blockCode - 8);
    }
    length += rateBytes;
    int crc = 0;
    for (int i = 0; i < length; i++) {
      crc = CRC8[crc ^ unsigned(bytes, at + i)];
    }
    if (crc != unsigned(bytes, at + length) || frames > format.blockMax) {
      return null;
    }
    boolean byFrames = (unsigned(bytes, at + 1) & 1) == 0;
    return new Header(byFrames ? number * format.blockMin : number, frames, length + 1);
  }

  private static int unsigned(MemorySegment bytes, long at) {
    return Byte.toUnsignedInt(bytes.get(ValueLayout.JAVA_BYTE, at));
  }

  private static int[] table(int polynomial, int bits) {
    int top = 1 << (bits - 1);
    int mask = (1 << bits) - 1;
    int[] table = new int[256];
    for (int i = 0; i < table.length; i++) {
      int crc = i << (bits - 8);
      for (int bit = 0; bit < 8; bit++) {
        crc = (crc & top) != 0 ? crc << 1 ^ polynomial : crc << 1;
      }
      table[i] = crc & mask;
    }
    return table;
  }
}
