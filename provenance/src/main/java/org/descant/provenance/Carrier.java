package org.descant.provenance;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/*
 * Where a manifest store lives in a file. WAV: a chunk C2PA as the last child of RIFF; the hash leaves
 * out the chunk with its header. FLAC and MP3: a GEOB frame of an ID3v2 tag in front; the hash leaves
 * out the object's bytes only.
 */
/** Finds the manifest store of an audio file, and lays out a file with a new one. */
final class Carrier {
  /** More than any credential of sound needs; some writers embed pictures. */
  private static final int STORE_BYTES_MAX = 8 << 20;

  private static final int CHUNKS_MAX = 10_000;
  private static final int FRAMES_MAX = 1_000;
  private static final int RIFF_HEADER = 12;
  private static final int CHUNK_HEADER = 8;
  private static final int ID3_HEADER = 10;
  private static final int ID3_FRAME_HEADER = 10;
  private static final int SYNCHSAFE_MAX = (1 << 28) - 1;
  private static final String MIME = "application/c2pa";
  private static final String OLD_MIME = "application/x-c2pa-manifest-store";

  private Carrier() {}

  /**
   * A manifest store in a file.
   *
   * @param bytes the JUMBF bytes
   * @param from first byte that a hash may leave out
   * @param to one past the last such byte
   */
  record Store(byte[] bytes, long from, long to) {}

  /** A part of a file that is copied as it is. */
  record Span(long from, long length) {}

  /**
   * A file with room for a manifest: {@code head}, the spans of the source, {@code before}, the
   * manifest, {@code after}. The head depends on the manifest's size.
   *
   * @param manifestFirst true if the manifest stands before the audio
   */
  record Layout(byte[] head, List<Span> spans, byte[] before, byte[] after, boolean manifestFirst) {
    long spansLength() {
      return spans.stream().mapToLong(Span::length).sum();
    }

    /** Offset of the manifest's first byte in the new file. */
    long manifestOffset() {
      return head.length + (manifestFirst ? 0 : spansLength()) + before.length;
    }

    /** Offset of the first byte that the hash leaves out. */
    long exclusionStart() {
      return manifestFirst ? manifestOffset() : manifestOffset() - before.length;
    }

    long exclusionLength(int manifestLength) {
      return manifestFirst ? manifestLength : before.length + (long) manifestLength;
    }
  }

  static Optional<Store> find(FileChannel file) throws IOException, Malformed {
    ByteBuffer magic = read(file, 0, (int) Math.min(RIFF_HEADER, file.size()));
    if (startsWith(magic, "RIFF")) {
      return findInRiff(file);
    }
    return startsWith(magic, "ID3") ? findInId3(file) : Optional.empty();
  }

  private static Optional<Store> findInRiff(FileChannel file) throws IOException, Malformed {
    Optional<Store> found = Optional.empty();
    for (Chunk chunk : chunks(file)) {
      if (chunk.id().equals("C2PA")) {
        if (found.isPresent()) {
          throw new Malformed("the file has more than one C2PA chunk");
        }
        byte[] bytes = store(file, chunk.from() + CHUNK_HEADER, chunk.length());
        found =
            Optional.of(
                new Store(bytes, chunk.from(), chunk.from() + CHUNK_HEADER + chunk.length()));
      }
    }
    return found;
  }

  private record Chunk(String id, long from, long length) {
    /** Size with header and pad byte. */
    long span() {
      return CHUNK_HEADER + length + (length & 1);
    }
  }

  /** The chunks of RIFF; a last chunk that is cut off by the end of the file is left out. */
  private static List<Chunk> chunks(FileChannel file) throws IOException, Malformed {
    var chunks = new ArrayList<Chunk>();
    long at = RIFF_HEADER;
    while (at + CHUNK_HEADER <= file.size()) {
      if (chunks.size() == CHUNKS_MAX) {
        throw new Malformed("the file has more than " + CHUNKS_MAX + " chunks");
      }
      ByteBuffer header = read(file, at, CHUNK_HEADER).order(ByteOrder.LITTLE_ENDIAN);
      long length = header.getInt(4) & 0xffffffffL;
      if (at + CHUNK_HEADER + length > file.size()) {
        break;
      }
      var id = new byte[4];
      header.get(0, id);
      chunks.add(new Chunk(new String(id, StandardCharsets.ISO_8859_1), at, length));
      at += CHUNK_HEADER + length + (length & 1);
    }
    return chunks;
  }

  private static Optional<Store> findInId3(FileChannel file) throws IOException, Malformed {
    ByteBuffer header = read(file, 0, (int) Math.min(ID3_HEADER, file.size()));
    if (header.remaining() < ID3_HEADER) {
      return Optional.empty();
    }
    int version = header.get(3);
    int flags = header.get(5) & 0xff;
    if ((version != 3 && version != 4) || (flags & 0x80) != 0) {
      return Optional.empty();
    }
    long end = ID3_HEADER + (long) synchsafe(header.getInt(6));
    if (end > file.size()) {
      throw new Malformed("the ID3 tag is longer than the file");
    }
    long at = ID3_HEADER;
    if ((flags & 0x40) != 0) {
      int size = read(file, at, 4).getInt();
      at += version == 4 ? synchsafe(size) : 4L + size;
    }

    Optional<Store> found = Optional.empty();
    for (int frames = 0; at >= ID3_HEADER && at + ID3_FRAME_HEADER <= end; frames++) {
      ByteBuffer frame = read(file, at, ID3_FRAME_HEADER);
      if (frame.get(0) == 0 || frames == FRAMES_MAX) {
        break;
      }
      long length = version == 4 ? synchsafe(frame.getInt(4)) : frame.getInt(4) & 0xffffffffL;
      if (at + ID3_FRAME_HEADER + length > end) {
        throw new Malformed("an ID3 frame is longer than its tag");
      }
      if (startsWith(frame, "GEOB")) {
        Optional<Store> store = geob(file, at + ID3_FRAME_HEADER, length);
        if (store.isPresent() && found.isPresent()) {
          throw new Malformed("the file has more than one credential");
        }
        found = store.isPresent() ? store : found;
      }
      at += ID3_FRAME_HEADER + length;
    }
    return found;
  }

  private static Optional<Store> geob(FileChannel file, long from, long length)
      throws IOException, Malformed {
    ByteBuffer start = read(file, from, (int) Math.min(length, 1_024));
    if (!start.hasRemaining()) {
      return Optional.empty();
    }
    int encoding = start.get();
    boolean wide = encoding == 1 || encoding == 2;
    String mime = terminated(start, false);
    if (!mime.equals(MIME) && !mime.equals(OLD_MIME)) {
      return Optional.empty();
    }
    terminated(start, wide);
    terminated(start, wide);
    long object = from + start.position();
    byte[] bytes = store(file, object, from + length - object);
    return Optional.of(new Store(bytes, object, from + length));
  }

  private static String terminated(ByteBuffer in, boolean wide) throws Malformed {
    var text = new StringBuilder();
    while (in.remaining() >= (wide ? 2 : 1)) {
      char next = wide ? in.getChar() : (char) (in.get() & 0xff);
      if (next == 0) {
        return text.toString();
      }
      text.append(next);
    }
    throw new Malformed("a text in a GEOB frame has no end");
  }

  /** A WAV like {@code file} with a manifest of this size as its last chunk. */
  static Layout wav(FileChannel file, int manifestLength) throws IOException, Malformed {
    ByteBuffer header = read(file, 0, (int) Math.min(RIFF_HEADER, file.size()));
    if (!startsWith(header, "RIFF")
        || !StandardCharsets.US_ASCII.decode(header.slice(8, 4)).toString().equals("WAVE")) {
      throw new Malformed("it is not a WAV file");
    }
    var spans = new ArrayList<Span>();
    long length = 0;
    boolean audio = false;
    for (Chunk chunk : chunks(file)) {
      if (!chunk.id().equals("C2PA")) {
        audio |= chunk.id().equals("data");
        length += chunk.span();
        spans.add(new Span(chunk.from(), Math.min(chunk.span(), file.size() - chunk.from())));
      }
    }
    if (!audio) {
      throw new Malformed("its data chunk is missing or cut off");
    }
    if (length != spans.stream().mapToLong(Span::length).sum()) {
      throw new Malformed("its last chunk lacks the pad byte");
    }

    int pad = manifestLength & 1;
    long riff = 4 + length + CHUNK_HEADER + manifestLength + pad;
    if (riff > 0xffffffffL) {
      throw new Malformed("it is too long for a WAV file (4 GiB): use FLAC");
    }
    ByteBuffer head = ByteBuffer.allocate(RIFF_HEADER).order(ByteOrder.LITTLE_ENDIAN);
    head.put(ascii("RIFF")).putInt((int) riff).put(ascii("WAVE"));
    ByteBuffer chunk = ByteBuffer.allocate(CHUNK_HEADER).order(ByteOrder.LITTLE_ENDIAN);
    chunk.put(ascii("C2PA")).putInt(manifestLength);
    return new Layout(head.array(), spans, chunk.array(), new byte[pad], false);
  }

  /**
   * A FLAC like {@code file} with a manifest of this size in an ID3v2.4 tag of its own in front.
   */
  static Layout flac(FileChannel file, int manifestLength) throws IOException, Malformed {
    long from = 0;
    ByteBuffer magic = read(file, 0, (int) Math.min(ID3_HEADER, file.size()));
    if (startsWith(magic, "ID3") && magic.remaining() == ID3_HEADER) {
      from = ID3_HEADER + (long) synchsafe(magic.getInt(6));
    }
    if (from + 4 > file.size() || !startsWith(read(file, from, 4), "fLaC")) {
      throw new Malformed("it is not a FLAC file");
    }

    byte[] texts =
        ("\3" + MIME + "\0c2pa\0c2pa manifest store\0").getBytes(StandardCharsets.US_ASCII);
    int frame = texts.length + manifestLength;
    if (frame + ID3_FRAME_HEADER > SYNCHSAFE_MAX) {
      throw new Malformed("its credential is too long for an ID3 tag");
    }
    ByteBuffer head = ByteBuffer.allocate(ID3_HEADER);
    head.put(ascii("ID3")).put((byte) 4).put((byte) 0).put((byte) 0);
    head.putInt(toSynchsafe(frame + ID3_FRAME_HEADER));
    ByteBuffer before = ByteBuffer.allocate(ID3_FRAME_HEADER + texts.length);
    before.put(ascii("GEOB")).putInt(toSynchsafe(frame)).putShort((short) 0).put(texts);
    return new Layout(
        head.array(),
        List.of(new Span(from, file.size() - from)),
        before.array(),
        new byte[0],
        true);
  }

  private static byte[] store(FileChannel file, long from, long length)
      throws IOException, Malformed {
    if (length > STORE_BYTES_MAX || length < CHUNK_HEADER) {
      throw new Malformed(
          "the credential has %d bytes; between %d and %d can be read"
              .formatted(length, CHUNK_HEADER, STORE_BYTES_MAX));
    }
    return read(file, from, (int) length).array();
  }

  private static ByteBuffer read(FileChannel file, long from, int length)
      throws IOException, Malformed {
    ByteBuffer buffer = ByteBuffer.allocate(length);
    while (buffer.hasRemaining()) {
      if (file.read(buffer, from + buffer.position()) < 0) {
        throw new Malformed("the file ends early");
      }
    }
    return buffer.flip();
  }

  private static int synchsafe(int raw) {
    return (raw & 0x7f) | (raw & 0x7f00) >> 1 | (raw & 0x7f0000) >> 2 | (raw & 0x7f000000) >> 3;
  }

  private static int toSynchsafe(int value) {
    return (value & 0x7f)
        | (value & 0x3f80) << 1
        | (value & 0x1fc000) << 2
        | (value & 0xfe00000) << 3;
  }

  private static boolean startsWith(ByteBuffer buffer, String text) {
    for (int i = 0; i < text.length(); i++) {
      if (i >= buffer.limit() || buffer.get(i) != text.charAt(i)) {
        return false;
      }
    }
    return true;
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }
}
