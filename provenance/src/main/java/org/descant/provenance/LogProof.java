package org.descant.provenance;

import java.util.ArrayList;
import java.util.Base64;
import java.util.List;

/**
 * A proof that an entry is in a log, checked offline (C2SP tlog-proof): index, hashes, signed
 * checkpoint.
 */
public record LogProof(long index, List<byte[]> hashes, String checkpoint) {
  private static final String HEADER = "c2sp.org/tlog-proof@v1";
  private static final int TEXT_CHARS_MAX = 64 << 10;

  /** A tree of 2^63 leaves is no deeper. */
  private static final int HASHES_MAX = 63;

  public LogProof {
    hashes = List.copyOf(hashes);
  }

  /** The content of a {@code .tlog-proof} file. */
  public String text() {
    var text = new StringBuilder(HEADER).append("\nindex ").append(index).append('\n');
    hashes.forEach(hash -> text.append(Base64.getEncoder().encodeToString(hash)).append('\n'));
    return text.append('\n').append(checkpoint).toString();
  }

  /**
   * @throws ProvenanceException if the text is not a proof
   */
  public static LogProof parse(String text) {
    int split = text.indexOf("\n\n");
    if (text.length() > TEXT_CHARS_MAX
        || split < 0
        || text.indexOf('\r') >= 0
        || !text.startsWith(HEADER + "\n")) {
      throw notAProof();
    }
    var lines = new ArrayList<>(text.substring(0, split).lines().skip(1).toList());
    if (!lines.isEmpty() && lines.getFirst().startsWith("extra ")) {
      lines.removeFirst();
    }
    if (lines.isEmpty()
        || !lines.getFirst().startsWith("index ")
        || lines.size() > HASHES_MAX + 1) {
      throw notAProof();
    }
    try {
      String number = lines.removeFirst().substring("index ".length());
      long index = Long.parseLong(number);
      if (!number.equals(Long.toString(index))) {
        throw notAProof();
      }
      var hashes = new ArrayList<byte[]>();
      for (String line : lines) {
        byte[] hash = Base64.getDecoder().decode(line);
        if (hash.length != MerkleTree.HASH_BYTES
            || !Base64.getEncoder().encodeToString(hash).equals(line)) {
          throw notAProof();
        }
        hashes.add(hash);
      }
      return new LogProof(index, hashes, text.substring(split + 2));
    } catch (IllegalArgumentException _) {
      throw notAProof();
    }
  }

  /**
   * Checks the proof for this entry.
   *
   * @param verifierKey the log's key as {@link TransparencyLog#verifierKey()} prints it
   * @return the checkpoint that vouches for the entry
   * @throws ProvenanceException if the checkpoint's signature or the hashes do not fit
   */
  public Checkpoint verify(byte[] entry, String verifierKey) {
    Checkpoint head = Checkpoint.verify(checkpoint, verifierKey);
    if (!MerkleTree.verifyInclusion(
        MerkleTree.leafHash(entry), index, head.size(), hashes, head.root())) {
      throw new ProvenanceException(
          "The proof does not lead from this entry to the log's root: it is for another entry, or"
              + " was changed.");
    }
    return head;
  }

  private static ProvenanceException notAProof() {
    return new ProvenanceException(
        "This is not a log proof: it starts with \"%s\", an index and hashes.".formatted(HEADER));
  }
}
