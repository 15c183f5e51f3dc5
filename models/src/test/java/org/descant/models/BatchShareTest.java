package org.descant.models;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.descant.tensor.NativeRuntime;
import org.descant.tensor.Tensor;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class BatchShareTest {
  @BeforeAll
  static void oneThread() {
    NativeRuntime.init(1);
  }

  @Test
  void aShareMustLieInItsBatchAndBeBroughtWhole() {
    BatchShare share = new BatchShare(2, 2, 4, Tensor::zero);
    share.require(2);
    assertThatThrownBy(() -> share.require(3))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("A share of 2 rows was given 3");
    assertThatThrownBy(() -> new BatchShare(2, 3, 4, Tensor::zero))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("Rows 2 to 5 do not lie in a batch of 4");
  }
}
