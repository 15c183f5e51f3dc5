package org.descant.training.stage;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import org.descant.models.codec.MagnitudeCodec;
import org.descant.tensor.ParameterStore;

/** A hash of texts and numbers in their order. */
final class Sha256 {
  private final MessageDigest digest;

  Sha256() {
    try {
      digest = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  /** Of a codec: its shape and every number in it. */
  static String of(MagnitudeCodec codec) {
    var hash = new Sha256().add(codec.config().toString());
    for (ParameterStore.Parameter parameter : codec.parameters().parameters()) {
      hash.add(parameter.name()).add(parameter.tensor().toFloats());
    }
    return hash.hex();
  }

  /** A text, told apart from what follows. */
  Sha256 add(String text) {
    digest.update((text + "\0").getBytes(StandardCharsets.UTF_8));
    return this;
  }

  private Sha256 add(float[] numbers) {
    ByteBuffer bytes = ByteBuffer.allocate(Math.multiplyExact(numbers.length, Float.BYTES));
    bytes.asFloatBuffer().put(numbers);
    digest.update(bytes);
    return this;
  }

  /** Lower-case hex; ends the hash. */
  String hex() {
    return HexFormat.of().formatHex(digest.digest());
  }
}
