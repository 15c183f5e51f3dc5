package org.descant.shards;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;

/**
 * A file of records with its index at the end, mapped for reading.
 *
 * <pre>
 * header    8  magic of the kind
 *           4  version
 *           4  zero
 * records      each at a multiple of 64 bytes, zero between
 * footer    JSON in UTF-8
 * trailer   8  footer offset
 *           8  footer length
 *          32  SHA-256 of the footer
 *           8  magic "DSCINDEX"
 * </pre>
 *
 * All integers little-endian. It is opened by its trailer, so a file that was cut is never opened.
 */
final class IndexedFile implements AutoCloseable {
  /** What kind of file it is. */
  enum Kind {
    SHARD("shard", "DSCSHARD"),
    FIELD("field file", "DSCFIELD");

    private final String word;
    private final byte[] magic;

    Kind(String word, String magic) {
      this.word = word;
      this.magic = magic.getBytes(StandardCharsets.US_ASCII);
    }
  }

  /** An index larger than this is damage, not data: it would be a million records. */
  private static final long FOOTER_BYTES_MAX = 512L << 20;

  private static final byte[] INDEX_MAGIC = "DSCINDEX".getBytes(StandardCharsets.US_ASCII);
  private static final int HEADER_BYTES = 16;
  private static final int TRAILER_BYTES = 8 + 8 + 32 + 8;
  private static final int ALIGNMENT_BYTES = 64;
  private static final ValueLayout.OfInt INT_LE =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG_LE =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final Arena arena;
  private final MemorySegment bytes;
  private final int version;
  private final byte[] footer;
  private final long end;

  private IndexedFile(Arena arena, MemorySegment bytes, int version, byte[] footer, long end) {
    this.arena = arena;
    this.bytes = bytes;
    this.version = version;
    this.footer = footer;
    this.end = end;
  }

  /**
   * Maps a file and reads its footer.
   *
   * @throws ShardException when it is of another kind or newer, is cut short, or its footer is
   *     damaged
   */
  static IndexedFile open(Path path, Kind kind, int versionMax) {
    Arena arena = Arena.ofShared();
    boolean opened = false;
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      MemorySegment bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
      IndexedFile file = read(arena, bytes, path, kind, versionMax);
      opened = true;
      return file;
    } catch (IOException e) {
      throw new ShardException(
          "cannot read %s %s: %s".formatted(kind.word, path, e.getMessage()), e);
    } finally {
      if (!opened) {
        arena.close();
      }
    }
  }

  private static IndexedFile read(
      Arena arena, MemorySegment bytes, Path path, Kind kind, int versionMax) {
    long size = bytes.byteSize();
    if (size < HEADER_BYTES + TRAILER_BYTES
        || !holds(bytes, 0, kind.magic)
        || !holds(bytes, size - INDEX_MAGIC.length, INDEX_MAGIC)) {
      throw new ShardException(
          "%s is not a whole %s; build the dataset again".formatted(path, kind.word));
    }
    int version = bytes.get(INT_LE, kind.magic.length);
    if (version < 1 || version > versionMax) {
      throw new ShardException(
          "%s %s has version %d; this build reads versions up to %d"
              .formatted(kind.word, path, version, versionMax));
    }
    long trailer = size - TRAILER_BYTES;
    long offset = bytes.get(LONG_LE, trailer);
    long length = bytes.get(LONG_LE, trailer + 8);
    if (offset < HEADER_BYTES
        || length < 0
        || length > FOOTER_BYTES_MAX
        || offset > trailer
        || offset + length != trailer) {
      throw new ShardException(
          "%s %s is damaged: its index lies outside the file".formatted(kind.word, path));
    }
    byte[] footer = bytes.asSlice(offset, length).toArray(ValueLayout.JAVA_BYTE);
    byte[] expected = bytes.asSlice(trailer + 16, 32).toArray(ValueLayout.JAVA_BYTE);
    if (!MessageDigest.isEqual(Hashes.sha256(footer), expected)) {
      throw new ShardException(
          "%s %s is damaged: its index has another checksum".formatted(kind.word, path));
    }
    return new IndexedFile(arena, bytes, version, footer, offset);
  }

  private static boolean holds(MemorySegment bytes, long at, byte[] magic) {
    return bytes.asSlice(at, magic.length).mismatch(MemorySegment.ofArray(magic)) < 0;
  }

  int version() {
    return version;
  }

  /** The footer as it lies in the file; nobody changes it. */
  byte[] footer() {
    return footer;
  }

  /** The whole file. */
  MemorySegment bytes() {
    return bytes;
  }

  /** Whether a record lies between header and footer. */
  boolean holds(long offset, long length) {
    return offset >= HEADER_BYTES && length >= 0 && length <= end - offset;
  }

  @Override
  public void close() {
    arena.close();
  }

  /** Writes one file front to back; whoever makes it writes aside and renames. */
  static final class Writer implements AutoCloseable {
    private final FileChannel channel;

    Writer(Path path, Kind kind, int version) throws IOException {
      channel = FileChannel.open(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
      write(
          ByteBuffer.allocate(HEADER_BYTES)
              .order(ByteOrder.LITTLE_ENDIAN)
              .put(kind.magic)
              .putInt(version)
              .putInt(0)
              .flip());
    }

    /** Appends a record at the next multiple of 64 bytes; returns where it begins. */
    long add(ByteBuffer record) throws IOException {
      long padding = Math.floorMod(-channel.position(), (long) ALIGNMENT_BYTES);
      write(ByteBuffer.allocate((int) padding));
      long offset = channel.position();
      write(record);
      return offset;
    }

    long size() throws IOException {
      return channel.position();
    }

    /** Writes footer and trailer and forces all to disk. */
    void finish(byte[] footer) throws IOException {
      long offset = channel.position();
      write(ByteBuffer.wrap(footer));
      write(
          ByteBuffer.allocate(TRAILER_BYTES)
              .order(ByteOrder.LITTLE_ENDIAN)
              .putLong(offset)
              .putLong(footer.length)
              .put(Hashes.sha256(footer))
              .put(INDEX_MAGIC)
              .flip());
      channel.force(true);
    }

    private void write(ByteBuffer buffer) throws IOException {
      while (buffer.hasRemaining()) {
        channel.write(buffer);
      }
    }

    @Override
    public void close() throws IOException {
      channel.close();
    }
  }
}
