package org.descant.provenance;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.OptionalLong;

/*
 * Files (C2SP tlog-tiles): checkpoint, tile/<level>/<n>[.p/<width>], tile/entries/<n>[.p/<width>].
 *
 * An append writes the entry bundle and the tiles at the right edge, then the checkpoint: the rename
 * of the checkpoint is the commit. A crash before it leaves tiles that no checkpoint covers; the next
 * append writes them anew. So a partial tile is looked for under its exact width before the full one:
 * a full tile may be such a leftover, until a checkpoint covers it. Partial tiles go once it does.
 *
 * Price of one append: about six forced writes (20 ms on an ordinary disk); of a batch, hardly more.
 */
/**
 * An append-only log on disk that outsiders can check: static files, signed heads, proofs. Safe for
 * several threads and processes on one folder, and against being killed at any point: an append
 * that has returned stays, one that has not leaves no trace in any checkpoint.
 */
public final class TransparencyLog {
  /** The bundle format gives an entry's length two bytes. */
  public static final int ENTRY_BYTES_MAX = 0xffff;

  /** Entries in one call, so that a batch fits in memory. */
  public static final int BATCH_MAX = 1 << 16;

  private static final int TILE_LEVELS = 8;
  private static final int TILE_WIDTH = 1 << TILE_LEVELS;

  private final Path folder;
  private final SigningKey signer;
  private final LogKey key;

  private TransparencyLog(Path folder, SigningKey signer, LogKey key) {
    this.folder = folder;
    this.signer = signer;
    this.key = key;
  }

  /**
   * The log of this home, in its folder {@code log}; made on first use.
   *
   * @throws ProvenanceException if the folder cannot be used, or holds the log of another key
   */
  public static TransparencyLog open(Path home, SigningKey signer) {
    String id = HexFormat.of().formatHex(Hashes.sha256(signer.logPublicKey()), 0, 8);
    var key = new LogKey("descant.local/log/" + id, signer.logPublicKey());
    var log = new TransparencyLog(home.resolve("log"), signer, key);
    try {
      Files.createDirectories(log.folder);
      try (var ignored = log.lock()) {
        if (!Files.exists(log.checkpointFile())) {
          log.commit(Checkpoint.sign(key, signer, 0, Hashes.sha256()));
        }
      }
      log.checkpoint();
      return log;
    } catch (IOException e) {
      throw log.unusable(e);
    }
  }

  /** What others need to check this log: {@code name+id+key}. */
  public String verifierKey() {
    return key.toString();
  }

  /** The newest head. */
  public Checkpoint checkpoint() {
    try {
      return Checkpoint.verify(Files.readString(checkpointFile()), verifierKey());
    } catch (IOException e) {
      throw unusable(e);
    }
  }

  /** Appends one entry; durable when this returns. Returns its index. */
  public long append(byte[] entry) {
    return appendAll(List.of(entry));
  }

  /**
   * The index of this entry, appended if the log has none; durable when this returns. Two processes
   * that ask for one entry at the same moment may both append it; each index proves it.
   */
  public long appendOnce(byte[] entry) {
    return find(entry).orElseGet(() -> append(entry));
  }

  /**
   * Signs a text with the log's key, as a note that {@link LogKey#verified} reads (C2SP
   * signed-note).
   *
   * @param text lines, each ended by a line feed; its first is not the log's name, so that no text
   *     can pass for a checkpoint
   * @throws ProvenanceException if it is
   */
  public String sign(String text) {
    if (!text.endsWith("\n") || text.startsWith(key.name() + "\n")) {
      throw new ProvenanceException(
          "The log does not sign this text: it would read like a checkpoint, or does not end its"
              + " last line.");
    }
    return key.sign(text, signer);
  }

  /**
   * Appends entries in this order, all or none; durable when this returns.
   *
   * @return the index of the first
   */
  public long appendAll(List<byte[]> entries) {
    if (entries.isEmpty() || entries.size() > BATCH_MAX) {
      throw new ProvenanceException(
          "A log takes 1 to %d entries at once, not %d: split them."
              .formatted(BATCH_MAX, entries.size()));
    }
    for (byte[] entry : entries) {
      if (entry.length > ENTRY_BYTES_MAX) {
        throw new ProvenanceException(
            "A log entry has at most %d bytes, this one has %d: log its hash instead."
                .formatted(ENTRY_BYTES_MAX, entry.length));
      }
    }
    try (var ignored = lock()) {
      Checkpoint head = checkpoint();
      long size = head.size();
      if (!Arrays.equals(MerkleTree.root(nodes(size), 0, size), head.root())) {
        throw new ProvenanceException(
            "The tiles in %s do not give the root of their checkpoint: restore the folder from a backup."
                .formatted(folder));
      }
      List<Path> outgrown = writeBundles(size, entries);
      outgrown.addAll(writeTiles(size, entries.stream().map(MerkleTree::leafHash).toList()));
      long grown = size + entries.size();
      commit(Checkpoint.sign(key, signer, grown, MerkleTree.root(nodes(grown), 0, grown)));
      deletePartials(outgrown);
      return size;
    } catch (IOException e) {
      throw unusable(e);
    }
  }

  /** The entry at this index. */
  public byte[] entry(long index) {
    long size = checkpoint().size();
    requireIndex(index, size);
    return bundle(index / TILE_WIDTH, size).get((int) (index % TILE_WIDTH));
  }

  /** The first index of this entry. Reads the whole log's leaf hashes, 32 bytes an entry. */
  public OptionalLong find(byte[] entry) {
    byte[] wanted = MerkleTree.leafHash(entry);
    long size = checkpoint().size();
    for (long tile = 0; tile * TILE_WIDTH < size; tile++) {
      byte[] hashes = tile(0, tile, size);
      for (int at = 0; at < hashes.length; at += MerkleTree.HASH_BYTES) {
        if (Arrays.equals(hashes, at, at + MerkleTree.HASH_BYTES, wanted, 0, wanted.length)) {
          return OptionalLong.of(tile * TILE_WIDTH + at / MerkleTree.HASH_BYTES);
        }
      }
    }
    return OptionalLong.empty();
  }

  /** A proof, under the newest head, that the entry at this index is in the log. */
  public LogProof prove(long index) {
    Checkpoint head = checkpoint();
    requireIndex(index, head.size());
    return new LogProof(
        index, MerkleTree.inclusion(nodes(head.size()), index, head.size()), head.note());
  }

  /** The hashes that show that an earlier head is a prefix of a later one. */
  public List<byte[]> proveConsistency(long oldSize, long size) {
    if (oldSize < 0 || oldSize > size || size > checkpoint().size()) {
      throw new ProvenanceException(
          "The log cannot show that a head of %d entries grew to %d: it has %d."
              .formatted(oldSize, size, checkpoint().size()));
    }
    return MerkleTree.consistency(nodes(checkpoint().size()), oldSize, size);
  }

  /** Writes {@link #prove} to a {@code .tlog-proof} file. */
  public void writeProof(long index, Path file) {
    try {
      SafeFiles.write(file, prove(index).text().getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new ProvenanceException(
          "The proof %s cannot be written (%s): check the folder.".formatted(file, e), e);
    }
  }

  private void requireIndex(long index, long size) {
    if (index < 0 || index >= size) {
      throw new ProvenanceException(
          "The log has no entry %d: its entries are 0 to %d.".formatted(index, size - 1));
    }
  }

  /** Writes the bundles that hold the new entries; returns the files that full ones replace. */
  private List<Path> writeBundles(long size, List<byte[]> entries) throws IOException {
    var outgrown = new ArrayList<Path>();
    long number = size / TILE_WIDTH;
    var bundle = new ArrayList<byte[]>();
    if (size % TILE_WIDTH != 0) {
      bundle.addAll(bundle(number, size));
    }
    for (byte[] entry : entries) {
      bundle.add(entry);
      if (bundle.size() == TILE_WIDTH) {
        outgrown.add(writeTile("entries", number, TILE_WIDTH, joined(bundle)));
        bundle.clear();
        number++;
      }
    }
    if (!bundle.isEmpty()) {
      writeTile("entries", number, bundle.size(), joined(bundle));
    }
    return outgrown;
  }

  private static byte[] joined(List<byte[]> bundle) {
    var out = new ByteArrayOutputStream();
    for (byte[] entry : bundle) {
      out.write(entry.length >> 8);
      out.write(entry.length);
      out.writeBytes(entry);
    }
    return out.toByteArray();
  }

  /**
   * Writes the tiles at the right edge, level by level: the roots of full tiles go one level up.
   */
  private List<Path> writeTiles(long size, List<byte[]> leaves) throws IOException {
    var outgrown = new ArrayList<Path>();
    List<byte[]> added = leaves;
    long before = size;
    for (int level = 0; !added.isEmpty(); level++) {
      var full = new ArrayList<byte[]>();
      long number = before / TILE_WIDTH;
      var hashes = new ByteArrayOutputStream();
      if (before % TILE_WIDTH != 0) {
        hashes.writeBytes(tile(level, number, size));
      }
      for (byte[] hash : added) {
        hashes.writeBytes(hash);
        if (hashes.size() == TILE_WIDTH * MerkleTree.HASH_BYTES) {
          byte[] tile = hashes.toByteArray();
          outgrown.add(writeTile(Integer.toString(level), number, TILE_WIDTH, tile));
          full.add(subtree(tile, TILE_LEVELS, 0));
          hashes.reset();
          number++;
        }
      }
      if (hashes.size() > 0) {
        writeTile(
            Integer.toString(level),
            number,
            hashes.size() / MerkleTree.HASH_BYTES,
            hashes.toByteArray());
      }
      added = full;
      before /= TILE_WIDTH;
    }
    return outgrown;
  }

  private Path writeTile(String level, long number, int width, byte[] bytes) throws IOException {
    Path full = tilePath(level, number);
    Path file = width == TILE_WIDTH ? full : partial(full, width);
    SafeFiles.createFolders(SafeFiles.folderOf(file));
    SafeFiles.write(file, bytes);
    return full;
  }

  private static void deletePartials(List<Path> fullTiles) throws IOException {
    for (Path full : fullTiles) {
      Path partials = SafeFiles.folderOf(partial(full, 1));
      if (Files.isDirectory(partials)) {
        try (var files = Files.list(partials)) {
          for (Path file : files.toList()) {
            Files.deleteIfExists(file);
          }
        }
        Files.deleteIfExists(partials);
      }
    }
  }

  /** The hashes of complete subtrees of the tree of this size, from the tiles. */
  private MerkleTree.Nodes nodes(long size) {
    return (level, index) -> {
      int inTile = level % TILE_LEVELS;
      long first = index << inTile;
      byte[] tile = tile(level / TILE_LEVELS, first / TILE_WIDTH, size);
      return subtree(tile, inTile, (int) (first % TILE_WIDTH));
    };
  }

  /** The root of 2^levels hashes of a tile, from this one on. */
  private static byte[] subtree(byte[] tile, int levels, int first) {
    if (levels == 0) {
      int from = first * MerkleTree.HASH_BYTES;
      return Arrays.copyOfRange(tile, from, from + MerkleTree.HASH_BYTES);
    }
    int half = 1 << (levels - 1);
    return MerkleTree.nodeHash(
        subtree(tile, levels - 1, first), subtree(tile, levels - 1, first + half));
  }

  /** The hashes that the tile has in the tree of this size. */
  private byte[] tile(int level, long number, long size) {
    long hashes = (size >> (TILE_LEVELS * level)) - number * TILE_WIDTH;
    int width = (int) Math.min(TILE_WIDTH, hashes);
    byte[] bytes = readTile(Integer.toString(level), number, width);
    if (bytes.length < width * MerkleTree.HASH_BYTES) {
      throw new ProvenanceException(
          "Tile %d of level %d in %s is too short: restore the folder from a backup."
              .formatted(number, level, folder));
    }
    return Arrays.copyOf(bytes, width * MerkleTree.HASH_BYTES);
  }

  private List<byte[]> bundle(long number, long size) {
    int width = (int) Math.min(TILE_WIDTH, size - number * TILE_WIDTH);
    ByteBuffer in = ByteBuffer.wrap(readTile("entries", number, width));
    var entries = new ArrayList<byte[]>();
    while (entries.size() < width) {
      int length = in.remaining() < 2 ? -1 : in.getShort() & 0xffff;
      if (length < 0 || length > in.remaining()) {
        throw new ProvenanceException(
            "Entry bundle %d in %s is too short: restore the folder from a backup."
                .formatted(number, folder));
      }
      var entry = new byte[length];
      in.get(entry);
      entries.add(entry);
    }
    return entries;
  }

  private byte[] readTile(String level, long number, int width) {
    Path full = tilePath(level, number);
    try {
      if (width < TILE_WIDTH) {
        try {
          return Files.readAllBytes(partial(full, width));
        } catch (NoSuchFileException _) {
          return Files.readAllBytes(full);
        }
      }
      return Files.readAllBytes(full);
    } catch (IOException e) {
      throw unusable(e);
    }
  }

  /** tile/level/x001/x234/067 for number 1234067. */
  private Path tilePath(String level, long number) {
    String path = "%03d".formatted(number % 1_000);
    for (long rest = number / 1_000; rest > 0; rest /= 1_000) {
      path = "x%03d/%s".formatted(rest % 1_000, path);
    }
    return folder.resolve("tile").resolve(level).resolve(path);
  }

  private static Path partial(Path full, int width) {
    return full.resolveSibling(full.getFileName() + ".p").resolve(Integer.toString(width));
  }

  private Path checkpointFile() {
    return folder.resolve("checkpoint");
  }

  private void commit(Checkpoint head) throws IOException {
    SafeFiles.write(checkpointFile(), head.note().getBytes(StandardCharsets.UTF_8));
  }

  private FolderLock lock() throws IOException {
    return FolderLock.acquire(folder.resolve("lock"));
  }

  private ProvenanceException unusable(IOException e) {
    return new ProvenanceException(
        "The transparency log in %s cannot be used (%s): check the folder and the free space."
            .formatted(folder, e),
        e);
  }
}
