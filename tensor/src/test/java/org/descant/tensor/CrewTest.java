package org.descant.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class CrewTest {
  @Test
  void everyMemberSeesWhatTheOthersWroteBeforeAMeeting() {
    int size = 3;
    int meetings = 200;
    long[][] written = new long[2][size];
    long[] sums = new long[size];
    try (Crew crew = new Crew(size)) {
      for (int run = 0; run < 5; run++) {
        crew.run(member -> {
          for (int i = 0; i < meetings; i++) {
            written[i % 2][member] = (long) i * (member + 1);
            crew.meet();
            for (long part : written[i % 2]) {
              sums[member] += part;
            }
          }
        });
      }
    }
    long once = 6L * meetings * (meetings - 1) / 2;
    assertThat(sums).containsOnly(5 * once);
  }

  @Test
  void aMembersFailureEndsTheOthersAndTheCrew() {
    var reached = new AtomicInteger();
    try (Crew crew = new Crew(2)) {
      assertThatThrownBy(() ->
              crew.run(member -> {
                if (member == 1) {
                  throw new IllegalStateException("no more");
                }
                crew.meet();
                reached.incrementAndGet();
              }))
          .isInstanceOf(TensorException.class)
          .hasMessageContaining("no more");
      assertThat(reached).hasValue(0);
      assertThatThrownBy(() -> crew.run(member -> {})).hasMessageContaining("failed");
    }
  }

  @Test
  void aClosedCrewAndAnEmptyOneAreRefused() {
    Crew crew = new Crew(2);
    crew.close();
    assertThatThrownBy(() -> crew.run(member -> {})).hasMessageContaining("closed");
    assertThatThrownBy(() -> new Crew(0)).hasMessageContaining("at least 1");
  }
}
