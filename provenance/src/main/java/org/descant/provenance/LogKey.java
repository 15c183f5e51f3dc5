package org.descant.provenance;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.X509EncodedKeySpec;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;

/**
 * The public half of a log's key, with its name (C2SP signed-note, type Ed25519). Printed as {@code
 * name+id+key}.
 *
 * @param name of the log
 * @param publicKey 32 bytes, RFC 8032
 */
public record LogKey(String name, byte[] publicKey) {
  private static final byte ED25519 = 1;
  private static final byte[] ED25519_SPKI = HexFormat.of().parseHex("302a300506032b6570032100");
  private static final int SIGNATURE_BYTES = 64;

  /**
   * Reads a key as it is printed.
   *
   * @throws ProvenanceException if it is none
   */
  public static LogKey parse(String text) {
    String[] parts = text.strip().split("\\+", 3);
    try {
      if (parts.length == 3 && !parts[0].isEmpty()) {
        byte[] typed = Base64.getDecoder().decode(parts[2]);
        if (typed.length == 33 && typed[0] == ED25519) {
          var key = new LogKey(parts[0], Arrays.copyOfRange(typed, 1, typed.length));
          if (HexFormat.of().formatHex(key.id()).equals(parts[1])) {
            return key;
          }
        }
      }
    } catch (IllegalArgumentException _) {
      // Falls through to the one sentence below.
    }
    throw new ProvenanceException(
        "\"%s\" is not the key of a log: it reads name+id+base64.".formatted(text));
  }

  @Override
  public String toString() {
    return name
        + "+"
        + HexFormat.of().formatHex(id())
        + "+"
        + Base64.getEncoder().encodeToString(typedKey());
  }

  /** SHA-256 of name, newline, type and key: its first four bytes. */
  byte[] id() {
    byte[] hash = Hashes.sha256((name + "\n").getBytes(StandardCharsets.UTF_8), typedKey());
    return Arrays.copyOf(hash, 4);
  }

  private byte[] typedKey() {
    return ByteBuffer.allocate(1 + publicKey.length).put(ED25519).put(publicKey).array();
  }

  /** The note: text, blank line, signature line. */
  String sign(String text, SigningKey signer) {
    byte[] signature = signer.signLog(text.getBytes(StandardCharsets.UTF_8));
    byte[] line = ByteBuffer.allocate(4 + signature.length).put(id()).put(signature).array();
    return text + "\n\u2014 " + name + " " + Base64.getEncoder().encodeToString(line) + "\n";
  }

  /**
   * The text of a note that this key has signed; other signatures are passed over.
   *
   * @throws ProvenanceException if the note is malformed or not signed by this key
   */
  public String verified(String note) {
    int split = note.lastIndexOf("\n\n");
    if (note.chars().anyMatch(c -> c < ' ' && c != '\n') || !note.endsWith("\n")) {
      throw new ProvenanceException("The signed note was changed: its lines are not those of one.");
    }
    if (split < 0) {
      throw new ProvenanceException("The signed note has no signature.");
    }
    String text = note.substring(0, split + 1);
    String prefix = "\u2014 " + name + " ";
    for (String line : note.substring(split + 2).lines().toList()) {
      if (line.startsWith(prefix) && signs(line.substring(prefix.length()), text)) {
        return text;
      }
    }
    throw new ProvenanceException(
        "The signature is not that of %s over this text: it was changed, do not trust it."
            .formatted(this));
  }

  private boolean signs(String base64, String text) {
    try {
      byte[] line = Base64.getDecoder().decode(base64);
      if (line.length != 4 + SIGNATURE_BYTES
          || !Arrays.equals(line, 0, 4, id(), 0, 4)
          || !Base64.getEncoder().encodeToString(line).equals(base64)) {
        return false;
      }
      byte[] spki =
          ByteBuffer.allocate(ED25519_SPKI.length + publicKey.length)
              .put(ED25519_SPKI)
              .put(publicKey)
              .array();
      PublicKey key =
          KeyFactory.getInstance("Ed25519").generatePublic(new X509EncodedKeySpec(spki));
      Signature verifier = Signature.getInstance("Ed25519");
      verifier.initVerify(key);
      verifier.update(text.getBytes(StandardCharsets.UTF_8));
      return verifier.verify(line, 4, SIGNATURE_BYTES);
    } catch (GeneralSecurityException | IllegalArgumentException _) {
      return false;
    }
  }
}
