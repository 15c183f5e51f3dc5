package org.descant.shards;

/** What the values of a field are; all little-endian. */
public enum FieldType {
  U8(1),
  I16(2),
  I32(4),
  I64(8),
  F32(4),

  /** UTF-8 text: one value a byte, shape empty. */
  TEXT(1);

  private final int bytes;

  FieldType(int bytes) {
    this.bytes = bytes;
  }

  /** Bytes of one value. */
  public int bytes() {
    return bytes;
  }
}
