package org.descant.tensor;

/**
 * A matrix as int8 with one fp32 scale per row (all dimensions after the first count as one):
 * symmetric, value = scale × integer, integers −127 … 127. The relative error of a linear layer is
 * about 1 %.
 *
 * @param values I8, the matrix's shape
 * @param scales F32, [rows]
 */
public record Int8Weight(Tensor values, Tensor scales) {
  private static final double LEVELS = 127;

  public Int8Weight {
    if (values.dtype() != DType.I8
        || scales.dtype() != DType.F32
        || values.dim() < 2
        || scales.dim() != 1
        || scales.size(0) != values.size(0)) {
      throw new TensorException(
          "An int8 weight needs I8 values and one F32 scale per row, not %s and %s."
              .formatted(values, scales));
    }
  }

  /** Rounds an fp32 weight. */
  public static Int8Weight of(Tensor weight) {
    Tensor rows = weight.to(DType.F32).flatten(1, -1);
    // A row of zeros keeps scale 1, so that nothing is divided by 0.
    Tensor largest = rows.abs().amax(1, false);
    Tensor scales = largest.div(LEVELS).maskedFill(largest.eq(0.0), 1.0);
    Tensor values = rows.div(scales.unsqueeze(1)).round().clamp(-LEVELS, LEVELS).to(DType.I8);
    return new Int8Weight(values.reshape(weight.shape()), scales);
  }

  /** The fp32 weight these numbers stand for. */
  public Tensor dequantized() {
    Tensor rows = values.to(DType.F32).flatten(1, -1).mul(scales.unsqueeze(1));
    return rows.reshape(values.shape());
  }
}
