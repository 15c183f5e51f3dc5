package org.descant.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.descant.models.lm.Sampling;
import org.descant.models.published.musicgen.MusicGenConfig;
import org.descant.models.published.musicgen.MusicGenDecoder;
import org.descant.models.published.musicgen.MusicGenDecoder.Text;
import org.descant.models.published.musicgen.MusicGenSession;
import org.descant.models.published.weights.Projection.Form;
import org.descant.models.published.weights.PublishedConfig;
import org.descant.tensor.NativeRuntime;
import org.descant.tensor.NoGrad;
import org.descant.tensor.Scope;
import org.descant.tensor.SeededRandom;
import org.descant.tensor.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * How fast a MusicGen decoder with random weights decodes, with classifier-free guidance and codes
 * drawn from the likeliest 250; and, with {@code --peer}, the same in transformers, taking turns
 * with ours on the same cores. With one thread, speeds are of the thread's processor time, so that
 * a busy machine hides less. See {@code bench/run MusicGenDecodeBench}.
 *
 * <p>Frames are summed over the batch; the rows without text, which guidance adds, are not counted.
 * Text encoder and codec are outside of the time. A step must read every weight once, so ours is
 * printed beside the memory's read speed, measured in the same minute by summing 1 GiB.
 */
public final class MusicGenDecodeBench {
  private static final int TEXT_TOKENS = 16;
  private static final int WARM_UP_STEPS = 8;
  private static final long READ_BYTES = 1L << 30;
  private static final JsonMapper JSON = JsonMapper.shared();

  private record Options(
      List<Integer> batches,
      int threads,
      int workers,
      int lanes,
      int steps,
      int rounds,
      double guidance,
      List<String> forms,
      Path config,
      @Nullable String python,
      String script) {}

  /** What speed is computed from: this thread's processor time where it is the whole cost. */
  private static long now(Options options) {
    return options.threads == 1
        ? ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime()
        : System.nanoTime();
  }

  private MusicGenDecodeBench() {}

  /**
   * Runs: {@code [--batch 1,8] [--threads 2] [--workers 1] [--lanes 1] [--steps 128] [--rounds 2]
   * [--guidance 3] [--forms int8,packed] [--config FILE] [--peer PYTHON --script FILE]}.
   */
  public static void main(String[] arguments) {
    var out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    Options options = options(arguments);
    NativeRuntime.init(options.threads / options.lanes);
    out.printf(
        Locale.ROOT,
        "%s, libtorch %s, %s, load %.1f%n",
        NativeRuntime.describe().cpu(),
        NativeRuntime.describe().libtorch(),
        options.threads == 1
            ? "1 thread (speeds from the thread's processor time)"
            : options.threads + " threads (speeds by the clock)",
        load());
    String python = options.python;
    if (python == null) {
      race(options, null, out);
    } else {
      try (Peer peer = new Peer(python, options)) {
        JsonNode version = peer.ask("version");
        out.printf(
            "peer: transformers %s, PyTorch %s%n",
            version.path("transformers").asString(), version.path("torch").asString());
        race(options, peer, out);
      }
    }
  }

  private static Options options(String[] arguments) {
    Map<String, String> given = new TreeMap<>();
    for (int i = 0; i + 1 < arguments.length; i += 2) {
      given.put(arguments[i], arguments[i + 1]);
    }
    return new Options(
        Arrays.stream(given.getOrDefault("--batch", "1,8").split(","))
            .map(Integer::valueOf)
            .toList(),
        Integer.parseInt(given.getOrDefault("--threads", "2")),
        Integer.parseInt(given.getOrDefault("--workers", "1")),
        Integer.parseInt(given.getOrDefault("--lanes", "1")),
        Integer.parseInt(given.getOrDefault("--steps", "128")),
        Integer.parseInt(given.getOrDefault("--rounds", "2")),
        Double.parseDouble(given.getOrDefault("--guidance", "3")),
        List.of(given.getOrDefault("--forms", "int8,packed").split(",")),
        Path.of(given.getOrDefault("--config", "bench/peers/musicgen-small.json")),
        given.get("--peer"),
        given.getOrDefault("--script", "bench/peers/musicgen_decode.py"));
  }

  private static double load() {
    return ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage();
  }

  /** The best of each row over all rounds, in seconds a step. */
  private static void race(Options options, @Nullable Peer peer, PrintStream out) {
    Map<String, Double> best = new LinkedHashMap<>();
    double read = 0;
    Map<Form, MusicGenDecoder> decoders = new LinkedHashMap<>();
    try {
      for (String form : options.forms) {
        Form named = Form.valueOf(form.toUpperCase(Locale.ROOT));
        decoders.put(
            named,
            MusicGenDecoder.random(PublishedConfig.read(options.config), named, options.lanes, 1));
      }
      for (int round = 0; round < options.rounds; round++) {
        read = Math.max(read, readSpeed(options));
        for (int batch : options.batches) {
          decoders.forEach((form, decoder) ->
              best.merge(
                  row("ours " + form.name().toLowerCase(Locale.ROOT), batch),
                  ours(decoder, batch, options),
                  Math::min));
          if (peer != null) {
            for (String type : List.of("float32", "bfloat16")) {
              best.merge(row("peer " + type, batch), peer.decode(type, batch), Math::min);
            }
          }
        }
        out.printf(Locale.ROOT, "round %d done, load %.1f%n", round + 1, load());
      }
      print(options, decoders, best, read, out);
    } finally {
      decoders.values().forEach(MusicGenDecoder::close);
    }
  }

  private static String row(String who, int batch) {
    return "%s, batch %d".formatted(who, batch);
  }

  /** Bytes a second that summing reads, with the threads of the run. */
  private static double readSpeed(Options options) {
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      Tensor large = Tensor.ones(READ_BYTES / Float.BYTES);
      double seconds = Double.MAX_VALUE;
      for (int i = 0; i < 5; i++) {
        long begin = now(options);
        try (Scope inner = Scope.open()) {
          large.sum().item();
        }
        seconds = Math.min(seconds, (now(options) - begin) / 1e9);
      }
      return READ_BYTES / seconds;
    }
  }

  /** Seconds a step of the slowest worker. Several workers share the clips, and the threads. */
  private static double ours(MusicGenDecoder decoder, int batch, Options options) {
    int workers = Math.min(options.workers, batch);
    if (workers == 1) {
      return decode(decoder, batch, options);
    }
    NativeRuntime.init(Math.max(1, options.threads / workers));
    try (var pool = Executors.newFixedThreadPool(workers)) {
      List<Future<Double>> parts = new ArrayList<>();
      for (int w = 0; w < workers; w++) {
        int clips = batch * (w + 1) / workers - batch * w / workers;
        parts.add(pool.submit(() -> decode(decoder, clips, options)));
      }
      double slowest = 0;
      for (Future<Double> part : parts) {
        slowest = Math.max(slowest, part.get());
      }
      return slowest;
    } catch (ExecutionException | InterruptedException e) {
      throw new IllegalStateException("a worker did not end", e);
    } finally {
      NativeRuntime.init(options.threads);
    }
  }

  private static double decode(MusicGenDecoder decoder, int batch, Options options) {
    MusicGenConfig config = decoder.config();
    int size = config.vocabulary();
    long[] column = new long[batch * config.codebooks()];
    float[] scores = new float[column.length * size];
    Arrays.fill(column, size);
    var draws = new SplittableRandom(batch);
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open();
        SeededRandom random = new SeededRandom(batch)) {
      Text text =
          decoder.text(
              random.normal(batch, TEXT_TOKENS, config.textWidth()),
              Tensor.ones(batch, TEXT_TOKENS),
              false);
      try (MusicGenSession session = decoder.session(text, options.guidance, options.steps)) {
        long begin = 0;
        for (int step = 0; step < options.steps; step++) {
          if (step == WARM_UP_STEPS) {
            begin = now(options);
          }
          session.step(column, scores);
          for (int row = 0; row < column.length; row++) {
            column[row] = Sampling.DEFAULT.draw(scores, row * size, size, draws);
          }
        }
        return (now(options) - begin) / 1e9 / (options.steps - WARM_UP_STEPS);
      }
    }
  }

  private static void print(
      Options options,
      Map<Form, MusicGenDecoder> decoders,
      Map<String, Double> best,
      double read,
      PrintStream out) {
    MusicGenConfig config = decoders.values().iterator().next().config();
    out.printf(
        Locale.ROOT,
        "%n%d layers of width %d, guidance %.1f, steps %d to %d, memory reads %.1f GB/s%n",
        config.layers(),
        config.width(),
        options.guidance,
        WARM_UP_STEPS,
        options.steps,
        read / 1e9);
    out.printf("%-26s %10s %9s %10s %7s%n", "", "frames/s", "ms/step", "weights", "share");
    for (int batch : options.batches) {
      double theirs = Double.POSITIVE_INFINITY;
      for (var entry : best.entrySet()) {
        if (entry.getKey().endsWith(", batch " + batch)) {
          double seconds = entry.getValue();
          out.printf(
              Locale.ROOT, "%-26s %10.1f %9.2f", entry.getKey(), batch / seconds, seconds * 1e3);
          if (entry.getKey().startsWith("peer")) {
            theirs = Math.min(theirs, seconds);
            out.println();
          } else {
            double bytes =
                (double) config.weightsPerStep() * (entry.getKey().contains("int8") ? 1 : 4);
            out.printf(
                Locale.ROOT, " %5.1f GB/s %7.2f%n", bytes / seconds / 1e9, bytes / seconds / read);
          }
        }
      }
      for (Form form : decoders.keySet()) {
        Double ours = best.get(row("ours " + form.name().toLowerCase(Locale.ROOT), batch));
        if (ours != null && Double.isFinite(theirs)) {
          out.printf(
              Locale.ROOT,
              "batch %d: ours %s / their best %.2f%n",
              batch,
              form.name().toLowerCase(Locale.ROOT),
              theirs / ours);
        }
      }
    }
  }

  /** The other side, in a process of its own. */
  private static final class Peer implements AutoCloseable {
    private final Options options;
    private final Process process;
    private final Writer requests;
    private final BufferedReader answers;

    Peer(String python, Options options) {
      this.options = options;
      try {
        var builder = new ProcessBuilder(python, options.script, options.config.toString());
        builder.environment().put("OMP_NUM_THREADS", Integer.toString(options.threads));
        builder.redirectError(ProcessBuilder.Redirect.DISCARD);
        process = builder.start();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      requests = process.outputWriter(StandardCharsets.UTF_8);
      answers = process.inputReader(StandardCharsets.UTF_8);
    }

    JsonNode ask(String request) {
      try {
        requests.write(request + "\n");
        requests.flush();
        String answer = answers.readLine();
        if (answer == null) {
          throw new IllegalStateException(
              "The peer ended at '%s'; run %s by hand to see why."
                  .formatted(request, options.script));
        }
        return JSON.readTree(answer);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    /** Seconds a step. */
    double decode(String type, int batch) {
      JsonNode answer =
          ask(
              "decode %s %d %d %d %d %s %d"
                  .formatted(
                      type,
                      batch,
                      TEXT_TOKENS,
                      options.steps,
                      WARM_UP_STEPS,
                      options.guidance,
                      options.threads));
      return answer.path(options.threads == 1 ? "cpu" : "seconds").asDouble()
          / answer.path("steps").asInt();
    }

    @Override
    public void close() {
      process.destroy();
    }
  }
}
