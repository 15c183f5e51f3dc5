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
import java.util.ArrayList;
import java.util.List;
import org.descant.audio.Pcm;
import tools.jackson.core.JacksonException;

/**
 * A shard: sound as interleaved signed 16-bit little-endian, then the index.
 *
 * <pre>
 * header    8  magic "DSCSHARD"
 *           4  version, 1
 *           4  zero
 * records      each at a multiple of 64 bytes, zero between
 * footer    JSON {"version":1,"records":[{offset,length,rate,channels,isrc,decisionId,rulesHash,
 *           pcmHash,sha256},…]} in UTF-8
 * trailer   8  footer offset
 *           8  footer length
 *          32  SHA-256 of the footer
 *           8  magic "DSCINDEX"
 * </pre>
 *
 * All integers little-endian. A shard is opened by its trailer, and only if every record carries
 * its rights fields. Reading maps the file; a reader is safe for use by many threads until it is
 * closed.
 */
final class ShardFile implements AutoCloseable {
  static final int VERSION = 1;

  /** An index larger than this is damage, not data: it would be a million records. */
  private static final long FOOTER_BYTES_MAX = 512L << 20;

  private static final byte[] MAGIC = "DSCSHARD".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] INDEX_MAGIC = "DSCINDEX".getBytes(StandardCharsets.US_ASCII);
  private static final int HEADER_BYTES = 16;
  private static final int TRAILER_BYTES = 8 + 8 + 32 + 8;
  private static final int ALIGNMENT_BYTES = 64;
  private static final ValueLayout.OfInt INT_LE =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfShort SHORT_LE =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG_LE =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** Frames copied out of the mapping at a time: 16 KiB of stereo stay in the first cache. */
  private static final int BLOCK_FRAMES = 4096;

  private static final float SCALE = 1f / 32768;

  private final Path path;
  private final Arena arena;
  private final MemorySegment bytes;
  private final List<ShardEntry> entries;

  private ShardFile(Path path, Arena arena, MemorySegment bytes, List<ShardEntry> entries) {
    this.path = path;
    this.arena = arena;
    this.bytes = bytes;
    this.entries = entries;
  }

  /**
   * Maps a shard and reads its index.
   *
   * @throws ShardException when it is no shard, is cut short, damaged, or lacks rights fields
   */
  static ShardFile open(Path path) {
    Arena arena = Arena.ofShared();
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      MemorySegment bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
      return new ShardFile(path, arena, bytes, readIndex(path, bytes));
    } catch (IOException e) {
      arena.close();
      throw new ShardException("cannot read shard " + path + ": " + e.getMessage(), e);
    } catch (RuntimeException e) {
      arena.close();
      throw e;
    }
  }

  private static List<ShardEntry> readIndex(Path path, MemorySegment bytes) {
    long size = bytes.byteSize();
    if (size < HEADER_BYTES + TRAILER_BYTES
        || !holds(bytes, 0, MAGIC)
        || !holds(bytes, size - INDEX_MAGIC.length, INDEX_MAGIC)) {
      throw new ShardException(path + " is not a whole shard; build the dataset again");
    }
    int version = bytes.get(INT_LE, MAGIC.length);
    if (version != VERSION) {
      throw new ShardException(
          "shard %s has version %d; this build reads version %d".formatted(path, version, VERSION));
    }
    long trailer = size - TRAILER_BYTES;
    long offset = bytes.get(LONG_LE, trailer);
    long length = bytes.get(LONG_LE, trailer + 8);
    if (offset < HEADER_BYTES
        || length < 0
        || length > FOOTER_BYTES_MAX
        || offset > trailer
        || offset + length != trailer) {
      throw new ShardException("shard " + path + " is damaged: its index lies outside the file");
    }
    byte[] footer = bytes.asSlice(offset, length).toArray(ValueLayout.JAVA_BYTE);
    byte[] expected = bytes.asSlice(trailer + 16, 32).toArray(ValueLayout.JAVA_BYTE);
    if (!MessageDigest.isEqual(Hashes.sha256(footer), expected)) {
      throw new ShardException("shard " + path + " is damaged: its index has another checksum");
    }
    Index index;
    try {
      index = Json.MAPPER.readValue(footer, Index.class);
    } catch (JacksonException e) {
      throw new ShardException("shard %s cannot be read: %s".formatted(path, Json.problem(e)), e);
    }
    for (ShardEntry entry : index.records()) {
      if (entry.offset() < HEADER_BYTES || entry.length() > offset - entry.offset()) {
        throw new ShardException(
            "shard %s is damaged: recording %s lies outside the file"
                .formatted(path, entry.isrc()));
      }
    }
    return index.records();
  }

  record Index(int version, List<ShardEntry> records) {
    Index {
      records = List.copyOf(records);
    }
  }

  private static boolean holds(MemorySegment bytes, long at, byte[] magic) {
    return bytes.asSlice(at, magic.length).mismatch(MemorySegment.ofArray(magic)) < 0;
  }

  List<ShardEntry> entries() {
    return entries;
  }

  /**
   * Frames of a record as planar floats, ±1 full scale.
   *
   * @throws ShardException unless {@code 0 <= from} and {@code from + frames} is within the record
   */
  Pcm read(int record, long from, int frames) {
    ShardEntry entry = entries.get(record);
    if (from < 0 || frames < 0 || from > entry.frames() - frames) {
      throw new ShardException(
          "recording %s has %d frames; %d frames from %d are not in it"
              .formatted(entry.isrc(), entry.frames(), frames, from));
    }
    float[][] planar = new float[entry.channels()][frames];
    long at = entry.offset() + from * 2L * entry.channels();
    if (entry.channels() == 1) {
      mono(at, planar[0]);
    } else {
      stereo(at, planar[0], planar[1]);
    }
    return new Pcm(planar, entry.rate());
  }

  private void mono(long offset, float[] out) {
    short[] block = new short[Math.min(BLOCK_FRAMES, out.length)];
    for (int done = 0; done < out.length; done += block.length) {
      int n = Math.min(block.length, out.length - done);
      MemorySegment.copy(bytes, SHORT_LE, offset + 2L * done, block, 0, n);
      for (int i = 0; i < n; i++) {
        out[done + i] = block[i] * SCALE;
      }
    }
  }

  /** A frame of two samples is read as one int, which splits with two shifts. */
  private void stereo(long offset, float[] left, float[] right) {
    int[] block = new int[Math.min(BLOCK_FRAMES, left.length)];
    for (int done = 0; done < left.length; done += block.length) {
      int n = Math.min(block.length, left.length - done);
      MemorySegment.copy(bytes, INT_LE, offset + 4L * done, block, 0, n);
      for (int i = 0; i < n; i++) {
        left[done + i] = (block[i] << 16 >> 16) * SCALE;
        right[done + i] = (block[i] >> 16) * SCALE;
      }
    }
  }

  /** Compares every record's bytes with its hash. */
  void verify() {
    for (ShardEntry entry : entries) {
      byte[] record = bytes.asSlice(entry.offset(), entry.length()).toArray(ValueLayout.JAVA_BYTE);
      if (!Hashes.hex(Hashes.sha256(record)).equals(entry.sha256())) {
        throw new ShardException(
            "shard %s is damaged: recording %s has another hash; build the dataset again"
                .formatted(path, entry.isrc()));
      }
    }
  }

  @Override
  public void close() {
    arena.close();
  }

  /** Writes one shard front to back. */
  static final class Writer implements AutoCloseable {
    private final Path path;
    private final FileChannel channel;
    private final List<ShardEntry> entries = new ArrayList<>();

    Writer(Path path) throws IOException {
      this.path = path;
      channel = FileChannel.open(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
      write(
          ByteBuffer.allocate(HEADER_BYTES)
              .order(ByteOrder.LITTLE_ENDIAN)
              .put(MAGIC)
              .putInt(VERSION)
              .putInt(0)
              .flip());
    }

    /** Appends one recording; the sound is rounded to 16 bits and clipped at full scale. */
    ShardEntry add(Pcm pcm, String isrc, String decisionId, String rulesHash, String pcmHash)
        throws IOException {
      long padding = Math.floorMod(-channel.position(), (long) ALIGNMENT_BYTES);
      write(ByteBuffer.allocate((int) padding));
      byte[] packed = pack(pcm);
      var entry =
          new ShardEntry(
              channel.position(),
              packed.length,
              pcm.sampleRate(),
              pcm.channelCount(),
              isrc,
              decisionId,
              rulesHash,
              pcmHash,
              Hashes.hex(Hashes.sha256(packed)));
      write(ByteBuffer.wrap(packed));
      entries.add(entry);
      return entry;
    }

    long size() throws IOException {
      return channel.position();
    }

    /** Writes index and trailer and forces all to disk. */
    void finish() throws IOException {
      byte[] footer = Json.MAPPER.writeValueAsBytes(new Index(VERSION, entries));
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

    static byte[] pack(Pcm pcm) {
      ByteBuffer out =
          ByteBuffer.allocate(pcm.frames() * pcm.channelCount() * Short.BYTES)
              .order(ByteOrder.LITTLE_ENDIAN);
      for (int frame = 0; frame < pcm.frames(); frame++) {
        for (float[] channel : pcm.channels()) {
          int value = Math.round(channel[frame] * 32768f);
          out.putShort((short) Math.clamp(value, Short.MIN_VALUE, Short.MAX_VALUE));
        }
      }
      return out.array();
    }

    @Override
    public void close() throws IOException {
      channel.close();
    }

    @Override
    public String toString() {
      return path.toString();
    }
  }
}
