package org.descant.lab;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import java.util.stream.LongStream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PairTest {
  @TempDir Path folder;

  private static Lab.Curve curve(long every, double slope) {
    List<Long> steps = LongStream.rangeClosed(1, 30).map(n -> n * every).boxed().toList();
    return new Lab.Curve("lm/loss", steps, steps.stream().map(step -> slope * step).toList());
  }

  private static Lab.Pair pair() {
    return new Lab.Pair("lm/loss", curve(2, 1), curve(3, 1.5), false, 6);
  }

  @Test
  void rowsAreCommonStepsWithTheFirstAndTheLast() {
    // 2 … 60 and 3 … 90 meet at 6, 12, … 60.
    List<Lab.Pair.Row> all = pair().rows(100);
    assertThat(all)
        .extracting(Lab.Pair.Row::step)
        .containsExactly(6L, 12L, 18L, 24L, 30L, 36L, 42L, 48L, 54L, 60L);
    assertThat(all.getFirst()).isEqualTo(new Lab.Pair.Row(6, 6, 9));
    assertThat(all.getFirst().difference()).isEqualTo(3);
    assertThat(pair().rows(4)).extracting(Lab.Pair.Row::step).containsExactly(6L, 24L, 42L, 60L);
    assertThat(new Lab.Pair("x", curve(2, 1), curve(1000, 1), false, -1).rows(4)).isEmpty();
  }

  @Test
  void twoRunsShareAPicture() throws Exception {
    Path png = folder.resolve("pair.png");
    Plots.pairs("loss", "nats", "a", "b", List.of(pair()), png);
    assertThat(ImageIO.read(png.toFile()).getWidth()).isEqualTo(1200);
  }
}
