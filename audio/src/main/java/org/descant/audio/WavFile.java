package org.descant.audio;

import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * RIFF WAVE, read strictly: what the header promises must be there. PCM of 8, 16, 24 and 32 bits,
 * IEEE float of 32 and 64 bits, plain or WAVE_FORMAT_EXTENSIBLE. Chunks that are not "fmt " or
 * "data" are passed over.
 */
final class WavFile {
  /** First four bytes of the RIFF family; only the first kind is accepted. */
  static final Set<String> MAGICS = Set.of("RIFF", "RIFX", "RF64", "BW64");

  private static final int RIFF_HEADER_BYTES = 12;
  private static final int CHUNK_HEADER_BYTES = 8;
  private static final int FORMAT_BYTES_MIN = 16;
  private static final int FORMAT_BYTES_EXTENSIBLE = 40;
  private static final int CHUNKS_MAX = 1024;
  private static final int TAG_PCM = 1;
  private static final int TAG_FLOAT = 3;
  private static final int TAG_EXTENSIBLE = 0xFFFE;

  /** The tail of every audio GUID that stands for a format tag. */
  private static final long GUID_MIDDLE = 0x0010_0000_0000L;

  private static final long GUID_END = 0x719B_3800_AA00_0080L;
  private static final int BLOCK_FRAMES = 16_384;

  /** Frames of a slice decoded at a time: they stay in the first cache. */
  private static final int SLICE_FRAMES = 1024;

  /** Sample formats; a word's bytes are little-endian, integers full scale at ±1. */
  enum SampleFormat {
    U8("pcm_u8", 1),
    S16("pcm_s16le", 2),
    S24("pcm_s24le", 3),
    S32("pcm_s32le", 4),
    F32("pcm_f32le", 4),
    F64("pcm_f64le", 8);

    private final String codec;
    private final int bytes;

    SampleFormat(String codec, int bytes) {
      this.codec = codec;
      this.bytes = bytes;
    }
  }

  /** Where the samples of a file lie, and what they are. */
  record Layout(SampleFormat format, int channels, int sampleRate, long dataStart, long dataBytes) {
    long frames() {
      return dataBytes / ((long) format.bytes * channels);
    }

    double seconds() {
      return frames() / (double) sampleRate;
    }
  }

  private record Format(SampleFormat samples, int channels, int sampleRate) {}

  private WavFile() {}

  static AudioInfo probe(Path file) {
    try (FileChannel channel = FileChannel.open(file)) {
      Layout layout = layout(file, channel);
      return new AudioInfo(
          "wav", layout.format.codec, layout.sampleRate, layout.channels, layout.seconds());
    } catch (IOException e) {
      throw unreadable(file, e);
    }
  }

  static Pcm decode(Path file) {
    try (FileChannel channel = FileChannel.open(file)) {
      Layout layout = layout(file, channel);
      AudioFile.checkLimits(file, layout.channels, layout.sampleRate, layout.seconds());
      return samples(channel, layout);
    } catch (IOException e) {
      throw unreadable(file, e);
    }
  }

  private static AudioException unreadable(Path file, IOException e) {
    return new AudioException(
        "%s cannot be read (%s): check the disk.".formatted(file, e.getMessage()), e);
  }

  static Layout layout(Path file, FileChannel channel) throws IOException {
    long size = channel.size();
    if (size < RIFF_HEADER_BYTES) {
      throw truncated(file, "its header is cut off");
    }
    ByteBuffer head = read(channel, 0, RIFF_HEADER_BYTES);
    String magic = ascii(head);
    head.getInt(); // The length of the whole, which many writers leave wrong; chunks decide.
    if (!magic.equals("RIFF") || !ascii(head).equals("WAVE")) {
      throw new AudioException(
          "%s is a %s file that is not plain WAVE: deliver WAV (RIFF WAVE) or FLAC."
              .formatted(file, magic));
    }
    @Nullable Format format = null;
    long position = RIFF_HEADER_BYTES;
    for (int chunk = 0; chunk < CHUNKS_MAX && position + CHUNK_HEADER_BYTES <= size; chunk++) {
      ByteBuffer chunkHead = read(channel, position, CHUNK_HEADER_BYTES);
      String id = ascii(chunkHead);
      long bytes = Integer.toUnsignedLong(chunkHead.getInt());
      long start = position + CHUNK_HEADER_BYTES;
      if (start + bytes > size) {
        throw truncated(
            file,
            "its \"%s\" chunk declares %d bytes and the file holds %d of them"
                .formatted(printable(id), bytes, size - start));
      }
      if (id.equals("fmt ")) {
        format = format(file, channel, start, bytes);
      } else if (id.equals("data")) {
        return layout(file, format, start, bytes);
      }
      position = start + bytes + (bytes & 1);
    }
    throw truncated(file, "it has no \"data\" chunk");
  }

  private static Layout layout(Path file, @Nullable Format format, long start, long bytes) {
    if (format == null) {
      throw damaged(file, "has no \"fmt \" chunk before its samples");
    }
    if (bytes % ((long) format.samples.bytes * format.channels) != 0) {
      throw truncated(file, "its samples end inside a frame");
    }
    return new Layout(format.samples, format.channels, format.sampleRate, start, bytes);
  }

  private static Format format(Path file, FileChannel channel, long start, long bytes)
      throws IOException {
    if (bytes < FORMAT_BYTES_MIN) {
      throw damaged(file, "has a \"fmt \" chunk of %d bytes".formatted(bytes));
    }
    ByteBuffer body = read(channel, start, (int) Math.min(bytes, FORMAT_BYTES_EXTENSIBLE));
    int tag = Short.toUnsignedInt(body.getShort());
    int channels = Short.toUnsignedInt(body.getShort());
    long rate = Integer.toUnsignedLong(body.getInt());
    body.getInt(); // Bytes a second follow from the other fields.
    int align = Short.toUnsignedInt(body.getShort());
    int bits = Short.toUnsignedInt(body.getShort());
    if (tag == TAG_EXTENSIBLE) {
      if (bytes < FORMAT_BYTES_EXTENSIBLE) {
        throw damaged(file, "has an extensible format of %d bytes".formatted(bytes));
      }
      body.position(FORMAT_BYTES_EXTENSIBLE - 2 * Long.BYTES);
      long guidStart = body.getLong();
      tag = (int) (guidStart & 0xFFFF);
      if (guidStart - tag != GUID_MIDDLE << 16 || body.getLong() != GUID_END) {
        tag = TAG_EXTENSIBLE;
      }
    }
    SampleFormat samples =
        switch (tag) {
          case TAG_PCM ->
              switch (bits) {
                case 8 -> SampleFormat.U8;
                case 16 -> SampleFormat.S16;
                case 24 -> SampleFormat.S24;
                case 32 -> SampleFormat.S32;
                default -> throw unknownSamples(file, tag, bits);
              };
          case TAG_FLOAT ->
              switch (bits) {
                case 32 -> SampleFormat.F32;
                case 64 -> SampleFormat.F64;
                default -> throw unknownSamples(file, tag, bits);
              };
          default -> throw unknownSamples(file, tag, bits);
        };
    if (channels == 0 || rate == 0 || rate > Integer.MAX_VALUE) {
      throw damaged(file, "declares %d channels at %d Hz".formatted(channels, rate));
    }
    if (align != samples.bytes * channels) {
      throw damaged(
          file,
          "declares frames of %d bytes for %d channels of %d bits"
              .formatted(align, channels, bits));
    }
    return new Format(samples, channels, (int) rate);
  }

  private static Pcm samples(FileChannel channel, Layout layout) throws IOException {
    int frames = Math.toIntExact(layout.frames());
    float[][] out = new float[layout.channels][frames];
    int frameBytes = layout.format.bytes * layout.channels;
    for (int from = 0; from < frames; from += BLOCK_FRAMES) {
      int to = Math.min(frames, from + BLOCK_FRAMES);
      long position = layout.dataStart + (long) from * frameBytes;
      ByteBuffer block = read(channel, position, (to - from) * frameBytes);
      for (int frame = from; frame < to; frame++) {
        for (float[] samples : out) {
          samples[frame] = sample(block, layout.format);
        }
      }
    }
    return new Pcm(out, layout.sampleRate);
  }

  /** Part of a mapped data chunk as planar floats; the caller has checked the bounds. */
  static void copy(
      MemorySegment samples, Layout layout, long from, int count, float[][] out, int at) {
    long frameBytes = (long) layout.format.bytes * layout.channels;
    if (layout.format == SampleFormat.S16 && layout.channels <= AudioFile.CHANNELS_MAX) {
      Pcm16.unpack(samples, from * frameBytes, count, out, at);
      return;
    }
    byte[] block = new byte[(int) (Math.min(SLICE_FRAMES, count) * frameBytes)];
    ByteBuffer values = ByteBuffer.wrap(block).order(ByteOrder.LITTLE_ENDIAN);
    for (int done = 0; done < count; done += SLICE_FRAMES) {
      int n = Math.min(SLICE_FRAMES, count - done);
      MemorySegment.copy(
          samples,
          ValueLayout.JAVA_BYTE,
          (from + done) * frameBytes,
          block,
          0,
          (int) (n * frameBytes));
      values.clear();
      for (int i = 0; i < n; i++) {
        for (float[] channel : out) {
          channel[at + done + i] = sample(values, layout.format);
        }
      }
    }
  }

  private static float sample(ByteBuffer block, SampleFormat format) {
    return switch (format) {
      case U8 -> (Byte.toUnsignedInt(block.get()) - 0x80) * 0x1p-7f;
      case S16 -> block.getShort() * 0x1p-15f;
      case S24 -> {
        int low = Short.toUnsignedInt(block.getShort());
        yield (block.get() << 16 | low) * 0x1p-23f;
      }
      case S32 -> block.getInt() * 0x1p-31f;
      case F32 -> block.getFloat();
      case F64 -> (float) block.getDouble();
    };
  }

  private static ByteBuffer read(FileChannel channel, long position, int bytes) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    while (buffer.hasRemaining()) {
      if (channel.read(buffer, position + buffer.position()) < 0) {
        throw new EOFException("the file became shorter while it was read");
      }
    }
    return buffer.flip();
  }

  private static String ascii(ByteBuffer buffer) {
    byte[] id = new byte[4];
    buffer.get(id);
    return new String(id, StandardCharsets.ISO_8859_1);
  }

  private static String printable(String id) {
    return id.replaceAll("[^ -~]", "?");
  }

  private static AudioException truncated(Path file, String how) {
    return new AudioException(
        "%s is truncated: %s; deliver the whole file again.".formatted(file, how));
  }

  private static AudioException damaged(Path file, String how) {
    return new AudioException(
        "%s is a damaged WAV file that %s: export it again.".formatted(file, how));
  }

  private static AudioException unknownSamples(Path file, int tag, int bits) {
    return new AudioException(
        "%s is a WAV file of format 0x%04X with %d bits: deliver PCM of 16 or 24 bits, or FLAC."
            .formatted(file, tag, bits));
  }
}
