package org.descant.models;

import java.util.function.Consumer;
import org.descant.tensor.Tensor;

/**
 * The rows of a batch, or of a part of one, that a call computes when several processes share it.
 * Random draws are made for the whole batch and only those of the own rows are used, so that the
 * shares together see what one call would see.
 *
 * @param from first own row
 * @param rows own ones
 * @param of rows of all shares together
 * @param sum makes a tensor the sum over all shares, in place; all shares call it in the same order
 */
public record BatchShare(int from, int rows, int of, Consumer<Tensor> sum) {
  public BatchShare {
    if (from < 0 || rows < 1 || from + rows > of) {
      throw new ModelException(
          "Rows %d to %d do not lie in a batch of %d".formatted(from, from + rows, of));
    }
  }

  /** All rows. */
  public static BatchShare whole(int rows) {
    return new BatchShare(0, rows, rows, tensor -> {});
  }

  /** Whether there are no other shares. */
  public boolean isWhole() {
    return rows == of;
  }

  /** Fails when somebody brings another number of rows. */
  public void require(long brought) {
    if (brought != rows) {
      throw new ModelException(
          "A share of %d rows was given %d; bring equal parts".formatted(rows, brought));
    }
  }
}
