package org.descant.models.published.codec;

import org.descant.models.ModelException;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;

/** Checks on codes that come from outside. */
public final class Codes {
  private Codes() {}

  /** Fails unless every code is in 0 to below {@code size}. */
  public static void requireBelow(Tensor codes, int size) {
    try (Scope scope = Scope.open()) {
      long least = codes.amin().itemLong();
      long most = codes.amax().itemLong();
      if (least < 0 || most >= size) {
        throw new ModelException(
            "Code %d is outside a codebook of %d.".formatted(least < 0 ? least : most, size));
      }
    }
  }
}
