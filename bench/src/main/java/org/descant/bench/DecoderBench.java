package org.descant.bench;

import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.descant.tensor.Attention;
import org.descant.tensor.MatrixPeak;
import org.descant.tensor.NativeRuntime;
import org.descant.tensor.Precision;
import org.jspecify.annotations.Nullable;

/**
 * How fast the {@link ReferenceDecoder} learns: nominal and executed FLOP/s, as a share of the
 * fastest square product, in fp32 and bf16; and, with {@code --peer}, the same step in PyTorch for
 * Python, taking turns with ours. See {@code bench/run DecoderBench}.
 */
public final class DecoderBench {
  private static final double PEAK_SECONDS_PER_SIZE = 0.15;
  private static final int WARM_UP_STEPS = 4;

  /** What to measure. */
  private record Options(
      List<Integer> threads,
      List<DecoderShape> shapes,
      int rounds,
      double seconds,
      @Nullable String python,
      String script) {}

  private DecoderBench() {}

  /**
   * Runs: {@code [--threads 1,2] [--shapes 5M,25M] [--rounds N] [--seconds S] [--peer PYTHON
   * --script FILE]}.
   */
  public static void main(String[] arguments) {
    var out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    Options options = options(arguments);
    for (int threads : options.threads) {
      NativeRuntime.init(threads);
      Precision auto = Precision.auto();
      out.printf(
          Locale.ROOT,
          "%s, libtorch %s, %d thread%s, load %.1f; auto picks %s%n",
          NativeRuntime.describe().cpu(),
          NativeRuntime.describe().libtorch(),
          threads,
          threads == 1 ? " (speeds from the thread's processor time)" : "s (speeds by the clock)",
          ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage(),
          auto.name().toLowerCase(Locale.ROOT));
      String python = options.python;
      if (python == null) {
        options.shapes.forEach(shape -> new Race(shape, threads, auto, options, null).run(out));
      } else {
        try (Peer peer = new Peer(python, options.script, threads)) {
          out.printf("peer: PyTorch %s, %s%n", peer.version(), String.join(", ", peer.modes()));
          options.shapes.forEach(shape -> new Race(shape, threads, auto, options, peer).run(out));
        }
      }
    }
  }

  private static Options options(String[] arguments) {
    Map<String, String> given = new TreeMap<>();
    for (int i = 0; i + 1 < arguments.length; i += 2) {
      given.put(arguments[i], arguments[i + 1]);
    }
    List<Integer> threads =
        Arrays.stream(given.getOrDefault("--threads", "1").split(","))
            .map(Integer::valueOf)
            .toList();
    List<DecoderShape> shapes =
        Arrays.stream(given.getOrDefault("--shapes", "5M,25M").split(","))
            .map(DecoderShape::named)
            .toList();
    return new Options(
        threads,
        shapes,
        Integer.parseInt(given.getOrDefault("--rounds", "3")),
        Double.parseDouble(given.getOrDefault("--seconds", "4")),
        given.get("--peer"),
        given.getOrDefault("--script", "bench/peers/decoder.py"));
  }

  /** One shape at one thread count: everybody has a turn in every round. */
  private static final class Race {
    private final DecoderShape shape;
    private final int threads;
    private final Precision auto;
    private final Options options;
    private final @Nullable Peer peer;
    private final Map<Precision, Best> ours = new LinkedHashMap<>();
    private final Map<Precision, MatrixPeak> peaks = new LinkedHashMap<>();
    private final Map<String, Best> theirs = new LinkedHashMap<>();
    private final Map<String, Double> theirPeaks = new LinkedHashMap<>();

    Race(DecoderShape shape, int threads, Precision auto, Options options, @Nullable Peer peer) {
      this.shape = shape;
      this.threads = threads;
      this.auto = auto;
      this.options = options;
      this.peer = peer;
    }

    void run(PrintStream out) {
      List<String> modes = peer == null ? List.of() : peer.modes();
      for (int round = 0; round < options.rounds; round++) {
        for (Precision precision : Precision.values()) {
          peaks.merge(
              precision, MatrixPeak.measure(precision, PEAK_SECONDS_PER_SIZE), MatrixPeak::or);
          // A decoder a turn: both at once would compete for the cache's memory.
          try (ReferenceDecoder decoder = new ReferenceDecoder(shape)) {
            Best.of(() -> decoder.step(precision), 0, WARM_UP_STEPS);
            ours.merge(
                precision, Best.of(() -> decoder.step(precision), options.seconds, 3), Best::and);
          }
        }
        if (peer != null) {
          for (String mode : modes) {
            String precision = mode.substring(mode.indexOf('-') + 1);
            theirPeaks.merge(
                precision, peer.peak(precision, threads, PEAK_SECONDS_PER_SIZE), Math::max);
            theirs.merge(mode, peer.step(shape, mode, threads, options.seconds), Best::and);
          }
        }
      }
      print(out);
    }

    private void print(PrintStream out) {
      out.printf(
          Locale.ROOT,
          "%n%s: width %d, %d layers, %d heads, vocabulary %d, batch %d × %d, %,d parameters,"
              + " %.1f GFLOP a step nominal, %.1f executed%n",
          shape.name(),
          shape.width(),
          shape.layers(),
          shape.heads(),
          shape.vocabulary(),
          shape.batch(),
          shape.time(),
          shape.parameters(),
          shape.nominalFlops() / 1e9,
          shape.executedFlops(Attention.CHUNK) / 1e9);
      out.printf(
          "%-16s %9s %9s %10s %10s %10s %7s%n",
          "", "ms wall", "ms CPU", "nominal", "executed", "peak", "share");
      ours.forEach((precision, best) -> {
        MatrixPeak peak = peaks.getOrDefault(precision, new MatrixPeak(Double.NaN, 0));
        String name = precision.name().toLowerCase(Locale.ROOT);
        row(out, (precision == auto ? "* " : "  ") + name, best, peak.flops());
      });
      theirs.forEach((mode, best) ->
          row(
              out,
              "  " + mode,
              best,
              theirPeaks.getOrDefault(mode.substring(mode.indexOf('-') + 1), Double.NaN)));
      ratio(out);
    }

    private void row(PrintStream out, String name, Best best, double peak) {
      double seconds = best.seconds(threads);
      double nominal = shape.nominalFlops() / seconds;
      out.printf(
          Locale.ROOT,
          "%-16s %9.1f %9.1f %10.1f %10.1f %10.1f %7.3f%n",
          name,
          best.wallNanos() / 1e6,
          best.cpuNanos() / 1e6,
          nominal / 1e9,
          shape.executedFlops(Attention.CHUNK) / seconds / 1e9,
          peak / 1e9,
          nominal / peak);
    }

    /** Ours as {@code auto} runs it, against the fastest of theirs. */
    private void ratio(PrintStream out) {
      var best = new ArrayList<>(theirs.entrySet());
      if (best.isEmpty()) {
        return;
      }
      best.sort(
          (a, b) -> Double.compare(a.getValue().seconds(threads), b.getValue().seconds(threads)));
      Best our = ours.getOrDefault(auto, Best.NONE);
      out.printf(
          Locale.ROOT,
          "ours (%s) / best of theirs (%s): %.2f%n",
          auto.name().toLowerCase(Locale.ROOT),
          best.getFirst().getKey(),
          best.getFirst().getValue().seconds(threads) / our.seconds(threads));
    }
  }
}
