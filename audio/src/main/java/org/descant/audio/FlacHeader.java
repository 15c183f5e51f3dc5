package org.descant.audio;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Optional;

/**
 * What a FLAC file promises in its STREAMINFO block (RFC 9639 §8.2): how many frames, and the MD5
 * of its samples. Each is 0 if the encoder did not know it.
 */
@SuppressWarnings("ArrayRecordComponent") // Made and used once, never compared.
record FlacHeader(long frames, int bits, byte[] md5) {
  private static final int MAGIC = 0x664C6143; // "fLaC"
  private static final int ID3_HEADER_BYTES = 10;
  private static final int ID3_FOOTER_FLAG = 0x10;
  private static final int BEFORE_STREAMINFO_BYTES = 8;
  private static final int STREAMINFO_BYTES = 34;
  private static final int BLOCK_FRAMES = 8192;

  /** Floats hold integers of up to this many bits exactly. */
  private static final int EXACT_BITS_MAX = 24;

  /** The header of a native FLAC file, which may have ID3v2 tags in front. */
  static Optional<FlacHeader> read(Path file) {
    try (InputStream in = new BufferedInputStream(Files.newInputStream(file))) {
      while (true) {
        in.mark(ID3_HEADER_BYTES);
        byte[] tag = in.readNBytes(ID3_HEADER_BYTES);
        if (tag.length < ID3_HEADER_BYTES || tag[0] != 'I' || tag[1] != 'D' || tag[2] != '3') {
          break;
        }
        long bytes = 0;
        for (int i = 6; i < ID3_HEADER_BYTES; i++) {
          bytes = bytes << 7 | (tag[i] & 0x7F);
        }
        in.skipNBytes(bytes + ((tag[5] & ID3_FOOTER_FLAG) == 0 ? 0 : ID3_HEADER_BYTES));
      }
      in.reset();
      ByteBuffer head = ByteBuffer.wrap(in.readNBytes(BEFORE_STREAMINFO_BYTES + STREAMINFO_BYTES));
      if (head.remaining() < head.capacity() || head.getInt() != MAGIC) {
        return Optional.empty();
      }
      long packed = head.getLong(BEFORE_STREAMINFO_BYTES + 10);
      byte[] md5 = new byte[16];
      head.get(BEFORE_STREAMINFO_BYTES + 18, md5);
      return Optional.of(
          new FlacHeader(packed & 0xF_FFFF_FFFFL, (int) (packed >> 36 & 31) + 1, md5));
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  /**
   * Compares what was decoded with what was promised.
   *
   * @throws AudioException if samples are missing or differ
   */
  void verify(Path file, Pcm pcm) {
    if (frames > 0 && pcm.frames() != frames) {
      throw new AudioException(
          "%s is truncated: it declares %d frames and holds %d; deliver the whole file again."
              .formatted(file, frames, pcm.frames()));
    }
    boolean known = !Arrays.equals(md5, new byte[md5.length]);
    if (known && bits <= EXACT_BITS_MAX && !Arrays.equals(md5, md5(pcm))) {
      throw new AudioException(
          "%s is damaged: its samples do not match its checksum; deliver the file again."
              .formatted(file));
    }
  }

  private byte[] md5(Pcm pcm) {
    MessageDigest digest;
    try {
      digest = MessageDigest.getInstance("MD5");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("Every Java platform has MD5.", e);
    }
    int sampleBytes = (bits + 7) / 8;
    float scale = 1 << (bits - 1);
    ByteBuffer block =
        ByteBuffer.allocate(BLOCK_FRAMES * sampleBytes * pcm.channelCount())
            .order(ByteOrder.LITTLE_ENDIAN);
    for (int frame = 0; frame < pcm.frames(); frame++) {
      for (float[] channel : pcm.channels()) {
        int value = Math.round(channel[frame] * scale);
        for (int shift = 0; shift < 8 * sampleBytes; shift += 8) {
          block.put((byte) (value >> shift));
        }
      }
      if (!block.hasRemaining()) {
        digest.update(block.flip());
        block.clear();
      }
    }
    digest.update(block.flip());
    return digest.digest();
  }
}
