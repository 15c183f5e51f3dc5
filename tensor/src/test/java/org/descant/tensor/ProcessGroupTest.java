package org.descant.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.descant.tensor.ParameterStore.Initializer;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Every rank is a process of its own, as in life; the test's process hosts the store. */
class ProcessGroupTest {
  private static final Duration LONG = Duration.ofMinutes(2);

  @TempDir Path folder;

  @BeforeAll
  static void oneThread() {
    NativeRuntime.init(1);
  }

  /** What one rank does; prints what it found. */
  static final class Rank {
    private Rank() {}

    public static void main(String[] arguments) throws Exception {
      int port = Integer.parseInt(arguments[1]);
      int rank = Integer.parseInt(arguments[2]);
      int size = Integer.parseInt(arguments[3]);
      Path folder = Path.of(arguments[4]);
      Duration timeout = arguments[0].equals("late") ? Duration.ofSeconds(3) : LONG;
      NativeRuntime.init(1);
      List<String> heard = new ArrayList<>();
      var observer =
          new ProcessGroup.Observer() {
            @Override
            public void starting(long number, String operation, DType type, long elements) {
              heard.add("%d %s %s %d".formatted(number, operation, type, elements));
            }

            @Override
            public void ended(long number, boolean well) {
              heard.add(number + (well ? " ended" : " failed"));
            }

            @Override
            public void waiting(long number) {
              if (Files.exists(folder.resolve("alarm"))) {
                throw new PeerLostException("somebody raised an alarm");
              }
            }
          };
      ProcessGroup group =
          ProcessGroup.join(
              "127.0.0.1", port, arguments[0], rank, size, Device.CPU, LONG, observer);
      if (!timeout.equals(LONG)) {
        group.close();
        group =
            ProcessGroup.join(
                "127.0.0.1", port, "short", rank, size, Device.CPU, timeout, observer);
      }
      switch (arguments[0]) {
        case "operations" -> operations(group, heard);
        case "sharded" -> sharded(group, folder);
        case "dies" -> {
          if (rank == 1) {
            Runtime.getRuntime().halt(9);
          }
          failing(group);
        }
        case "late" -> {
          if (rank == 1) {
            awaitFile(folder.resolve("rank0"));
          } else {
            failing(group);
            Files.createFile(folder.resolve("rank0"));
          }
        }
        case "alarm" -> {
          if (rank == 1) {
            Files.createFile(folder.resolve("alarm"));
            awaitFile(folder.resolve("rank0"));
          } else {
            failing(group);
            Files.createFile(folder.resolve("rank0"));
          }
        }
        default -> throw new IllegalArgumentException(arguments[0]);
      }
      group.close();
      System.out.println("left");
    }

    private static void awaitFile(Path file) throws InterruptedException {
      while (!Files.exists(file)) {
        Thread.sleep(20);
      }
    }

    private static void failing(ProcessGroup group) {
      try (Scope scope = Scope.open()) {
        group.allReduce(Tensor.ones(4)).await();
        System.out.println("no failure");
      } catch (PeerLostException e) {
        System.out.println(e.getMessage());
      }
    }

    private static void operations(ProcessGroup group, List<String> heard) {
      int rank = group.rank();
      try (Scope scope = Scope.open()) {
        Tensor sum = Tensor.full(rank + 1, 5);
        group.allReduce(sum).await();
        System.out.println("sum " + Arrays.toString(sum.toFloats()));
        Tensor exact = Tensor.of(new double[] {1 + rank * 0x1p-50});
        group.allReduce(exact).await();
        System.out.println("exact " + (exact.item() - group.size()));
        Tensor most = Tensor.of(new long[] {rank, -rank});
        group.allReduce(most, ProcessGroup.Reduction.MAX).await();
        System.out.println("most " + Arrays.toString(most.toLongs()));
        Tensor roots = Tensor.full(rank + 10, 2);
        group.broadcast(roots, 1).await();
        System.out.println("root " + Arrays.toString(roots.toFloats()));
        Tensor gathered = Tensor.zeros(2 * group.size());
        group.allGather(gathered, Tensor.full(rank, 2)).await();
        System.out.println("gathered " + Arrays.toString(gathered.toFloats()));
        Tensor piece = Tensor.zeros(2);
        group.reduceScatter(piece, Tensor.arange(2 * group.size()).to(DType.F32).add(rank)).await();
        System.out.println("piece " + Arrays.toString(piece.toFloats()));
        Tensor flat = Tensor.ones(40_000);
        List<ProcessGroup.Work> works = new ArrayList<>();
        for (int part = 0; part < 4; part++) {
          works.add(group.allReduce(flat.narrow(0, part * 10_000L, 10_000)));
        }
        works.forEach(ProcessGroup.Work::await);
        assertThat(works).allMatch(ProcessGroup.Work::isDone);
        System.out.println("parts " + flat.sum().item());
        group.barrier();
        System.out.println("heard " + heard.subList(0, 4) + " … " + heard.getLast());
        try {
          group.allReduce(Tensor.ones(4, 4).transpose(0, 1).narrow(0, 0, 2));
        } catch (TensorException e) {
          System.out.println("refused " + e.getMessage());
        }
      }
    }

    /** Five steps beside the unsharded optimiser, with a change of hands in between. */
    private static void sharded(ProcessGroup group, Path folder) {
      var options = new AdamW.Options(0.9, 0.95, 1e-8, 0.1);
      try (ParameterStore split = store();
          ParameterStore whole = store();
          AdamW reference = new AdamW(whole, options)) {
        var optimizer = new ShardedAdamW(split, options, group);
        for (int step = 1; step <= 6; step++) {
          try (Scope scope = Scope.open()) {
            split.gradients().copyFrom(noise(step, split.gradients().count()));
            whole.gradients().copyFrom(split.gradients());
          }
          optimizer.step(0.01);
          reference.step(0.01);
          System.out.println("step " + step + " same " + same(split.values(), whole.values()));
          Path file = folder.resolve(group.rank() + ".safetensors");
          if (step == 3) {
            Map<String, Tensor> state = new LinkedHashMap<>();
            optimizer.saveTo("o.", state);
            SafetensorsWriter.write(file, state, Map.of());
            Map<String, Tensor> other = new LinkedHashMap<>();
            reference.saveTo("o.", other);
            for (String name : state.keySet()) {
              System.out.println(name + " same " + same(state.get(name), other.get(name)));
            }
            optimizer.close();
            optimizer = new ShardedAdamW(split, options, group);
            try (Safetensors saved = Safetensors.open(file)) {
              optimizer.restoreFrom("o.", saved);
              reference.restoreFrom("o.", saved);
            }
          }
        }
        System.out.println("bytes " + optimizer.stateBytes());
        optimizer.close();
      }
    }

    private static boolean same(Tensor a, Tensor b) {
      return Arrays.equals(a.toFloats(), b.toFloats());
    }

    private static ParameterStore store() {
      ParameterStore store = new ParameterStore(3);
      store.declare("matrix", Initializer.normal(1), 37, 21);
      store.declare("vector", Initializer.normal(1), 19);
      store.declareState("counts", Initializer.zeros(), 3);
      return store.build();
    }

    private static Tensor noise(long seed, long count) {
      Tensor noise = Tensor.zeros(count);
      try (SeededRandom random = new SeededRandom(seed)) {
        random.fillNormal(noise, 0, 1);
      }
      return noise;
    }
  }

  /** Runs one process a rank and returns their outputs, by rank. */
  private List<String> run(String what, int size) throws Exception {
    List<Process> processes = new ArrayList<>();
    List<String> outputs = new ArrayList<>();
    try (TcpStore store = TcpStore.host(0)) {
      for (int rank = 0; rank < size; rank++) {
        processes.add(
            new ProcessBuilder(
                    ProcessHandle.current().info().command().orElseThrow(),
                    "-Xmx256m",
                    "-XX:+UseSerialGC",
                    "-XX:TieredStopAtLevel=1",
                    "--enable-native-access=ALL-UNNAMED",
                    "--sun-misc-unsafe-memory-access=allow",
                    "-cp",
                    System.getProperty("java.class.path"),
                    Rank.class.getName(),
                    what,
                    String.valueOf(store.port()),
                    String.valueOf(rank),
                    String.valueOf(size),
                    folder.toString())
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve(what + rank + ".txt").toFile())
                .start());
      }
      for (int rank = 0; rank < size; rank++) {
        int status = processes.get(rank).waitFor();
        String output = Files.readString(folder.resolve(what + rank + ".txt"));
        assertThat(status).as(output).isIn(0, 9);
        outputs.add(output);
      }
    }
    return outputs;
  }

  @Test
  void twoProcessesReduceBroadcastAndGather() throws Exception {
    List<String> outputs = run("operations", 2);
    for (String output : outputs) {
      assertThat(output)
          .contains(
              "sum [3.0, 3.0, 3.0, 3.0, 3.0]",
              "exact " + 0x1p-50,
              "most [1, 0]",
              "root [11.0, 11.0]",
              "gathered [0.0, 0.0, 1.0, 1.0]",
              "parts 80000.0",
              "heard [1 allReduce F32 5, 1 ended, 2 allReduce F64 1, 2 ended] … 11 ended",
              "refused allReduce needs a contiguous tensor on cpu",
              "left");
    }
    assertThat(outputs.get(0)).contains("piece [1.0, 3.0]");
    assertThat(outputs.get(1)).contains("piece [5.0, 7.0]");
  }

  @Test
  void shardedAdamWHasTheBitsOfAdamWAndGoesOnFromItsCheckpoint() throws Exception {
    for (String output : run("sharded", 3)) {
      for (int step = 1; step <= 6; step++) {
        assertThat(output).contains("step " + step + " same true");
      }
      assertThat(output)
          .contains("o.first_moment same true", "o.second_moment same true", "o.steps same true");
    }
  }

  @Test
  void aRankThatDiesIsNoticed() throws Exception {
    assertThat(run("dies", 2).getFirst())
        .contains("allReduce #1 of 4 elements failed on rank 0 of 2: ", "left")
        .doesNotContain("no failure");
  }

  @Test
  void aRankThatDoesNotComeIsNoticedAfterTheTimeout() throws Exception {
    assertThat(run("late", 2).getFirst())
        .containsPattern(
            "failed on rank 0 of 2: (not all ranks took part within 3 s|(Operation t|T)imed out)")
        .contains("left");
  }

  @Test
  void aWaitingRankGivesUpWhenItsObserverDoes() throws Exception {
    assertThat(run("alarm", 2).getFirst()).contains("somebody raised an alarm", "left");
  }

  @Test
  void aRankOutsideTheGroupAndAStoreThatIsNotThereAreRefused() {
    assertThatThrownBy(() ->
            ProcessGroup.join(
                "127.0.0.1", 1, "g", 2, 2, Device.CPU, LONG, ProcessGroup.Observer.NONE))
        .isInstanceOf(TensorException.class)
        .hasMessageContaining("no rank 2 of 2");
    assertThatThrownBy(() -> TcpStore.connect("127.0.0.1", 1, Duration.ofMillis(300)))
        .isInstanceOf(TensorException.class)
        .hasMessageContaining("no store at 127.0.0.1:1");
    assertThatThrownBy(() -> TcpStore.connect("127.0.0.1", 0, LONG))
        .isInstanceOf(TensorException.class)
        .hasMessageContaining("no port 0");
  }

  @Test
  void theStoreKeepsTextsAndCounters() {
    try (TcpStore host = TcpStore.host(0);
        TcpStore client = TcpStore.connect("127.0.0.1", host.port(), LONG)) {
      assertThat(client.port()).isEqualTo(host.port());
      assertThat(client.find("a")).isEmpty();
      host.set("a", "1 and a half"); // is not answered; what the host asks next is, after it
      assertThat(host.find("a")).contains("1 and a half");
      assertThat(client.find("a")).contains("1 and a half");
      assertThat(client.setIfAbsent("a", "2")).isEqualTo("1 and a half");
      assertThat(client.setIfAbsent("b", "2")).isEqualTo("2");
      assertThat(host.find("b")).contains("2");
      assertThat(client.add("n", 3)).isEqualTo(3);
      assertThat(host.add("n", -1)).isEqualTo(2);
      client.close();
      assertThatThrownBy(() -> client.find("a")).hasMessageContaining("is closed");
    }
  }

  @Test
  void hooksTellWhichGradientsAreInPlace() {
    try (ParameterStore store = new ParameterStore(1)) {
      store.declareUndecayed("late", Initializer.constant(2), 3);
      store.declare("matrix", Initializer.constant(1), 3, 3);
      store.declare("unused", Initializer.constant(1), 2, 2);
      store.declareState("state", Initializer.zeros(), 3);
      store.build();
      List<String> heard = new ArrayList<>();
      GradientHooks[] hooks = new GradientHooks[1];
      hooks[0] =
          new GradientHooks(
              store,
              place -> {
                float[] gradients = store.gradients().toFloats();
                heard.add(
                    "%d in place %s"
                        .formatted(place, gradients[(int) hooks[0].from(0)] == 0 ? "none" : "0"));
              });
      assertThat(hooks[0].count()).isEqualTo(3);
      assertThat(hooks[0].from(0)).isZero();
      assertThat(hooks[0].to(0)).isEqualTo(hooks[0].from(1)).isEqualTo(16);
      assertThat(hooks[0].to(2)).isEqualTo(store.gradients().count());
      try (Scope scope = Scope.open()) {
        // matrix (place 0) is used last, late (place 2) first: backward meets matrix first.
        Tensor x = Tensor.ones(1, 3).mul(store.get("late"));
        x.linear(store.get("matrix")).sum().backward();
      }
      assertThat(heard).containsExactly("0 in place none", "2 in place 0");
      hooks[0].close();
      try (Scope scope = Scope.open()) {
        store.get("matrix").sum().backward();
      }
      assertThat(heard).hasSize(2);
    }
  }
}
