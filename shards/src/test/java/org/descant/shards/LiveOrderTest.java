package org.descant.shards;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class LiveOrderTest {
  /** Against the plain way: the whole order as a list, with the withdrawn removed. */
  @Test
  void itIsTheOrderWithGapsClosed() {
    var random = new SplittableRandom(3);
    for (int trial = 0; trial < 200; trial++) {
      int n = random.nextInt(1, 60);
      var order = new SampleOrder(random.nextLong(), trial % 3, n);
      Set<Long> gone = new TreeSet<>();
      for (int i = random.nextInt(n); i > 0; i--) {
        gone.add(random.nextLong(n));
      }
      var live = new LiveOrder(order, gone.stream().mapToLong(Long::longValue));
      List<Long> expected = new ArrayList<>();
      for (int place = 0; place < n; place++) {
        assertThat(live.index(place)).isEqualTo(expected.size());
        if (!gone.contains(order.at(place))) {
          assertThat(live.place(expected.size())).isEqualTo(place);
          expected.add(order.at(place));
        }
      }
      assertThat(live.size()).isEqualTo(expected.size());
      assertThat(live.index(n)).isEqualTo(expected.size());
      for (int i = 0; i < expected.size(); i++) {
        assertThat(live.at(i)).isEqualTo(expected.get(i));
      }
    }
  }

  @Test
  void openingAHundredMillionSamplesAnywhereTakesOneEvaluationForEachWithdrawnOne() {
    long n = 100_000_000;
    var order = new SampleOrder(1, 7, n);
    var evaluations = new AtomicLong();
    var live =
        new LiveOrder(
            n,
            i -> {
              evaluations.incrementAndGet();
              return order.at(i);
            },
            i -> {
              evaluations.incrementAndGet();
              return order.indexOf(i);
            },
            LongStream.range(5_000, 6_000));
    long index = live.index(73_512_345);
    assertThat(evaluations.get()).isEqualTo(1_000);
    long sample = live.at(index);
    assertThat(evaluations.get()).isEqualTo(1_001);
    assertThat(order.indexOf(sample)).isGreaterThanOrEqualTo(73_512_345);
  }

  @Test
  void withdrawingMoreLeavesTheRestInOrder() {
    var order = new SampleOrder(5, 0, 500);
    var few = new LiveOrder(order, LongStream.range(10, 20));
    var more = new LiveOrder(order, LongStream.range(10, 60));
    List<Long> left =
        LongStream.range(0, few.size())
            .map(few::at)
            .filter(s -> s >= 60 || s < 10)
            .boxed()
            .toList();
    assertThat(LongStream.range(0, more.size()).map(more::at).boxed().collect(Collectors.toList()))
        .isEqualTo(left);
  }

  @Test
  void whatCannotBeIsRefused() {
    var order = new SampleOrder(5, 0, 10);
    assertThatThrownBy(() -> new LiveOrder(order, LongStream.of(3, 3)))
        .isInstanceOf(ShardException.class);
    var live = new LiveOrder(order, LongStream.of(3));
    assertThatThrownBy(() -> live.at(9)).isInstanceOf(ShardException.class);
    assertThatThrownBy(() -> live.index(11)).isInstanceOf(ShardException.class);
  }
}
