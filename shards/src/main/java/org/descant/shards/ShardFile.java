package org.descant.shards;

import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.descant.audio.AudioException;
import org.descant.audio.FlacStream;
import org.descant.audio.Pcm;
import org.descant.audio.Pcm16;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A shard: an {@link IndexedFile} whose records are sound, packed as its entry says, and whose
 * footer is {@code {"version":2,"records":[{offset,length,packing,frames,rate,channels,isrc,
 * decisionId,rulesHash,pcmHash,sha256},…]}}. In version 1 all records are packed PCM and have
 * neither packing nor frames.
 *
 * <p>A shard is opened only if every record carries its rights fields. A reader is safe for use by
 * many threads until it is closed.
 */
final class ShardFile implements AutoCloseable {
  static final int VERSION = 2;

  private final Path path;
  private final IndexedFile file;
  private final List<ShardEntry> entries;
  private final AtomicReferenceArray<FlacStream> streams;

  private ShardFile(Path path, IndexedFile file, List<ShardEntry> entries) {
    this.path = path;
    this.file = file;
    this.entries = entries;
    this.streams = new AtomicReferenceArray<>(entries.size());
  }

  /**
   * Maps a shard and reads its index.
   *
   * @throws ShardException when it is no shard, is cut short, damaged, or lacks rights fields
   */
  static ShardFile open(Path path) {
    IndexedFile file = IndexedFile.open(path, IndexedFile.Kind.SHARD, VERSION);
    try {
      return new ShardFile(path, file, readIndex(path, file));
    } catch (RuntimeException e) {
      file.close();
      throw e;
    }
  }

  private static List<ShardEntry> readIndex(Path path, IndexedFile file) {
    Index index;
    try {
      index =
          file.version() == 1
              ? Json.MAPPER.treeToValue(upgraded(Json.MAPPER.readTree(file.footer())), Index.class)
              : Json.MAPPER.readValue(file.footer(), Index.class);
    } catch (JacksonException e) {
      throw new ShardException("shard %s cannot be read: %s".formatted(path, Json.problem(e)), e);
    }
    for (ShardEntry entry : index.records()) {
      if (!file.holds(entry.offset(), entry.length())) {
        throw new ShardException(
            "shard %s is damaged: recording %s lies outside the file"
                .formatted(path, entry.isrc()));
      }
    }
    return index.records();
  }

  /** An index of version 1 with what version 2 says of its records. */
  private static JsonNode upgraded(JsonNode index) {
    for (JsonNode node : index.path("records")) {
      if (node instanceof ObjectNode record) {
        long frameBytes = 2 * Math.max(1, record.path("channels").asLong(1));
        record.put("packing", Packing.PCM16.name());
        record.put("frames", record.path("length").asLong(0) / frameBytes);
      }
    }
    return index;
  }

  record Index(int version, List<ShardEntry> records) {
    Index {
      records = List.copyOf(records);
    }
  }

  List<ShardEntry> entries() {
    return entries;
  }

  /**
   * Frames of a record as planar floats, ±1 full scale.
   *
   * @param out one array a channel, filled from index {@code at}
   * @throws ShardException unless {@code 0 <= from} and {@code from + frames} is within the record
   */
  void read(int record, long from, int frames, float[][] out, int at) {
    ShardEntry entry = entries.get(record);
    if (from < 0 || frames < 0 || from > entry.frames() - frames) {
      throw new ShardException(
          "recording %s has %d frames; %d frames from %d are not in it"
              .formatted(entry.isrc(), entry.frames(), frames, from));
    }
    if (out.length != entry.channels()) {
      throw new ShardException(
          "recording %s has %d channels, %d arrays were given"
              .formatted(entry.isrc(), entry.channels(), out.length));
    }
    switch (entry.packing()) {
      case PCM16 ->
          Pcm16.unpack(
              file.bytes(), entry.offset() + from * 2L * entry.channels(), frames, out, at);
      case FLAC -> {
        if (frames > 0) {
          try {
            stream(record).read(from, frames, out, at);
          } catch (AudioException e) {
            throw new ShardException("shard %s is damaged: %s".formatted(path, e.getMessage()), e);
          }
        }
      }
    }
  }

  /** As above, into new arrays. */
  Pcm read(int record, long from, int frames) {
    ShardEntry entry = entries.get(record);
    float[][] planar = new float[entry.channels()][Math.max(0, frames)];
    read(record, from, frames, planar, 0);
    return new Pcm(planar, entry.rate());
  }

  /** The head of a FLAC record is read when it is first asked for; two threads may both do it. */
  private FlacStream stream(int record) {
    FlacStream known = streams.get(record);
    if (known != null) {
      return known;
    }
    ShardEntry entry = entries.get(record);
    FlacStream stream =
        FlacStream.of(
            file.bytes().asSlice(entry.offset(), entry.length()), "recording " + entry.isrc());
    if (stream.frames() != entry.frames()
        || stream.channels() != entry.channels()
        || stream.sampleRate() != entry.rate()) {
      throw new ShardException(
          "shard %s is damaged: the stream of recording %s is not what the index says"
              .formatted(path, entry.isrc()));
    }
    streams.set(record, stream);
    return stream;
  }

  /** Compares every record's bytes with its hash. */
  void verify() {
    for (ShardEntry entry : entries) {
      byte[] record =
          file.bytes().asSlice(entry.offset(), entry.length()).toArray(ValueLayout.JAVA_BYTE);
      if (!Hashes.hex(Hashes.sha256(record)).equals(entry.sha256())) {
        throw new ShardException(
            "shard %s is damaged: recording %s has another hash; build the dataset again"
                .formatted(path, entry.isrc()));
      }
    }
  }

  @Override
  public void close() {
    file.close();
  }

  /** Writes one shard front to back. */
  static final class Writer implements AutoCloseable {
    private final IndexedFile.Writer file;
    private final Packing packing;
    private final List<ShardEntry> entries = new ArrayList<>();

    Writer(Path path, Packing packing) throws IOException {
      this.packing = packing;
      this.file = new IndexedFile.Writer(path, IndexedFile.Kind.SHARD, VERSION);
    }

    /** Appends one recording; the sound is rounded to 16 bits and clipped at full scale. */
    ShardEntry add(Pcm pcm, String isrc, String decisionId, String rulesHash, String pcmHash)
        throws IOException {
      byte[] packed =
          switch (packing) {
            case PCM16 -> pack(pcm);
            case FLAC -> pcm.frames() == 0 ? new byte[0] : FlacStream.encode(pcm);
          };
      var entry =
          new ShardEntry(
              file.add(ByteBuffer.wrap(packed)),
              packed.length,
              packing,
              pcm.frames(),
              pcm.sampleRate(),
              pcm.channelCount(),
              isrc,
              decisionId,
              rulesHash,
              pcmHash,
              Hashes.hex(Hashes.sha256(packed)));
      entries.add(entry);
      return entry;
    }

    long size() throws IOException {
      return file.size();
    }

    /** Writes index and trailer and forces all to disk. */
    void finish() throws IOException {
      file.finish(Json.MAPPER.writeValueAsBytes(new Index(VERSION, entries)));
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
      file.close();
    }
  }
}
