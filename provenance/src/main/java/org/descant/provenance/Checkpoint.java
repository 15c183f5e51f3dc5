package org.descant.provenance;

import java.util.Base64;
import java.util.List;

/**
 * A signed tree head (C2SP tlog-checkpoint): "the log {@code origin} has {@code size} entries, and
 * this is their root".
 *
 * @param note the signed note as text
 */
public record Checkpoint(String origin, long size, byte[] root, String note) {
  private static final int NOTE_CHARS_MAX = 64 << 10;

  /** Signs a new head. */
  static Checkpoint sign(LogKey key, SigningKey signer, long size, byte[] root) {
    String text = key.name() + "\n" + size + "\n" + Base64.getEncoder().encodeToString(root) + "\n";
    return new Checkpoint(key.name(), size, root.clone(), key.sign(text, signer));
  }

  /**
   * Reads a head and checks its signature.
   *
   * @param verifierKey the log's key as {@link TransparencyLog#verifierKey()} prints it
   * @throws ProvenanceException if the note is malformed or not signed by that key
   */
  public static Checkpoint verify(String note, String verifierKey) {
    LogKey key = LogKey.parse(verifierKey);
    if (note.length() > NOTE_CHARS_MAX) {
      throw new ProvenanceException(
          "The log checkpoint is too long: %d characters.".formatted(note.length()));
    }
    String text = key.verified(note);
    List<String> lines = text.lines().toList();
    if (lines.size() < 3 || !lines.get(0).equals(key.name())) {
      throw new ProvenanceException(
          "The log checkpoint is not from the log %s: ask for the right one."
              .formatted(key.name()));
    }
    try {
      long size = Long.parseLong(lines.get(1));
      byte[] root = Base64.getDecoder().decode(lines.get(2));
      if (size >= 0
          && root.length == MerkleTree.HASH_BYTES
          && lines.get(1).equals(Long.toString(size))) {
        return new Checkpoint(key.name(), size, root, note);
      }
    } catch (IllegalArgumentException _) {
      // Falls through to the one sentence below.
    }
    throw new ProvenanceException(
        "The log checkpoint has no size and root on its second and third line.");
  }
}
