package org.descant.audio;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * A native FLAC stream in memory, of which any part is decoded without the rest (RFC 9639). Every
 * FLAC frame stands alone, so a slice costs the frames that it touches. Where they begin is read
 * from a SEEKTABLE with one point a frame, as {@link #encode} writes it; a stream without such a
 * table is scanned once, frame by frame, by number and CRC-16.
 *
 * <p>16 and 24 bits, one or two channels. Safe for many threads for as long as the memory is.
 * Checksums of frames are not compared when a slice is read: whoever keeps the bytes hashes them.
 */
public final class FlacStream {
  private static final ValueLayout.OfLong LONG_BE =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
  private static final ValueLayout.OfInt INT_BE =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
  private static final ValueLayout.OfShort SHORT_BE =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
  private static final int MAGIC = 0x664C6143; // "fLaC"
  private static final int ID3_HEADER_BYTES = 10;
  private static final int ID3_FOOTER_FLAG = 0x10;
  private static final int BLOCK_HEADER_BYTES = 4;
  private static final int STREAMINFO_BYTES = 34;
  private static final int TYPE_STREAMINFO = 0;
  private static final int TYPE_SEEKTABLE = 3;

  /** A seek point: sample number (8 bytes), offset from the first frame (8), its samples (2). */
  static final int POINT_BYTES = 18;

  private final String name;
  private final MemorySegment bytes;
  private final long firstFrame;
  private final FlacFrames.Format format;
  private final long frames;
  private final MemorySegment points;
  private final long pointCount;

  private FlacStream(
      String name,
      MemorySegment bytes,
      long firstFrame,
      FlacFrames.Format format,
      long frames,
      MemorySegment points) {
    this.name = name;
    this.bytes = bytes;
    this.firstFrame = firstFrame;
    this.format = format;
    this.frames = frames;
    this.points = points;
    this.pointCount = points.byteSize() / POINT_BYTES;
  }

  /**
   * Reads the head of a stream, and scans it when it has no complete table.
   *
   * @param bytes the whole stream; ID3v2 tags in front are passed over
   * @param name of the stream in messages
   * @throws AudioException when it is no FLAC, is cut short, or has another form than said above
   */
  public static FlacStream of(MemorySegment bytes, String name) {
    long at = afterTags(bytes);
    if (bytes.byteSize() < at + 4 + BLOCK_HEADER_BYTES + STREAMINFO_BYTES
        || bytes.get(INT_BE, at) != MAGIC) {
      throw new AudioException("%s is not a FLAC stream: deliver FLAC.".formatted(name));
    }
    at += 4;
    FlacFrames.Format format = null;
    long frames = 0;
    MemorySegment table = MemorySegment.NULL;
    boolean last = false;
    while (!last) {
      if (at + BLOCK_HEADER_BYTES > bytes.byteSize()) {
        throw damaged(name, "its metadata is cut off");
      }
      int head = bytes.get(INT_BE, at);
      last = head < 0;
      int type = head >>> 24 & 0x7F;
      int length = head & 0xFF_FFFF;
      at += BLOCK_HEADER_BYTES;
      if (length > bytes.byteSize() - at) {
        throw damaged(name, "its metadata is cut off");
      }
      if (type == TYPE_STREAMINFO && length >= STREAMINFO_BYTES) {
        long packed = bytes.get(LONG_BE, at + 10);
        format =
            new FlacFrames.Format(
                Short.toUnsignedInt(bytes.get(SHORT_BE, at)),
                Short.toUnsignedInt(bytes.get(SHORT_BE, at + 2)),
                (int) (packed >>> 44),
                (int) (packed >>> 41 & 7) + 1,
                (int) (packed >>> 36 & 31) + 1);
        frames = packed & 0xF_FFFF_FFFFL;
      } else if (type == TYPE_SEEKTABLE) {
        table = bytes.asSlice(at, length - length % POINT_BYTES);
      }
      at += length;
    }
    if (format == null) {
      throw damaged(name, "it has no STREAMINFO");
    }
    format.check(name);
    MemorySegment body = bytes.asSlice(at);
    if (!isComplete(table, frames, body.byteSize())) {
      FlacFrames.Scan scan = FlacFrames.scan(body, format, name);
      if (frames > 0 && scan.frames() != frames) {
        throw new AudioException(
            "%s is truncated: it declares %d frames and holds %d; deliver the whole file again."
                .formatted(name, frames, scan.frames()));
      }
      frames = scan.frames();
      table = MemorySegment.ofArray(scan.points());
    }
    return new FlacStream(name, bytes, at, format, frames, table);
  }

  private static long afterTags(MemorySegment bytes) {
    long at = 0;
    while (bytes.byteSize() >= at + ID3_HEADER_BYTES
        && bytes.get(ValueLayout.JAVA_BYTE, at) == 'I'
        && bytes.get(ValueLayout.JAVA_BYTE, at + 1) == 'D'
        && bytes.get(ValueLayout.JAVA_BYTE, at + 2) == '3') {
      long length = 0;
      for (int i = 6; i < ID3_HEADER_BYTES; i++) {
        length = length << 7 | (bytes.get(ValueLayout.JAVA_BYTE, at + i) & 0x7F);
      }
      boolean footer = (bytes.get(ValueLayout.JAVA_BYTE, at + 5) & ID3_FOOTER_FLAG) != 0;
      at += ID3_HEADER_BYTES + length + (footer ? ID3_HEADER_BYTES : 0);
    }
    return at;
  }

  /** Whether the table has a point for every frame: they follow on each other to the end. */
  private static boolean isComplete(MemorySegment table, long frames, long bodyBytes) {
    long next = 0;
    long offset = -1;
    for (long at = 0; at < table.byteSize(); at += POINT_BYTES) {
      long before = offset;
      offset = table.get(LONG_BE, at + 8);
      if (table.get(LONG_BE, at) != next || offset <= before || offset >= bodyBytes) {
        return false;
      }
      next += Short.toUnsignedInt(table.get(SHORT_BE, at + 16));
    }
    return frames > 0 && next == frames;
  }

  /**
   * Encodes a sound as 16 bits with one seek point a frame; samples on the 16-bit grid come back
   * bit for bit, others are rounded and clipped. The same samples give the same bytes.
   *
   * @throws AudioException when the sound has more than two channels or no frames
   */
  public static byte[] encode(Pcm pcm) {
    return FlacEncoder.encode(pcm);
  }

  /** Frames a second. */
  public int sampleRate() {
    return format.sampleRate();
  }

  /** 1 or 2. */
  public int channels() {
    return format.channels();
  }

  /** Bits a sample. */
  public int bits() {
    return format.bits();
  }

  /** Length in frames. */
  public long frames() {
    return frames;
  }

  /**
   * Decodes {@code count} frames from frame {@code from} into planar floats of ±1 full scale.
   *
   * @param out one array a channel, filled from index {@code at}
   * @throws AudioException when the frames are not in the stream, or do not decode
   */
  public void read(long from, int count, float[][] out, int at) {
    if (from < 0 || count < 0 || from > frames - count) {
      throw new AudioException(
          "%s has %d frames; %d frames from %d are not in it."
              .formatted(name, frames, count, from));
    }
    if (out.length != channels()) {
      throw new AudioException(
          "%s has %d channels, %d arrays were given.".formatted(name, channels(), out.length));
    }
    if (count == 0) {
      return;
    }
    long point = pointOf(from);
    FlacDecoder decoder = FlacDecoder.borrow();
    try {
      for (int done = 0; done < count; point++) {
        long start = sample(point);
        long begin = firstFrame + offset(point);
        long end = point + 1 < pointCount ? firstFrame + offset(point + 1) : bytes.byteSize();
        FlacFrames.requireStart(bytes, begin, end, format, start, name);
        int decoded = decoder.decode(bytes, begin, end, format, name);
        int skip = (int) (from + done - start);
        int take = Math.min(decoded - skip, count - done);
        if (take <= 0) {
          throw damaged(name, "a frame is shorter than its table says");
        }
        decoder.copy(skip, take, out, at + done);
        done += take;
      }
    } finally {
      decoder.giveBack();
    }
  }

  /** As {@link #read(long, int, float[][], int)}, into new arrays. */
  public Pcm read(long from, int count) {
    float[][] out = new float[channels()][Math.max(0, count)];
    read(from, count, out, 0);
    return new Pcm(out, sampleRate());
  }

  private long sample(long point) {
    return points.get(LONG_BE, point * POINT_BYTES);
  }

  private long offset(long point) {
    return points.get(LONG_BE, point * POINT_BYTES + 8);
  }

  /** The last point at or before a frame. */
  private long pointOf(long frame) {
    long low = 0;
    long high = pointCount - 1;
    while (low < high) {
      long middle = (low + high + 1) >>> 1;
      if (sample(middle) <= frame) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }

  static AudioException damaged(String name, String how) {
    return new AudioException(
        "%s is a damaged FLAC stream: %s; deliver the file again.".formatted(name, how));
  }
}
