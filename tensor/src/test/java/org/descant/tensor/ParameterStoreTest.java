package org.descant.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.descant.tensor.ParameterStore.Initializer;
import org.descant.tensor.ParameterStore.Storage;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ParameterStoreTest {
  @BeforeAll
  static void oneThread() {
    NativeRuntime.init(1);
  }

  private static ParameterStore smallNet(long seed) {
    ParameterStore store = new ParameterStore(seed);
    store.declare("in.weight", Initializer.fanIn(5), 7, 5);
    store.declare("in.bias", Initializer.uniform(0.1), 7);
    store.declare("out.weight", Initializer.fanIn(7), 3, 7);
    store.declareUndecayed("table", Initializer.normal(0.02), 11, 5);
    store.declareState("codes", Initializer.normal(1), 4, 2);
    return store.build();
  }

  /** A loss that uses every parameter, one of them twice. */
  private static Tensor loss(ParameterStore store, Tensor x, Tensor tokens, Tensor target) {
    Tensor input = x.add(store.get("table").embedding(tokens));
    Tensor hidden = input.linear(store.get("in.weight"), store.get("in.bias")).tanh();
    Tensor logits = hidden.linear(store.get("out.weight"));
    Tensor reuse = store.get("in.weight").square().mean();
    return logits.crossEntropy(target).add(reuse);
  }

  @Test
  void gradientsAccumulateInPlaceIntoTheFlatBuffer() {
    try (ParameterStore store = smallNet(1);
        SeededRandom random = new SeededRandom(5);
        Scope scope = Scope.open()) {
      Tensor x = random.normal(6, 5);
      Tensor tokens = random.integers(0, 11, 6);
      Tensor target = random.integers(0, 3, 6);

      loss(store, x, tokens, target).backward();
      float[] once = store.gradients().toFloats();
      for (ParameterStore.Parameter p : store.parameters()) {
        if (!p.isState()) {
          assertThat(p.tensor().grad().toFloats()).as(p.name()).isNotEqualTo(new float[1]);
        }
      }
      loss(store, x, tokens, target).backward();
      float[] twice = store.gradients().toFloats();
      for (int i = 0; i < once.length; i++) {
        assertThat(twice[i]).isEqualTo(2 * once[i]);
      }
      // The views were kept, not replaced: zeroing the flat buffer zeroes what each parameter sees.
      store.zeroGradients();
      assertThat(store.get("in.weight").grad().abs().amax().item()).isZero();
      loss(store, x, tokens, target).backward();
      assertThat(store.gradients().toFloats()).isEqualTo(once);
    }
  }

  @Test
  void theFlatStoreTrainsLikeSeparateTensors() {
    try (ParameterStore store = smallNet(1);
        SeededRandom random = new SeededRandom(5);
        Scope scope = Scope.open()) {
      Map<String, Tensor> separate = new LinkedHashMap<>();
      for (ParameterStore.Parameter p : store.parameters()) {
        separate.put(p.name(), p.tensor().detach().copy().requiresGrad(!p.isState()));
      }
      for (int step = 0; step < 3; step++) {
        Tensor x = random.normal(6, 5);
        Tensor tokens = random.integers(0, 11, 6);
        Tensor target = random.integers(0, 3, 6);
        store.zeroGradients();
        loss(store, x, tokens, target).backward();
        Tensor input = x.add(separate.get("table").embedding(tokens));
        Tensor hidden = input.linear(separate.get("in.weight"), separate.get("in.bias")).tanh();
        hidden
            .linear(separate.get("out.weight"))
            .crossEntropy(target)
            .add(separate.get("in.weight").square().mean())
            .backward();
        try (NoGrad noGrad = NoGrad.open()) {
          store.values().addInPlace(store.gradients(), -0.1);
          for (Tensor parameter : separate.values()) {
            if (parameter.requiresGrad()) {
              parameter.addInPlace(parameter.grad(), -0.1);
              parameter.grad().zero();
            }
          }
        }
      }
      for (ParameterStore.Parameter p : store.parameters()) {
        assertThat(p.tensor().toFloats()).as(p.name()).isEqualTo(separate.get(p.name()).toFloats());
      }
    }
  }

  @Test
  void aParameterStartsFromItsNameAndTheSeedAlone() {
    try (ParameterStore one = smallNet(7);
        ParameterStore other = new ParameterStore(7)) {
      other.declare("another", Initializer.normal(1), 100);
      other.declare("in.weight", Initializer.fanIn(5), 7, 5);
      other.build();
      assertThat(other.get("in.weight").toFloats()).isEqualTo(one.get("in.weight").toFloats());
    }
    try (ParameterStore one = smallNet(7);
        ParameterStore other = smallNet(8)) {
      assertThat(other.get("in.weight").toFloats()).isNotEqualTo(one.get("in.weight").toFloats());
    }
  }

  @Test
  void countLeavesOutPaddingAndState() {
    try (ParameterStore store = smallNet(1)) {
      assertThat(store.count()).isEqualTo(7 * 5 + 7 + 3 * 7 + 11 * 5);
      assertThat(store.values().count()).isEqualTo(48 + 32 + 16 + 64);
      assertThat(store.decayedElements()).isEqualTo(48 + 32);
    }
  }

  @Test
  void clippingScalesTheCommonNorm() {
    try (ParameterStore store = smallNet(1);
        Scope scope = Scope.open()) {
      store.gradients().narrow(0, 0, 2).copyFrom(Tensor.of(new float[] {3, 4}));
      assertThat(store.clipGradNorm(10)).isEqualTo(5);
      assertThat(store.gradients().select(0, 1).item()).isEqualTo(4);
      assertThat(store.clipGradNorm(1)).isEqualTo(5);
      assertThat(store.gradients().select(0, 1).item()).isCloseTo(0.8, within(1e-6));
      store.gradients().select(0, 0).fill(Double.NaN);
      assertThat(store.clipGradNorm(1)).isNaN();
      assertThat(store.gradients().select(0, 1).item()).isCloseTo(0.8, within(1e-6));
    }
  }

  private static org.assertj.core.data.Offset<Double> within(double value) {
    return org.assertj.core.data.Offset.offset(value);
  }

  @Test
  void everyStorageFormComesBackWithinItsError(@TempDir Path folder) throws Exception {
    Map<Storage, Double> error =
        Map.of(Storage.FP32, 0.0, Storage.BF16, 1.0 / 256, Storage.INT8, 1.0 / 254);
    for (Storage storage : Storage.values()) {
      Path file = folder.resolve(storage + ".safetensors");
      try (ParameterStore store = smallNet(1);
          ParameterStore loaded = smallNet(2);
          Scope scope = Scope.open()) {
        store.saveTo(file, storage, Map.of("kind", "test"));
        loaded.loadFrom(file);
        for (ParameterStore.Parameter p : store.parameters()) {
          Tensor before = p.tensor().detach();
          double worst =
              before.sub(loaded.get(p.name()).detach()).abs().amax().item()
                  / before.abs().amax().item();
          assertThat(worst).as(storage + " " + p.name()).isLessThanOrEqualTo(error.get(storage));
          if (p.isState()) {
            assertThat(worst).isZero();
          }
        }
        // What was rounded once is rounded for good.
        Path again = folder.resolve(storage + "-again.safetensors");
        loaded.saveTo(again, storage, Map.of("kind", "test"));
        assertThat(Files.readAllBytes(again)).isEqualTo(Files.readAllBytes(file));
      }
    }
  }

  @Test
  void loadingRefusesAnotherConfiguration(@TempDir Path folder) {
    Path file = folder.resolve("model.safetensors");
    try (ParameterStore store = smallNet(1)) {
      store.saveTo(file, Storage.FP32, Map.of());
    }
    try (ParameterStore fewer = new ParameterStore(1);
        ParameterStore wider = new ParameterStore(1)) {
      fewer.declare("in.weight", Initializer.zeros(), 7, 5);
      fewer.build();
      assertThatThrownBy(() -> fewer.loadFrom(file))
          .isInstanceOf(TensorException.class)
          .hasMessageContaining("4 tensors this model does not have");
      wider.declare("in.weight", Initializer.zeros(), 8, 5);
      wider.build();
      assertThatThrownBy(() -> wider.loadFrom(file))
          .hasMessageContaining("[7, 5]")
          .hasMessageContaining("[8, 5]");
    }
  }

  @Test
  void misuseIsRefused() {
    ParameterStore store = new ParameterStore(1);
    ParameterStore.Parameter early = store.declare("w", Initializer.zeros(), 2);
    assertThatThrownBy(early::tensor).hasMessageContaining("Build the store");
    assertThatThrownBy(() -> store.declare("w", Initializer.zeros(), 2))
        .hasMessageContaining("twice");
    assertThatThrownBy(() -> store.declare("v", Initializer.zeros(), 0))
        .hasMessageContaining("impossible shape");
    store.buildFrozen();
    assertThat(early.tensor().requiresGrad()).isFalse();
    assertThatThrownBy(store::gradients).hasMessageContaining("no gradients");
    assertThatThrownBy(() -> store.declare("x", Initializer.zeros(), 2))
        .hasMessageContaining("is built");
    store.close();
    assertThat(early.tensor().isFreed()).isTrue();
  }

  @Test
  void theAverageFollowsAndSwaps() {
    try (ParameterStore store = new ParameterStore(1);
        Scope scope = Scope.open()) {
      ParameterStore.Parameter w = store.declare("w", Initializer.ones(), 3);
      store.build();
      try (Ema ema = new Ema(store, 0.75)) {
        store.values().fill(5);
        ema.update(1000); // keeps its decay
        ema.swap();
        assertThat(w.tensor().toFloats()).containsOnly(2f);
        ema.swap();
        assertThat(w.tensor().toFloats()).containsOnly(5f);
        ema.update(8); // keeps half
        ema.swap();
        assertThat(w.tensor().toFloats()).containsOnly(3.5f);
      }
    }
  }

  @Test
  void runsJoinNeighboursAndKnowWhatDecays() {
    try (ParameterStore store = new ParameterStore(1)) {
      store.declare("a", Initializer.ones(), 3, 3);
      store.declare("b", Initializer.ones(), 20, 2);
      store.declareUndecayed("table", Initializer.ones(), 4, 4);
      store.declare("c", Initializer.ones(), 2, 2);
      store.declareState("state", Initializer.zeros(), 5);
      store.build();
      assertThat(store.runs(p -> true))
          .containsExactly(
              new ParameterStore.Run(0, 16 + 48 + 16, true), new ParameterStore.Run(80, 16, false));
      assertThat(store.runs(p -> !p.name().equals("b")))
          .containsExactly(
              new ParameterStore.Run(0, 16, true),
              new ParameterStore.Run(64, 16, true),
              new ParameterStore.Run(80, 16, false));
      assertThat(store.matrixCount()).isEqualTo(9 + 40 + 4);
      assertThat(store.bytes()).isEqualTo(4L * (2 * 96 + 16));
    }
  }

  @Test
  void resetBringsTheFirstValuesBack() {
    try (ParameterStore store = new ParameterStore(4)) {
      store.declare("w", Initializer.normal(1), 8, 8);
      store.declareState("s", Initializer.constant(2), 3);
      store.build();
      float[] first = store.values().toFloats();
      try (NoGrad noGrad = NoGrad.open();
          Scope scope = Scope.open()) {
        store.values().fill(Double.NaN);
        store.state().fill(9);
      }
      store.reset();
      assertThat(store.values().toFloats()).isEqualTo(first);
      assertThat(store.get("s").toFloats()).containsOnly(2);
    }
  }
}
