package org.descant.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.descant.tensor.ParameterStore.Initializer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class ScopeTest {
  @Test
  void aScopeFreesWhatItDoesNotHandOn() {
    Tensor lost;
    Tensor kept;
    Tensor mine;
    try (Scope outer = Scope.open()) {
      try (Scope inner = Scope.open()) {
        lost = Tensor.ones(2);
        kept = inner.keep(Tensor.ones(2).mul(2));
        mine = Tensor.ones(2).mul(3).retain();
      }
      assertThat(lost.isFreed()).isTrue();
      assertThatThrownBy(() -> lost.add(kept))
          .isInstanceOf(TensorException.class)
          .hasMessageContaining("its scope closed");
      assertThat(lost.toString()).isEqualTo("Tensor (freed)");
      assertThat(kept.toFloats()).containsExactly(2, 2);
    }
    assertThat(kept.isFreed()).isTrue();
    assertThat(mine.toFloats()).containsExactly(3, 3);
    mine.close();
    mine.close();
    assertThat(mine.isFreed()).isTrue();
  }

  @Test
  void withoutAnOuterScopeKeepMakesAnOwner() {
    Tensor kept;
    try (Scope scope = Scope.open()) {
      kept = scope.keep(Tensor.ones(2));
    }
    assertThat(kept.toFloats()).containsExactly(1, 1);
    kept.close();
    assertThat(kept.isFreed()).isTrue();
  }

  @Test
  void viewsKeepTheDataAlive() {
    Tensor view;
    try (Scope scope = Scope.open()) {
      view = scope.keep(Tensor.arange(1000).narrow(0, 998, 2));
    }
    assertThat(view.toLongs()).containsExactly(998, 999);
    view.close();
  }

  @Test
  void nothingIsMadeOutsideAScope() {
    assertThatThrownBy(() -> Tensor.ones(2))
        .isInstanceOf(TensorException.class)
        .hasMessageContaining("no Scope is open");
  }

  @Test
  void scopesCloseInnermostFirstOnTheirThread() throws Exception {
    Scope outer = Scope.open();
    Scope inner = Scope.open();
    assertThatThrownBy(outer::close).hasMessageContaining("inner scope");
    List<Throwable> thrown = new ArrayList<>();
    Thread other =
        Thread.ofPlatform()
            .start(() -> {
              try {
                inner.close();
              } catch (TensorException e) {
                thrown.add(e);
              }
            });
    other.join();
    assertThat(thrown).hasSize(1);
    inner.close();
    inner.close();
    outer.close();
  }

  @Test
  void listResultsOwnTheirParts() {
    Tensor part;
    try (Scope outer = Scope.open()) {
      try (Scope inner = Scope.open()) {
        part = inner.keep(Tensor.arange(6).view(2, 3).unbind(0).get(1));
      }
      assertThat(part.toLongs()).containsExactly(3, 4, 5);
    }
  }

  /**
   * Training in a JVM whose heap cannot grow, so that a growing process means a native leak. The
   * limit is far below what one lost tensor per step would cost.
   */
  @Test
  @Tag("fast")
  void tenThousandStepsDoNotGrowTheProcess() throws Exception {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        List.of(
            "-Xms128m",
            "-Xmx128m",
            "-XX:+AlwaysPreTouch",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1", // the optimising compiler's own memory would be counted
            "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0",
            "--enable-native-access=ALL-UNNAMED",
            "-cp",
            System.getProperty("java.class.path"),
            LongTraining.class.getName()));
    Path output = Files.createTempFile("long-training", ".txt");
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(output.toFile());
    builder.environment().put("OMP_NUM_THREADS", "1");
    Process process = builder.start();
    try {
      assertThat(process.waitFor(5, TimeUnit.MINUTES)).isTrue();
      String text = Files.readString(output);
      assertThat(process.exitValue()).as(text).isZero();
      String last = text.strip().substring(text.strip().lastIndexOf('\n') + 1);
      assertThat(last).as(text).startsWith("grown KiB ");
      long grown = Long.parseLong(last.substring("grown KiB ".length()));
      assertThat(grown).as(text).isLessThan(8 * 1024);
    } finally {
      process.destroyForcibly();
      Files.delete(output);
    }
  }

  /** One attention block and its optimiser, 10,000 steps after a warm-up. */
  static final class LongTraining {
    private static final int STEPS = 12_000;
    private static final int WARM_UP = 2_000;

    public static void main(String[] args) throws Exception {
      NativeRuntime.init(1);
      long atWarmUp = 0;
      try (ParameterStore store = new ParameterStore(1)) {
        var table = store.declare("table", Initializer.normal(0.02), 16, 16);
        var mix = store.declare("mix", Initializer.fanIn(16), 48, 16);
        var out = store.declare("out", Initializer.fanIn(16), 16, 16);
        var norm = store.declare("norm", Initializer.ones(), 16);
        store.build();
        try (AdamW adamW = new AdamW(store, AdamW.Options.DEFAULT);
            Ema ema = new Ema(store, 0.99);
            SeededRandom random = new SeededRandom(1)) {
          for (int step = 1; step <= STEPS; step++) {
            try (Scope scope = Scope.open()) {
              Tensor tokens = random.integers(0, 16, 2, 9);
              Tensor x = table.tensor().embedding(tokens.narrow(1, 0, 8));
              List<Tensor> parts;
              Tensor loss;
              try (Autocast autocast =
                  Autocast.open(step % 2 == 0 ? Precision.BF16 : Precision.FP32)) {
                parts =
                    x.rmsNorm(norm.tensor(), 1e-6)
                        .linear(mix.tensor())
                        .view(2, 8, 3, 2, 8)
                        .permute(2, 0, 3, 1, 4)
                        .unbind(0);
                Tensor seen = Attention.causal(parts.get(0), parts.get(1), parts.get(2));
                Tensor y = x.add(seen.transpose(1, 2).reshape(2, 8, 16)).linear(out.tensor());
                loss = y.reshape(16, 16).crossEntropy(tokens.narrow(1, 1, 8).reshape(16));
              }
              store.zeroGradients();
              loss.backward();
              store.clipGradNorm(1);
              adamW.step(1e-3);
              ema.update(step);
            }
            if (step == WARM_UP) {
              System.gc();
              atWarmUp = residentKibibytes();
            }
          }
        }
      }
      System.gc();
      System.out.println("grown KiB " + (residentKibibytes() - atWarmUp));
    }

    private static long residentKibibytes() throws Exception {
      return Files.readAllLines(new File("/proc/self/status").toPath()).stream()
          .filter(line -> line.startsWith("VmRSS:"))
          .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
          .findFirst()
          .orElseThrow();
    }
  }
}
