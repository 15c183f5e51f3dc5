package org.descant.training;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.descant.tensor.Tensor;
import org.descant.training.recipe.Recipe;
import org.junit.jupiter.api.Test;

class CodeTreeTest {
  @Test
  void theCodeHasOneNameWhereverItLies() throws Exception {
    String name = CodeTree.of(List.of(Recipe.class));
    assertThat(name).matches("[0-9a-f]{64}").isEqualTo(CodeTree.of(List.of(Recipe.class)));
    assertThat(CodeTree.of(List.of(Recipe.class, Tensor.class))).isNotEqualTo(name);
  }
}
