package org.descant.training.parallel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.descant.tensor.DType;
import org.descant.tensor.Device;
import org.descant.tensor.NativeRuntime;
import org.descant.tensor.ParameterStore;
import org.descant.tensor.ParameterStore.Initializer;
import org.descant.tensor.ProcessGroup;
import org.descant.tensor.Scope;
import org.descant.tensor.TcpStore;
import org.descant.tensor.Tensor;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** When buckets leave, seen in a real group of one rank; two ranks' sums are tested elsewhere. */
class GradientSyncTest {
  private static final int LAYERS = 4;
  private static final int WIDTH = 8;

  private static final List<Long> STARTED = new ArrayList<>();
  private static TcpStore store;
  private static ProcessGroup group;

  @BeforeAll
  static void join() {
    NativeRuntime.init(1);
    store = TcpStore.host(0);
    var observer =
        new ProcessGroup.Observer() {
          @Override
          public void starting(long number, String operation, DType type, long elements) {
            STARTED.add(elements);
          }

          @Override
          public void ended(long number, boolean well) {}

          @Override
          public void waiting(long number) {}
        };
    group =
        ProcessGroup.join(
            "127.0.0.1", store.port(), "one", 0, 1, Device.CPU, Duration.ofMinutes(1), observer);
  }

  @AfterAll
  static void leave() {
    group.close();
    store.close();
  }

  private static ParameterStore parameters() {
    ParameterStore parameters = new ParameterStore(1);
    for (int layer = 0; layer < LAYERS; layer++) {
      parameters.declare("layer" + layer, Initializer.normal(0.5), WIDTH, WIDTH);
    }
    parameters.declare("unused", Initializer.zeros(), WIDTH, WIDTH);
    return parameters.build();
  }

  private static void backward(ParameterStore parameters) {
    try (Scope scope = Scope.open()) {
      Tensor x = Tensor.ones(2, WIDTH);
      for (int layer = 0; layer < LAYERS; layer++) {
        x = x.linear(parameters.get("layer" + layer)).tanh();
      }
      x.sum().backward();
    }
  }

  @Test
  void fromTheSecondPassOnBucketsLeaveWhileItRuns() {
    try (ParameterStore parameters = parameters();
        GradientSync sync = new GradientSync(group, parameters, WIDTH * WIDTH * 4, what -> {})) {
      assertThat(sync.buckets()).isEqualTo(LAYERS + 1);
      sync.arm();
      backward(parameters);
      float[] once = parameters.gradients().toFloats();
      sync.finish();
      assertThat(sync.overlapped()).as("the first pass shows the order").isZero();
      assertThat(parameters.gradients().toFloats()).isEqualTo(once);

      parameters.zeroGradients();
      STARTED.clear();
      sync.arm();
      backward(parameters);
      assertThat(STARTED).as("all but the first layer, whose gradient came last").hasSize(3);
      sync.finish();
      assertThat(sync.overlapped()).isEqualTo(3);
      assertThat(STARTED).hasSize(LAYERS + 1);
      assertThat(parameters.gradients().toFloats()).isEqualTo(once);
    }
  }

  @Test
  void anUnarmedPassSendsNothingAndASecondArmedOneIsRefused() {
    try (ParameterStore parameters = parameters();
        GradientSync sync = new GradientSync(group, parameters, 1, what -> {})) {
      sync.arm();
      backward(parameters);
      sync.finish();
      STARTED.clear();
      parameters.zeroGradients();
      backward(parameters);
      assertThat(STARTED).isEmpty();
      sync.arm();
      backward(parameters);
      backward(parameters);
      assertThatThrownBy(sync::finish)
          .isInstanceOf(ParallelException.class)
          .hasMessageContaining("a gradient was added to after it was sent");
    }
  }

  @Test
  void smallParametersShareABucket() {
    try (ParameterStore parameters = parameters();
        GradientSync sync =
            new GradientSync(group, parameters, 3 * WIDTH * WIDTH * 4, what -> {})) {
      assertThat(sync.buckets()).isEqualTo(2);
    }
  }
}
