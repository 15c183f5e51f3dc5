package org.descant.provenance;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The hash tree of RFC 6962 and RFC 9162 over SHA-256: leaves are hashed after a byte 0, nodes
 * after a byte 1. A tree of n leaves splits at the largest power of two below n.
 */
public final class MerkleTree {
  static final int HASH_BYTES = 32;
  private static final byte[] LEAF = {0};
  private static final byte[] NODE = {1};

  private MerkleTree() {}

  /** A stored hash of a complete subtree: 2^level leaves, the index-th of its level. */
  @FunctionalInterface
  interface Nodes {
    byte[] hash(int level, long index);
  }

  public static byte[] leafHash(byte[] entry) {
    return Hashes.sha256(LEAF, entry);
  }

  public static byte[] nodeHash(byte[] left, byte[] right) {
    return Hashes.sha256(NODE, left, right);
  }

  /** The root over the leaves [from, to); {@code from} is a multiple of the size rounded up. */
  static byte[] root(Nodes nodes, long from, long to) {
    long size = to - from;
    if (size == 0) {
      return Hashes.sha256();
    }
    if (Long.bitCount(size) == 1) {
      int level = Long.numberOfTrailingZeros(size);
      return nodes.hash(level, from >> level);
    }
    long split = from + Long.highestOneBit(size - 1);
    return nodeHash(root(nodes, from, split), root(nodes, split, to));
  }

  /** RFC 9162 §2.1.3.1: the hashes that lead from a leaf to the root over {@code size} leaves. */
  static List<byte[]> inclusion(Nodes nodes, long index, long size) {
    var proof = new ArrayList<byte[]>();
    long from = 0;
    long to = size;
    while (to - from > 1) {
      long split = from + Long.highestOneBit(to - from - 1);
      boolean left = index < split;
      proof.add(left ? root(nodes, split, to) : root(nodes, from, split));
      from = left ? from : split;
      to = left ? split : to;
    }
    return proof.reversed();
  }

  /**
   * RFC 9162 §2.1.4.1: that the tree of {@code oldSize} leaves is a prefix of that of {@code size}.
   */
  static List<byte[]> consistency(Nodes nodes, long oldSize, long size) {
    var proof = new ArrayList<byte[]>();
    if (oldSize == 0 || oldSize == size) {
      return proof;
    }
    long from = 0;
    long to = size;
    while (oldSize != to) {
      long split = from + Long.highestOneBit(to - from - 1);
      boolean left = oldSize <= split;
      proof.add(left ? root(nodes, split, to) : root(nodes, from, split));
      from = left ? from : split;
      to = left ? split : to;
    }
    if (from != 0) {
      proof.add(root(nodes, from, to));
    }
    return proof.reversed();
  }

  /** True if the leaf is at this index of the tree with this root (RFC 9162 §2.1.3.2). */
  public static boolean verifyInclusion(
      byte[] leafHash, long index, long size, List<byte[]> proof, byte[] root) {
    if (index < 0 || index >= size) {
      return false;
    }
    long at = index;
    long last = size - 1;
    byte[] hash = leafHash;
    for (byte[] sibling : proof) {
      if (last == 0) {
        return false;
      }
      if ((at & 1) == 1 || at == last) {
        hash = nodeHash(sibling, hash);
        while ((at & 1) == 0 && at != 0) {
          at >>= 1;
          last >>= 1;
        }
      } else {
        hash = nodeHash(hash, sibling);
      }
      at >>= 1;
      last >>= 1;
    }
    return last == 0 && Arrays.equals(hash, root);
  }

  /** True if the tree with the old root is a prefix of the one with the new root (§2.1.4.2). */
  public static boolean verifyConsistency(
      long oldSize, byte[] oldRoot, long size, byte[] root, List<byte[]> proof) {
    if (oldSize < 0 || oldSize > size) {
      return false;
    }
    if (oldSize == size) {
      return proof.isEmpty() && Arrays.equals(oldRoot, root);
    }
    if (oldSize == 0) {
      return proof.isEmpty();
    }
    var path = new ArrayList<byte[]>(proof);
    if (Long.bitCount(oldSize) == 1) {
      path.addFirst(oldRoot);
    }
    if (path.isEmpty()) {
      return false;
    }
    long at = oldSize - 1;
    long last = size - 1;
    while ((at & 1) == 1) {
      at >>= 1;
      last >>= 1;
    }
    byte[] oldHash = path.getFirst();
    byte[] hash = oldHash;
    for (byte[] sibling : path.subList(1, path.size())) {
      if (last == 0) {
        return false;
      }
      if ((at & 1) == 1 || at == last) {
        oldHash = nodeHash(sibling, oldHash);
        hash = nodeHash(sibling, hash);
        while ((at & 1) == 0 && at != 0) {
          at >>= 1;
          last >>= 1;
        }
      } else {
        hash = nodeHash(hash, sibling);
      }
      at >>= 1;
      last >>= 1;
    }
    return last == 0 && Arrays.equals(oldHash, oldRoot) && Arrays.equals(hash, root);
  }
}
