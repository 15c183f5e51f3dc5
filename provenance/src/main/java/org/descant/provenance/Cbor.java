package org.descant.provenance;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * CBOR (RFC 8949) as credentials need it. Written in core deterministic encoding (§4.2.1): definite
 * lengths, shortest integers, map keys sorted by their bytes, so equal values have equal bytes.
 * Read tolerantly (indefinite lengths, any float width), within limits.
 *
 * <p>Values: {@code Long}, {@code Double}, {@code Boolean}, {@code String}, {@code byte[]}, {@code
 * List}, {@code Map} with string or integer keys, {@link Tagged}, {@link Null}.
 */
final class Cbor {
  private static final int DEPTH_MAX = 24;
  private static final int ITEMS_MAX = 200_000;
  private static final int INDEFINITE = 31;
  private static final int BREAK = 0xff;

  /** A value with a tag in front, such as 18 for COSE_Sign1 or 0 for a date. */
  record Tagged(long tag, Object value) {}

  /** The two values of CBOR that are none. */
  enum Null {
    NULL,
    UNDEFINED
  }

  private final ByteBuffer in;
  private int items;

  private Cbor(byte[] bytes) {
    this.in = ByteBuffer.wrap(bytes);
  }

  static byte[] encode(Object value) {
    var out = new ByteArrayOutputStream();
    write(out, value);
    return out.toByteArray();
  }

  /** Reads one value that fills all the bytes. */
  static Object decode(byte[] bytes) throws Malformed {
    var reader = new Cbor(bytes);
    Object value = reader.read(0);
    if (reader.in.hasRemaining()) {
      throw new Malformed("CBOR has " + reader.in.remaining() + " bytes after its value");
    }
    return value;
  }

  static Map<?, ?> map(@Nullable Object value, String what) throws Malformed {
    return value instanceof Map<?, ?> map ? map : Cbor.<Map<?, ?>>mismatch(what);
  }

  static List<?> list(@Nullable Object value, String what) throws Malformed {
    return value instanceof List<?> list ? list : Cbor.<List<?>>mismatch(what);
  }

  static byte[] bytes(@Nullable Object value, String what) throws Malformed {
    return value instanceof byte[] bytes ? bytes : Cbor.<byte[]>mismatch(what);
  }

  static long integer(@Nullable Object value, String what) throws Malformed {
    return value instanceof Long number ? number : Cbor.<Long>mismatch(what);
  }

  private static <T> T mismatch(String what) throws Malformed {
    throw new Malformed(what + " is missing or has the wrong type");
  }

  private static void write(ByteArrayOutputStream out, Object value) {
    switch (value) {
      case Integer number -> writeInteger(out, number);
      case Long number -> writeInteger(out, number);
      case Double number -> {
        out.write(0xfb);
        out.writeBytes(ByteBuffer.allocate(8).putDouble(number).array());
      }
      case Boolean truth -> out.write(truth ? 0xf5 : 0xf4);
      case Null none -> out.write(none == Null.NULL ? 0xf6 : 0xf7);
      case byte[] bytes -> {
        writeHead(out, 2, bytes.length);
        out.writeBytes(bytes);
      }
      case String text -> {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        writeHead(out, 3, bytes.length);
        out.writeBytes(bytes);
      }
      case List<?> list -> {
        writeHead(out, 4, list.size());
        list.forEach(element -> write(out, element));
      }
      case Map<?, ?> map -> {
        writeHead(out, 5, map.size());
        var sorted = new TreeMap<byte[], byte[]>(Arrays::compareUnsigned);
        map.forEach((key, element) -> sorted.put(encode(key), encode(element)));
        sorted.forEach((key, element) -> {
          out.writeBytes(key);
          out.writeBytes(element);
        });
      }
      case Tagged tagged -> {
        writeHead(out, 6, tagged.tag());
        write(out, tagged.value());
      }
      default -> throw new IllegalArgumentException("no CBOR for " + value.getClass());
    }
  }

  private static void writeInteger(ByteArrayOutputStream out, long number) {
    writeHead(out, number < 0 ? 1 : 0, number < 0 ? ~number : number);
  }

  private static void writeHead(ByteArrayOutputStream out, int major, long argument) {
    int type = major << 5;
    if (argument < 24) {
      out.write(type | (int) argument);
    } else if (argument < 1L << 8) {
      out.write(type | 24);
      out.write((int) argument);
    } else if (argument < 1L << 16) {
      out.write(type | 25);
      out.writeBytes(ByteBuffer.allocate(2).putShort((short) argument).array());
    } else if (argument < 1L << 32) {
      out.write(type | 26);
      out.writeBytes(ByteBuffer.allocate(4).putInt((int) argument).array());
    } else {
      out.write(type | 27);
      out.writeBytes(ByteBuffer.allocate(8).putLong(argument).array());
    }
  }

  private Object read(int depth) throws Malformed {
    if (depth > DEPTH_MAX || ++items > ITEMS_MAX) {
      throw new Malformed("CBOR nests deeper than " + DEPTH_MAX + " or has too many items");
    }
    int head = readByte();
    int major = head >> 5;
    int info = head & 31;
    return switch (major) {
      case 0 -> argument(info);
      case 1 -> ~argument(info);
      case 2 -> bytes(major, info);
      case 3 -> text(bytes(major, info));
      case 4 -> list(info, depth);
      case 5 -> map(info, depth);
      case 6 -> new Tagged(argument(info), read(depth + 1));
      default -> simple(info);
    };
  }

  private List<Object> list(int info, int depth) throws Malformed {
    var list = new ArrayList<Object>();
    for (long left = count(info); left != 0 && !atBreak(info); left--) {
      list.add(read(depth + 1));
    }
    return list;
  }

  private Map<Object, Object> map(int info, int depth) throws Malformed {
    var map = new LinkedHashMap<Object, Object>();
    for (long left = count(info); left != 0 && !atBreak(info); left--) {
      Object key = read(depth + 1);
      if (!(key instanceof String || key instanceof Long)) {
        throw new Malformed("CBOR map key is neither text nor integer");
      }
      if (map.put(key, read(depth + 1)) != null) {
        throw new Malformed("CBOR map has the key " + key + " twice");
      }
    }
    return map;
  }

  /** How many elements follow; -1 means until the break. */
  private long count(int info) throws Malformed {
    if (info == INDEFINITE) {
      return -1;
    }
    long count = argument(info);
    if (count > in.remaining()) {
      throw new Malformed("CBOR claims " + count + " elements in " + in.remaining() + " bytes");
    }
    return count;
  }

  private boolean atBreak(int info) throws Malformed {
    if (info != INDEFINITE) {
      return false;
    }
    if ((readByte()) == BREAK) {
      return true;
    }
    in.position(in.position() - 1);
    return false;
  }

  private byte[] bytes(int major, int info) throws Malformed {
    if (info != INDEFINITE) {
      return take(argument(info));
    }
    var joined = new ByteArrayOutputStream();
    for (int head = readByte(); head != BREAK; head = readByte()) {
      if (head >> 5 != major || (head & 31) == INDEFINITE) {
        throw new Malformed("CBOR string has a piece of another type");
      }
      joined.writeBytes(take(argument(head & 31)));
    }
    return joined.toByteArray();
  }

  private byte[] take(long length) throws Malformed {
    if (length > in.remaining()) {
      throw new Malformed("CBOR string of " + length + " bytes in " + in.remaining() + " bytes");
    }
    var bytes = new byte[(int) length];
    in.get(bytes);
    return bytes;
  }

  private static String text(byte[] bytes) throws Malformed {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    } catch (CharacterCodingException _) {
      throw new Malformed("CBOR text is not UTF-8");
    }
  }

  private Object simple(int info) throws Malformed {
    return switch (info) {
      case 20 -> false;
      case 21 -> true;
      case 22 -> Null.NULL;
      case 23 -> Null.UNDEFINED;
      case 25 -> (double) Float.float16ToFloat((short) argument(info));
      case 26 -> (double) Float.intBitsToFloat((int) argument(info));
      case 27 -> {
        need(8);
        yield in.getDouble();
      }
      default -> throw new Malformed("CBOR simple value " + info + " is not known");
    };
  }

  private long argument(int info) throws Malformed {
    if (info < 24) {
      return info;
    }
    int width =
        switch (info) {
          case 24 -> 1;
          case 25 -> 2;
          case 26 -> 4;
          case 27 -> 8;
          default -> throw new Malformed("CBOR length code " + info + " is reserved");
        };
    need(width);
    long argument =
        switch (width) {
          case 1 -> in.get() & 0xffL;
          case 2 -> in.getShort() & 0xffffL;
          case 4 -> in.getInt() & 0xffffffffL;
          default -> in.getLong();
        };
    if (argument < 0) {
      throw new Malformed("CBOR integer is larger than 63 bits");
    }
    return argument;
  }

  private int readByte() throws Malformed {
    need(1);
    return in.get() & 0xff;
  }

  private void need(int count) throws Malformed {
    if (in.remaining() < count) {
      throw new Malformed("CBOR ends early");
    }
  }
}
