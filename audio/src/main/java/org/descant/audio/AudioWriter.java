package org.descant.audio;

import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Writes audio files of one or two channels. Each is written aside, flushed to disk and renamed, so
 * that it is complete or absent; the same samples give the same bytes. Integer formats round to the
 * nearest step without dither and clip at full scale. Safe for many threads.
 *
 * <p>Every method throws {@link AudioException} if the sound has no frames, more than two channels,
 * or samples that are not numbers, or if the file cannot be written.
 */
public final class AudioWriter {
  /** What Opus may be asked for, in bits a second for all channels together. */
  public static final int OPUS_BITS_PER_SECOND_MIN = 6_000;

  public static final int OPUS_BITS_PER_SECOND_MAX = 510_000;

  /** Opus works at this rate whatever it is given. */
  private static final int OPUS_SAMPLE_RATE = 48_000;

  private static final int WAV_HEADER_BYTES = 44;
  private static final int BLOCK_FRAMES = 8192;
  private static final long WAV_DATA_BYTES_MAX = 0xFFFF_FFFFL - WAV_HEADER_BYTES;

  private AudioWriter() {}

  /** WAV, PCM of 16 bits. */
  public static void wav16(Pcm pcm, Path file) {
    wav(pcm, file, 2);
  }

  /** WAV, PCM of 24 bits. */
  public static void wav24(Pcm pcm, Path file) {
    wav(pcm, file, 3);
  }

  /** The bytes of a WAV file, PCM of 16 bits. */
  public static byte[] wav16Bytes(Pcm pcm) {
    check(pcm);
    long bytes = WAV_HEADER_BYTES + 2L * pcm.frames() * pcm.channelCount();
    if (bytes > Integer.MAX_VALUE) {
      throw new AudioException(
          "A WAV of %d bytes does not fit in memory: write it to a file.".formatted(bytes));
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream((int) bytes);
    try {
      writeWav(pcm, out, 2);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return out.toByteArray();
  }

  /** FLAC of 16 bits: samples on the 16-bit grid come back bit for bit. */
  public static void flac(Pcm pcm, Path file) {
    check(pcm);
    Aside.write(file, aside -> FfmpegEncoder.encode(pcm, aside, FfmpegEncoder.Encoding.FLAC_16));
  }

  /** FLAC of 24 bits: samples on the 24-bit grid come back bit for bit. */
  public static void flac24(Pcm pcm, Path file) {
    check(pcm);
    Aside.write(file, aside -> FfmpegEncoder.encode(pcm, aside, FfmpegEncoder.Encoding.FLAC_24));
  }

  /**
   * Opus in Ogg (libopus, RFC 6716 and 7845), resampled to 48 kHz.
   *
   * @param bitsPerSecond for all channels together, {@value #OPUS_BITS_PER_SECOND_MIN} to {@value
   *     #OPUS_BITS_PER_SECOND_MAX}
   */
  public static void opus(Pcm pcm, Path file, int bitsPerSecond) {
    check(pcm);
    if (bitsPerSecond < OPUS_BITS_PER_SECOND_MIN || bitsPerSecond > OPUS_BITS_PER_SECOND_MAX) {
      throw new AudioException(
          "Opus takes %d to %d bits a second, was asked for %d."
              .formatted(OPUS_BITS_PER_SECOND_MIN, OPUS_BITS_PER_SECOND_MAX, bitsPerSecond));
    }
    Pcm resampled = pcm.resampled(OPUS_SAMPLE_RATE);
    Aside.write(
        file,
        aside ->
            FfmpegEncoder.encode(resampled, aside, FfmpegEncoder.Encoding.opus(bitsPerSecond)));
  }

  private static void wav(Pcm pcm, Path file, int sampleBytes) {
    check(pcm);
    Aside.write(
        file,
        aside -> {
          try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(aside))) {
            writeWav(pcm, out, sampleBytes);
          }
        });
  }

  private static void writeWav(Pcm pcm, OutputStream out, int sampleBytes) throws IOException {
    int frameBytes = sampleBytes * pcm.channelCount();
    long dataBytes = (long) frameBytes * pcm.frames();
    int padding = (int) (dataBytes & 1);
    if (dataBytes > WAV_DATA_BYTES_MAX) {
      throw new AudioException(
          "A WAV file holds up to %d bytes of samples, this sound has %d: write FLAC."
              .formatted(WAV_DATA_BYTES_MAX, dataBytes));
    }
    ByteBuffer head = ByteBuffer.allocate(WAV_HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    head.put("RIFF".getBytes(StandardCharsets.US_ASCII));
    head.putInt((int) (WAV_HEADER_BYTES - 8 + dataBytes + padding));
    head.put("WAVEfmt ".getBytes(StandardCharsets.US_ASCII));
    head.putInt(16).putShort((short) 1).putShort((short) pcm.channelCount());
    head.putInt(pcm.sampleRate()).putInt(pcm.sampleRate() * frameBytes);
    head.putShort((short) frameBytes).putShort((short) (8 * sampleBytes));
    head.put("data".getBytes(StandardCharsets.US_ASCII)).putInt((int) dataBytes);
    out.write(head.array());

    ByteBuffer block =
        ByteBuffer.allocate(BLOCK_FRAMES * frameBytes).order(ByteOrder.LITTLE_ENDIAN);
    int scale = 1 << (8 * sampleBytes - 1);
    for (int from = 0; from < pcm.frames(); from += BLOCK_FRAMES) {
      block.clear();
      int to = Math.min(pcm.frames(), from + BLOCK_FRAMES);
      for (int frame = from; frame < to; frame++) {
        for (float[] channel : pcm.channels()) {
          int step = quantise(channel[frame], scale);
          block.putShort((short) (sampleBytes == 2 ? step : step & 0xFFFF));
          if (sampleBytes == 3) {
            block.put((byte) (step >> 16));
          }
        }
      }
      out.write(block.array(), 0, block.position());
    }
    if (padding == 1) {
      out.write(0);
    }
  }

  /** The nearest integer to {@code sample * scale}, from {@code -scale} to {@code scale - 1}. */
  static int quantise(float sample, int scale) {
    return Math.clamp(Math.round((double) sample * scale), -scale, scale - 1);
  }

  private static void check(Pcm pcm) {
    if (pcm.frames() == 0) {
      throw new AudioException("A sound without frames cannot be written.");
    }
    if (pcm.channelCount() > AudioFile.CHANNELS_MAX) {
      throw new AudioException(
          "Audio files are written with one or two channels, was given %d."
              .formatted(pcm.channelCount()));
    }
    if (!pcm.isFinite()) {
      throw new AudioException("Samples that are not numbers (NaN or infinite) are not written.");
    }
  }
}
