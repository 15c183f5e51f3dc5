package org.descant.training.loop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import org.junit.jupiter.api.Test;

class ScheduleTest {
  @Test
  void theCosineWarmsUpAndFalls() {
    var schedule = new Schedule(Schedule.Options.DEFAULT, 1e-3, 10, 100);
    assertThat(schedule.at(1)).isEqualTo(1e-4);
    assertThat(schedule.at(10)).isEqualTo(1e-3);
    for (int step = 11; step <= 100; step++) {
      assertThat(schedule.at(step)).isLessThan(schedule.at(step - 1));
    }
    assertThat(schedule.at(100)).isCloseTo(5e-5, offset(1e-9));
  }

  @Test
  void warmUpStableDecayHasThreeParts() {
    var schedule = new Schedule(new Schedule.Options("wsd", 0.25, 0.1), 1e-3, 20, 120);
    assertThat(schedule.at(5)).isEqualTo(2.5e-4);
    for (int step = 20; step <= 95; step++) {
      assertThat(schedule.at(step)).as("step %d", step).isEqualTo(1e-3);
    }
    for (int step = 96; step <= 120; step++) {
      assertThat(schedule.at(step)).as("step %d", step).isLessThan(schedule.at(step - 1));
    }
    // A quarter of the way down: one minus the square root of a quarter is left of the way.
    assertThat(new Schedule(new Schedule.Options("wsd", 0.4, 0), 1, 0, 100).at(70))
        .isCloseTo(0.5, offset(1e-12));
    assertThat(schedule.at(120)).isCloseTo(1e-4, offset(1e-12));
  }
}
