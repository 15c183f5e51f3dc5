package org.descant.evaluation;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class PaceTest {
  private long now;

  private void pass(double seconds) {
    now += Math.round(seconds * 1e9);
  }

  @Test
  void theTimeThatIsLeftFollowsFromWhatTheDonePartsTook() {
    List<String> lines = new ArrayList<>();
    Pace pace =
        new Pace(
            List.of("a", "b", "c"), Map.of("a", 1.0, "b", 2.0, "c", 1.0), lines::add, () -> now);
    pace.begin();
    pace.line("first");
    assertThat(lines.removeFirst()).isEqualTo("first [part 1 of 3, 0 % of all]");
    pass(10);
    assertThat(pace.end()).isEqualTo(10);
    assertThat(lines.removeFirst())
        .isEqualTo("a: done in 10.0 s [part 1 of 3, 25 % of all, about 30 s left in all]");
    pace.begin();
    pass(15);
    pace.line("b: excerpt 5 of 10, nearly there");
    // 25 s for half of the whole.
    assertThat(lines.removeFirst())
        .isEqualTo(
            "b: excerpt 5 of 10, nearly there [part 2 of 3, 50 % of all, about 25 s left in all]");
    pace.line("b: 3 of 10 others");
    assertThat(lines.removeFirst()).as("it never goes back").contains("50 % of all");
    pass(50);
    pace.end();
    assertThat(lines.removeFirst()).contains("75 % of all", "about 25 s left in all");
    pace.begin();
    pass(1);
    pace.end();
    assertThat(lines.removeFirst()).isEqualTo("c: done in 1.0 s [part 3 of 3, 100 % of all]");
  }
}
