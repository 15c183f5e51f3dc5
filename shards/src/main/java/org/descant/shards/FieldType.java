package org.descant.shards;

/** What the values of a field are; all little-endian. */
public enum FieldType {
  /** Whole numbers from 0 to 65,535, such as codec tokens. */
  U16(2),

  F32(4),

  /** UTF-8 text: one byte a value, one value a row. */
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
