package org.descant.provenance;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;

/**
 * A JUMBF superbox (ISO 19566-5): a description box with a kind and a label, then superboxes or one
 * content box. {@code body} is all of it but the 8-byte header: what C2PA hashes.
 */
record Jumbf(String kind, String label, byte[] body, List<Jumbf> children, List<Content> contents) {
  /** A box that holds bytes, such as {@code cbor}. */
  record Content(String type, byte[] bytes) {}

  private static final int HEADER = 8;
  private static final int DEPTH_MAX = 8;
  private static final int BOXES_MAX = 20_000;
  private static final int LABEL_MAX = 512;
  private static final byte[] UUID_TAIL = HexFormat.of().parseHex("00110010800000aa00389b71");

  private static final int REQUESTABLE_WITH_LABEL = 0x03;
  private static final int PRIVATE_SALT = 0x10;

  /** A superbox around boxes that are already bytes. */
  static byte[] superbox(String kind, String label, List<byte[]> boxes) {
    byte[] name = label.getBytes(StandardCharsets.UTF_8);
    ByteBuffer description = ByteBuffer.allocate(16 + 1 + name.length + 1);
    description.put(ascii(kind)).put(UUID_TAIL).put((byte) REQUESTABLE_WITH_LABEL).put(name);
    byte[] jumd = box("jumd", description.array());
    int length = jumd.length + boxes.stream().mapToInt(box -> box.length).sum();
    ByteBuffer body = ByteBuffer.allocate(length).put(jumd);
    boxes.forEach(body::put);
    return box("jumb", body.array());
  }

  static byte[] box(String type, byte[] content) {
    int length = HEADER + content.length;
    return ByteBuffer.allocate(length).putInt(length).put(ascii(type)).put(content).array();
  }

  /** The part of a superbox's bytes that C2PA hashes. */
  static byte[] bodyOf(byte[] superbox) {
    return Arrays.copyOfRange(superbox, HEADER, superbox.length);
  }

  /** Reads one superbox that fills all the bytes. */
  static Jumbf parse(byte[] bytes) throws Malformed {
    var counter = new int[1];
    ByteBuffer in = ByteBuffer.wrap(bytes);
    ByteBuffer body = nextBox(in, "jumb");
    if (in.hasRemaining()) {
      throw new Malformed("bytes follow the manifest store");
    }
    return superbox(body, 0, counter);
  }

  Optional<Jumbf> child(String childLabel) {
    return children.stream().filter(child -> child.label.equals(childLabel)).findFirst();
  }

  /** The one content box, which must be of this type. */
  byte[] content(String type) throws Malformed {
    if (contents.size() != 1 || !children.isEmpty() || !contents.get(0).type().equals(type)) {
      throw new Malformed("box " + label + " must hold exactly one " + type + " box");
    }
    return contents.get(0).bytes();
  }

  private static Jumbf superbox(ByteBuffer body, int depth, int[] counter) throws Malformed {
    if (depth > DEPTH_MAX || ++counter[0] > BOXES_MAX) {
      throw new Malformed("manifest boxes nest too deep or are too many");
    }
    byte[] whole = remaining(body.duplicate());
    ByteBuffer description = nextBox(body, "jumd");
    if (description.remaining() < 18) {
      throw new Malformed("a description box is too short");
    }
    var kind = new byte[4];
    var tail = new byte[12];
    description.get(kind).get(tail);
    int toggles = description.get() & 0xff;
    if (!Arrays.equals(tail, UUID_TAIL) || (toggles & ~PRIVATE_SALT) != REQUESTABLE_WITH_LABEL) {
      throw new Malformed("a description box has an unknown type or flags");
    }
    String label = label(description);
    if ((toggles & PRIVATE_SALT) != 0) {
      nextBox(description, "c2sh");
    }
    if (description.hasRemaining()) {
      throw new Malformed("the description of " + label + " is longer than it says");
    }

    var children = new ArrayList<Jumbf>();
    var contents = new ArrayList<Content>();
    while (body.hasRemaining()) {
      if (body.remaining() >= HEADER && typeAt(body).equals("jumb")) {
        children.add(superbox(nextBox(body, "jumb"), depth + 1, counter));
      } else {
        String type = body.remaining() >= HEADER ? typeAt(body) : "";
        counter[0]++;
        contents.add(new Content(type, remaining(nextBox(body, type))));
      }
    }
    return new Jumbf(
        new String(kind, StandardCharsets.ISO_8859_1), label, whole, children, contents);
  }

  private static String label(ByteBuffer in) throws Malformed {
    int from = in.position();
    while (in.hasRemaining() && in.position() - from <= LABEL_MAX) {
      if (in.get() == 0) {
        var bytes = new byte[in.position() - 1 - from];
        in.get(from, bytes);
        return new String(bytes, StandardCharsets.UTF_8);
      }
    }
    throw new Malformed("a box label has no end");
  }

  private static String typeAt(ByteBuffer in) {
    var type = new byte[4];
    in.get(in.position() + 4, type);
    return new String(type, StandardCharsets.ISO_8859_1);
  }

  private static ByteBuffer nextBox(ByteBuffer in, String type) throws Malformed {
    if (in.remaining() < HEADER) {
      throw new Malformed("a box ends early");
    }
    int length = in.getInt(in.position());
    if (length < HEADER || length > in.remaining()) {
      throw new Malformed("a box of " + length + " bytes does not fit " + in.remaining());
    }
    if (!typeAt(in).equals(type)) {
      throw new Malformed("expected a " + type + " box, found " + printable(typeAt(in)));
    }
    ByteBuffer content = in.slice(in.position() + HEADER, length - HEADER);
    in.position(in.position() + length);
    return content;
  }

  private static String printable(String text) {
    return text.replaceAll("[^ -~]", "?");
  }

  private static byte[] remaining(ByteBuffer in) {
    var bytes = new byte[in.remaining()];
    in.get(bytes);
    return bytes;
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }
}
