package org.descant.tensor;

import org.bytedeco.pytorch.global.torch.ScalarType;

/** The element types that Descant uses, with their size and their safetensors name. */
public enum DType {
  F64(ScalarType.Double, 8, true),
  F32(ScalarType.Float, 4, true),
  F16(ScalarType.Half, 2, true),
  BF16(ScalarType.BFloat16, 2, true),
  I64(ScalarType.Long, 8, true),
  I32(ScalarType.Int, 4, true),
  I16(ScalarType.Short, 2, true),
  I8(ScalarType.Char, 1, true),
  U8(ScalarType.Byte, 1, true),
  BOOL(ScalarType.Bool, 1, true),
  /** Pairs of fp32; made by Fourier transforms, never stored in a file. */
  COMPLEX64(ScalarType.ComplexFloat, 8, false);

  private static final DType[] BY_CODE = new DType[128];

  static {
    for (DType type : values()) {
      BY_CODE[type.scalarType.value] = type;
    }
  }

  final ScalarType scalarType;
  private final int bytes;
  private final boolean storable;

  DType(ScalarType scalarType, int bytes, boolean storable) {
    this.scalarType = scalarType;
    this.bytes = bytes;
    this.storable = storable;
  }

  /** Bytes per element. */
  public int bytes() {
    return bytes;
  }

  /** Whether safetensors files may hold it; the name there is {@link #name()}. */
  public boolean storable() {
    return storable;
  }

  /** Whether it is a real floating-point type. */
  public boolean isFloat() {
    return this == F32 || this == BF16 || this == F16 || this == F64;
  }

  /** JavaCPP returns enums that are not interned, so the numeric code decides. */
  static DType of(ScalarType scalarType) {
    DType type = BY_CODE[scalarType.value];
    if (type == null) {
      throw new TensorException(
          "Element type %s is not one Descant uses; convert it with to(DType) first."
              .formatted(scalarType.intern()));
    }
    return type;
  }
}
