package org.descant.provenance.proof;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import org.descant.provenance.Hashes;
import org.descant.provenance.MerkleTree;
import org.descant.provenance.ProvenanceException;
import org.descant.rights.Isrc;
import org.jspecify.annotations.Nullable;

/*
 * A prefix tree (as in CONIKS, Melara et al., USENIX Security 2015, and in the key transparency
 * drafts): a recording's place is given by the bits of SHA-256(ISRC), and by nothing that the house
 * chooses. A subtree with one leaf is that leaf, at whatever depth; an empty one has a hash of its
 * own. Leaves and nodes are hashed as in RFC 6962.
 *
 * Why not a tree over the sorted lines, with the two neighbours as the proof of absence: that shows
 * absence only if the list is sorted, which no proof from it can show. Here the way down from the
 * root ends in one place, so either a line can be shown there or its absence, never both.
 *
 * Price: n hashes and a sort to build; a proof has about log2(n) + 1 hashes.
 */
/**
 * The lines of a dataset as a tree in which each recording has one place, so that both its line and
 * its absence can be shown with a few hashes. Immutable and thread-safe.
 */
public final class DatasetTree {
  private static final byte[] EMPTY = Hashes.sha256(new byte[] {2});
  private static final int DEPTH_MAX = 256;

  private final String dataset;
  private final List<Leaf> leaves;
  private final byte[] root;

  private record Leaf(byte[] key, DatasetLine line) {
    byte[] hash() {
      return leafHash(line);
    }
  }

  /**
   * The way from the root to where a recording is, or would be.
   *
   * @param siblings hex hashes beside the way, the deepest first
   * @param leaf the one line that lies at its end, or null if nothing does
   */
  public record Way(List<String> siblings, @Nullable String leaf) {
    /** Checks the number of hashes. */
    public Way {
      siblings = List.copyOf(siblings);
      if (siblings.size() > DEPTH_MAX) {
        throw new ProvenanceException(
            "A way in a dataset's tree has at most %d hashes, this one has %d."
                .formatted(DEPTH_MAX, siblings.size()));
      }
    }
  }

  /**
   * The tree over these lines, in any order.
   *
   * @throws ProvenanceException as {@link DatasetLine#root}
   */
  public DatasetTree(List<DatasetLine> lines) {
    dataset = DatasetLine.root(lines);
    leaves =
        lines.stream()
            .map(line -> new Leaf(key(line.isrc()), line))
            .sorted(Comparator.comparing(Leaf::key, Arrays::compareUnsigned))
            .toList();
    root = hash(0, leaves.size(), 0);
  }

  /** The dataset's root, hex. */
  public String dataset() {
    return dataset;
  }

  /** Recordings in the tree. */
  public int size() {
    return leaves.size();
  }

  /** The tree's root, hex. */
  public String root() {
    return HexFormat.of().formatHex(root);
  }

  /** What the log holds about this tree. */
  public byte[] logEntry() {
    return logEntry(dataset, size(), root());
  }

  static byte[] logEntry(String dataset, int recordings, String tree) {
    return "{\"dataset\":\"%s\",\"recordings\":%d,\"tree\":\"%s\"}"
        .formatted(dataset, recordings, tree)
        .getBytes(StandardCharsets.US_ASCII);
  }

  /** The way to a recording's place, whether it is there or not. */
  public Way way(Isrc isrc) {
    byte[] key = key(isrc);
    var siblings = new ArrayList<String>();
    int from = 0;
    int to = leaves.size();
    for (int depth = 0; to - from > 1; depth++) {
      int split = split(from, to, depth);
      boolean right = bit(key, depth);
      byte[] sibling = right ? hash(from, split, depth + 1) : hash(split, to, depth + 1);
      siblings.add(HexFormat.of().formatHex(sibling));
      from = right ? split : from;
      to = right ? to : split;
    }
    return new Way(siblings.reversed(), from == to ? null : leaves.get(from).line().text());
  }

  /**
   * Follows a way up to a root.
   *
   * @param root hex
   * @return the recording's line, or nothing if it is shown not to be there
   * @throws ProvenanceException if the way is not the recording's, or leads to another root
   */
  public static Optional<DatasetLine> check(String root, Isrc isrc, Way way) {
    byte[] key = key(isrc);
    DatasetLine line = way.leaf() == null ? null : DatasetLine.parse(way.leaf());
    int depth = way.siblings().size();
    if (line != null) {
      byte[] found = key(line.isrc());
      for (int i = 0; i < depth; i++) {
        if (bit(found, i) != bit(key, i)) {
          throw new ProvenanceException(
              "The line of %s says nothing about %s: its place in the tree is another."
                  .formatted(line.isrc().formatted(), isrc.formatted()));
        }
      }
    }
    byte[] hash = line == null ? EMPTY : leafHash(line);
    for (String text : way.siblings()) {
      byte[] sibling = hash(text);
      depth--;
      hash =
          bit(key, depth) ? MerkleTree.nodeHash(sibling, hash) : MerkleTree.nodeHash(hash, sibling);
    }
    if (!Arrays.equals(hash, hash(root))) {
      throw new ProvenanceException(
          "The hashes do not lead from the place of %s to the root of the dataset's tree: the proof"
                  .formatted(isrc.formatted())
              + " is for another dataset, or was changed.");
    }
    return Optional.ofNullable(line).filter(found -> found.isrc().equals(isrc));
  }

  /** The hash of the subtree at this depth that has these leaves. */
  private byte[] hash(int from, int to, int depth) {
    if (from == to) {
      return EMPTY;
    }
    if (to - from == 1) {
      return leaves.get(from).hash();
    }
    int split = split(from, to, depth);
    return MerkleTree.nodeHash(hash(from, split, depth + 1), hash(split, to, depth + 1));
  }

  /** The first of these leaves whose bit at this depth is set. */
  private int split(int from, int to, int depth) {
    int low = from;
    int high = to;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (bit(leaves.get(middle).key(), depth)) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }

  private static byte[] key(Isrc isrc) {
    return Hashes.sha256(isrc.value().getBytes(StandardCharsets.US_ASCII));
  }

  private static byte[] leafHash(DatasetLine line) {
    return MerkleTree.leafHash(line.text().getBytes(StandardCharsets.US_ASCII));
  }

  private static boolean bit(byte[] key, int depth) {
    return (key[depth >> 3] & (0x80 >> (depth & 7))) != 0;
  }

  private static byte[] hash(String hex) {
    try {
      byte[] hash = HexFormat.of().parseHex(hex);
      if (hash.length == EMPTY.length) {
        return hash;
      }
    } catch (IllegalArgumentException _) {
      // Falls through to the one sentence below.
    }
    throw new ProvenanceException("\"%.80s\" is no hash of a dataset's tree.".formatted(hex));
  }
}
