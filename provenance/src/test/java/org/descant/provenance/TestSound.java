package org.descant.provenance;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.SplittableRandom;
import org.descant.provenance.CredentialFacts.CreditedRecording;

/** Small files and facts that several tests share. */
final class TestSound {
  static final CredentialFacts FACTS =
      new CredentialFacts(
          "clip-1",
          "Slow train, new bridge",
          "sha256:" + "ab".repeat(32),
          "house-demo",
          "sha256:" + "cd".repeat(32),
          "slow ragtime in D minor, with a bridge – für alle",
          11,
          List.of(
              new CreditedRecording("XX-ABC-26-00001", "Front Porch Rag", "Ida Marlow", 0.625),
              new CreditedRecording("XX-ABC-26-00002", "Lantern", "The Quiet Mill", 0.375)),
          Instant.parse("2026-06-01T12:00:00Z"));

  private TestSound() {}

  /** A whole 16-bit stereo WAV of noise. */
  static Path wav(Path file, int dataBytes) throws IOException {
    int pad = dataBytes & 1;
    ByteBuffer bytes = ByteBuffer.allocate(44 + dataBytes + pad).order(ByteOrder.LITTLE_ENDIAN);
    bytes.put(ascii("RIFF")).putInt(36 + dataBytes + pad).put(ascii("WAVEfmt ")).putInt(16);
    bytes.putShort((short) 1).putShort((short) 2).putInt(44_100).putInt(44_100 * 4);
    bytes.putShort((short) 4).putShort((short) 16).put(ascii("data")).putInt(dataBytes);
    var random = new SplittableRandom(7);
    for (int i = 0; i < dataBytes; i++) {
      bytes.put((byte) random.nextInt());
    }
    return Files.write(file, bytes.array());
  }

  /** What a FLAC file looks like from outside: the marker, a STREAMINFO block, frames. */
  static Path flac(Path file) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(4 + 4 + 34 + 5_000);
    bytes.put(ascii("fLaC")).putInt(0x80000022);
    bytes.putShort((short) 4096).putShort((short) 4096).put(new byte[6]);
    bytes.putLong(44_100L << 44 | 1L << 41 | 15L << 36).put(new byte[16]);
    var random = new SplittableRandom(8);
    while (bytes.hasRemaining()) {
      bytes.put((byte) random.nextInt());
    }
    return Files.write(file, bytes.array());
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }
}
