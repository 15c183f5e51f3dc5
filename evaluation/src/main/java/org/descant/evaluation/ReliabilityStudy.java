package org.descant.evaluation;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.descant.attribution.TokenInfluence;
import org.descant.models.codec.StyleEmbedding;
import org.descant.models.lm.TokenLm;
import org.descant.models.lm.TokenLmConfig;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.json.JsonMapper;

/**
 * Does attribution name the recordings that mattered? Small language models are trained again
 * without one recording (or one artist) at a time, and what that does to their loss on some clips
 * is the truth that each method's prediction is ranked against.
 *
 * <p>A study that was cut off goes on where it was: each trained model leaves one line in the
 * study's file. {@link #run} uses its own platform threads.
 */
public final class ReliabilityStudy {
  /*
   * Truth: I(c, r) = mean over seeds of [loss(c | trained without r) − loss(c | trained with all)],
   * where the two models of a seed share their first weights and their order of examples (TinyLm).
   * Prediction: the shares that a method would pay: its scores where they are positive, with the
   * sum 1; gradients are those of the model that was trained with all. Agreement: Spearman's rank
   * correlation over r, one per clip (and seed for methods that read the model), then its mean over
   * clips with a bootstrap interval over clips: the linear datamodelling score of Park et al., "TRAK"
   * (2023), with subsets of all but one.
   *
   * A training run has a luck of its own that moves its loss on all clips alike, by as much as a
   * recording's influence; it adds noise to every rank. So the agreement is also given after each
   * group's mean over the clips was taken away, and repeatability, the agreement of the truths of two
   * seeds, is taken after that: no method can be expected to agree much better.
   */
  private static final int BOOTSTRAP_DRAWS = 2000;
  private static final long BOOTSTRAP_SEED = 17;
  private static final int GROUPS_MIN = 3;

  /** Numbers of a sketched gradient. */
  private static final int SKETCH_SIZE = 1 << 13;

  private static final JsonMapper JSON = JsonMapper.builder().build();

  /** Name of the method that {@code attribution} uses. */
  public static final String TOKENS = "token counts without the recording";

  /** Name of the rival that asks the models. */
  public static final String GRADIENT = "fisher-weighted loss gradients";

  /** Name of the rival that compares codec statistics. */
  public static final String SIMILARITY = "style similarity";

  /** Name of the rule that gives everybody the same. */
  public static final String EQUAL_SHARE = "equal share";

  private ReliabilityStudy() {}

  /** What is left out at a time. */
  public enum LeftOut {
    RECORDING,
    ARTIST
  }

  /**
   * How large a study is.
   *
   * @param model shape of the small models; its codebooks may be fewer than the codec's
   * @param steps optimizer steps of each
   * @param batch examples a step
   * @param frames of an example
   * @param learningRate at its highest
   * @param seeds models trained for each left-out group, with other first weights and orders
   * @param leftOut what is left out
   * @param workers models trained at once, one thread each
   */
  public record Options(
      TokenLmConfig model,
      int steps,
      int batch,
      int frames,
      double learningRate,
      int seeds,
      LeftOut leftOut,
      int workers) {
    public Options {
      if (steps < 2 || batch < 1 || frames < 8 || seeds < 1 || workers < 1 || workers > 64) {
        throw new EvaluationException(
            "A study needs at least 2 steps, 1 example of 8 frames, 1 seed and 1 to 64 workers");
      }
      if (frames + model.codebooks() - 1 > model.context()) {
        throw new EvaluationException(
            "Examples of %d frames do not fit the context of %d"
                .formatted(frames, model.context()));
      }
    }
  }

  /**
   * A recording that can be left out.
   *
   * @param codes {@code [codebook][frame]} that attribution counts; the small models read the first
   * @param style its {@link StyleEmbedding}
   */
  public record Source(String isrc, String artist, int[][] codes, float[] style) {}

  /** Sound whose loss is asked for. */
  public record Clip(String name, int[][] codes, float[] style) {}

  /**
   * How well a method agrees with the truth.
   *
   * @param spearman mean over clips
   * @param low of its 95 % interval
   * @param high of its 95 % interval
   * @param specific the same as {@code spearman} after each group's mean over the clips was taken
   *     from truth and prediction: what is said of this clip rather than of all
   * @param top share of clips whose most influential group is among the method's first three
   */
  public record Score(
      String method, double spearman, double low, double high, double specific, double top) {}

  /**
   * What came out.
   *
   * @param scores of each method
   * @param repeatability mean rank correlation between the specific truths of two seeds, NaN with
   *     one
   * @param groups left out, one at a time
   * @param lossWithAll mean loss of the clips under the models trained with all, nats a token
   * @param meanInfluence mean rise of that loss when a group is left out
   * @param seconds that this run took, without what an earlier one had done
   */
  public record Result(
      List<Score> scores,
      double repeatability,
      int groups,
      int clips,
      int seeds,
      int models,
      double lossWithAll,
      double meanInfluence,
      double seconds) {
    /** The score of a method. */
    public Score of(String method) {
      return scores.stream().filter(s -> s.method().equals(method)).findFirst().orElseThrow();
    }
  }

  /** One trained model: its losses on the clips and, trained with all, what gradients predict. */
  private record Line(long seed, int group, List<Double> losses, List<List<Double>> predicted) {}

  /** The group of a model that was trained with all. */
  private static final int NONE = -1;

  /**
   * Runs a study, or goes on with it.
   *
   * @param folder for the study's file; made when missing
   * @param progress hears one line a trained model
   */
  public static Result run(
      Options options,
      List<Source> sources,
      List<Clip> clips,
      Path folder,
      Consumer<String> progress) {
    long start = System.nanoTime();
    List<Set<Integer>> groups = groups(options, sources);
    if (groups.size() < GROUPS_MIN || clips.isEmpty()) {
      throw new EvaluationException(
          "A reliability study needs at least %d groups to leave out and a clip, got %d and %d"
              .formatted(GROUPS_MIN, groups.size(), clips.size()));
    }
    Path file = folder.resolve("reliability-" + key(options, sources, clips) + ".jsonl");
    Map<List<Long>, Line> lines = read(file);
    List<List<Long>> jobs = new ArrayList<>();
    for (long seed = 1; seed <= options.seeds(); seed++) {
      for (int group = NONE; group < groups.size(); group++) {
        jobs.add(List.of(seed, (long) group));
      }
    }
    int all = jobs.size();
    jobs.removeIf(lines::containsKey);
    work(options, sources, clips, groups, jobs, file, lines, progress);
    double seconds = (System.nanoTime() - start) / 1e9;
    return compare(options, sources, clips, groups, lines, all, seconds);
  }

  private static List<Set<Integer>> groups(Options options, List<Source> sources) {
    Map<String, Set<Integer>> groups = new LinkedHashMap<>();
    for (int i = 0; i < sources.size(); i++) {
      String name =
          switch (options.leftOut()) {
            case RECORDING -> sources.get(i).isrc();
            case ARTIST -> sources.get(i).artist();
          };
      groups.computeIfAbsent(name, n -> new LinkedHashSet<>()).add(i);
    }
    return List.copyOf(groups.values());
  }

  // ---------------------------------------------------------------- training

  private static void work(
      Options options,
      List<Source> sources,
      List<Clip> clips,
      List<Set<Integer>> groups,
      List<List<Long>> jobs,
      Path file,
      Map<List<Long>, Line> lines,
      Consumer<String> progress) {
    TinyLm tiny =
        new TinyLm(
            options.model(),
            options.steps(),
            options.batch(),
            options.frames(),
            options.learningRate());
    int books = options.model().codebooks();
    List<int[][]> recordings = sources.stream().map(s -> first(s.codes(), books)).toList();
    List<int[][]> heard = clips.stream().map(c -> first(c.codes(), books)).toList();
    long start = System.nanoTime();
    try (ExecutorService workers =
        Executors.newFixedThreadPool(
            options.workers(), Thread.ofPlatform().daemon().name("study-", 0).factory())) {
      List<Future<Line>> running = new ArrayList<>();
      for (List<Long> job : jobs) {
        long seed = job.getFirst();
        int group = job.getLast().intValue();
        running.add(
            workers.submit(() -> {
              Set<Integer> without = group == NONE ? Set.of() : groups.get(group);
              try (TokenLm model = tiny.train(recordings, without, seed)) {
                List<Double> losses = heard.stream().map(codes -> tiny.loss(model, codes)).toList();
                return new Line(
                    seed,
                    group,
                    losses,
                    group == NONE ? predictions(model, recordings, heard) : List.of());
              }
            }));
      }
      try {
        for (int i = 0; i < running.size(); i++) {
          Line line = running.get(i).get();
          append(file, line);
          lines.put(jobs.get(i), line);
          double seconds = (System.nanoTime() - start) / 1e9;
          progress.accept(
              "reliability: model %d of %d, %.0f s left"
                  .formatted(i + 1, running.size(), seconds / (i + 1) * (running.size() - i - 1)));
        }
      } catch (ExecutionException e) {
        workers.shutdownNow();
        throw new EvaluationException("The reliability study failed: " + e.getCause(), e);
      } catch (InterruptedException e) {
        workers.shutdownNow();
        Thread.currentThread().interrupt();
        throw new EvaluationException(
            "The reliability study was interrupted; the same command goes on", e);
      }
    }
  }

  /** What gradients say of each clip: scores of all recordings. */
  private static List<List<Double>> predictions(
      TokenLm model, List<int[][]> recordings, List<int[][]> clips) {
    double[][] scores =
        LossGradients.measured(model, SKETCH_SIZE, recordings).scores(recordings, clips);
    return Arrays.stream(scores).map(row -> Arrays.stream(row).boxed().toList()).toList();
  }

  private static int[][] first(int[][] codes, int books) {
    return Arrays.copyOf(codes, books);
  }

  // ---------------------------------------------------------------- comparison

  private static Result compare(
      Options options,
      List<Source> sources,
      List<Clip> clips,
      List<Set<Integer>> groups,
      Map<List<Long>, Line> lines,
      int models,
      double seconds) {
    int seeds = options.seeds();
    double[][][] bySeed = new double[seeds][clips.size()][groups.size()];
    double[][][] gradients = new double[seeds][clips.size()][];
    double[][] tokens = new double[clips.size()][];
    double[][] similarity = new double[clips.size()][];
    double[][] truth = new double[clips.size()][groups.size()];
    double loss = 0;
    double rise = 0;
    for (int s = 0; s < seeds; s++) {
      Line with = line(lines, s + 1L, NONE);
      for (int c = 0; c < clips.size(); c++) {
        loss += with.losses().get(c) / seeds / clips.size();
        for (int g = 0; g < groups.size(); g++) {
          double change = line(lines, s + 1L, g).losses().get(c) - with.losses().get(c);
          bySeed[s][c][g] = change;
          truth[c][g] += change / seeds;
          rise += change / seeds / clips.size() / groups.size();
        }
        gradients[s][c] = paid(with.predicted().get(c).stream(), groups);
      }
    }
    TokenInfluence counted =
        TokenInfluence.of(
            sources.stream().map(Source::codes).toList(),
            sources.getFirst().codes().length,
            options.model().codebookSize());
    for (int c = 0; c < clips.size(); c++) {
      Clip clip = clips.get(c);
      tokens[c] = paid(Arrays.stream(counted.scores(clip.codes())).boxed(), groups);
      similarity[c] =
          paid(
              sources.stream()
                  .map(source -> StyleEmbedding.similarity(clip.style(), source.style())),
              groups);
    }
    double repeatability = 0;
    for (int s = 0; s < seeds; s++) {
      for (int other = 0; other < s; other++) {
        repeatability +=
            Statistics.mean(agreement(centred(bySeed[s]), centred(bySeed[other])))
                / (seeds * (seeds - 1) / 2.0);
      }
    }
    return new Result(
        List.of(
            score(TOKENS, new double[][][] {tokens}, truth),
            score(GRADIENT, gradients, truth),
            score(SIMILARITY, new double[][][] {similarity}, truth),
            // Ranks of a constant say nothing: 0 by definition, and chance finds 3 of the groups.
            new Score(EQUAL_SHARE, 0, 0, 0, 0, Math.min(1, (double) TOP / groups.size()))),
        seeds > 1 ? repeatability : Double.NaN,
        groups.size(),
        clips.size(),
        seeds,
        models,
        loss,
        rise,
        seconds);
  }

  /** What the groups are paid by the scores of their recordings. */
  private static double[] paid(Stream<Double> scores, List<Set<Integer>> groups) {
    double[] shares = TokenInfluence.shares(scores.mapToDouble(Double::doubleValue).toArray());
    return groups.stream()
        .mapToDouble(group -> group.stream().mapToDouble(r -> shares[r]).sum())
        .toArray();
  }

  /** Rank correlation over the groups, for each clip. */
  private static double[] agreement(double[][] a, double[][] b) {
    double[] byClip = new double[a.length];
    Arrays.setAll(byClip, c -> Statistics.spearman(a[c], b[c]));
    return byClip;
  }

  /** Less each group's mean over the clips. */
  private static double[][] centred(double[][] byClip) {
    double[][] centred = Arrays.stream(byClip).map(double[]::clone).toArray(double[][]::new);
    for (int g = 0; g < byClip[0].length; g++) {
      int group = g;
      double mean = Statistics.mean(Arrays.stream(byClip).mapToDouble(row -> row[group]).toArray());
      for (double[] row : centred) {
        row[g] -= mean;
      }
    }
    return centred;
  }

  /** A method's score; its predictions may differ by the seed of the model that they read. */
  private static Score score(String method, double[][][] predicted, double[][] truth) {
    double[] byClip = new double[truth.length];
    double specific = 0;
    double top = 0;
    for (double[][] one : predicted) {
      double[] agreement = agreement(one, truth);
      for (int c = 0; c < truth.length; c++) {
        byClip[c] += agreement[c] / predicted.length;
        top += top(one[c], truth[c]) / predicted.length / truth.length;
      }
      specific += Statistics.mean(agreement(centred(one), centred(truth))) / predicted.length;
    }
    Statistics.Interval interval = Statistics.bootstrap(byClip, BOOTSTRAP_DRAWS, BOOTSTRAP_SEED);
    return new Score(
        method, Statistics.mean(byClip), interval.low(), interval.high(), specific, top);
  }

  private static final int TOP = 3;

  /** 1 when the group with the largest truth is among the method's first three. */
  private static double top(double[] predicted, double[] truth) {
    int best = 0;
    for (int g = 1; g < truth.length; g++) {
      best = truth[g] > truth[best] ? g : best;
    }
    int above = 0;
    for (double p : predicted) {
      above += p > predicted[best] ? 1 : 0;
    }
    return above < TOP ? 1 : 0;
  }

  private static Line line(Map<List<Long>, Line> lines, long seed, int group) {
    Line line = lines.get(List.of(seed, (long) group));
    if (line == null) {
      throw new IllegalStateException("no model of seed " + seed + " without group " + group);
    }
    return line;
  }

  // ---------------------------------------------------------------- the study's file

  /** Hash of all that the trained models depend on. */
  private static String key(Options options, List<Source> sources, List<Clip> clips) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      // The number of seeds and of workers does not change a single model.
      digest.update(
          "1 %s %d %d %d %s %s"
              .formatted(
                  options.model(),
                  options.steps(),
                  options.batch(),
                  options.frames(),
                  options.learningRate(),
                  options.leftOut())
              .getBytes(StandardCharsets.UTF_8));
      for (Source source : sources) {
        digest.update(
            (source.isrc() + " " + source.artist() + "\n").getBytes(StandardCharsets.UTF_8));
        update(digest, source.codes());
      }
      for (Clip clip : clips) {
        update(digest, clip.codes());
      }
      return HexFormat.of().formatHex(digest.digest(), 0, 8);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("Every JDK has SHA-256", e);
    }
  }

  private static void update(MessageDigest digest, int[][] codes) {
    for (int[] book : codes) {
      byte[] bytes = new byte[book.length * 2 + 1];
      for (int t = 0; t < book.length; t++) {
        bytes[2 * t] = (byte) book[t];
        bytes[2 * t + 1] = (byte) (book[t] >> 8);
      }
      bytes[bytes.length - 1] = '\n';
      digest.update(bytes);
    }
  }

  private static void append(Path file, Line line) {
    try {
      Path parent = file.toAbsolutePath().getParent();
      if (parent != null) {
        Files.createDirectories(parent);
      }
      Files.writeString(
          file,
          JSON.writeValueAsString(line) + "\n",
          StandardOpenOption.CREATE,
          StandardOpenOption.APPEND);
    } catch (IOException e) {
      throw new EvaluationException("Cannot write " + file + ": " + e.getMessage(), e);
    }
  }

  /** The lines of an earlier run; a last line that was cut off is trained again. */
  private static Map<List<Long>, Line> read(Path file) {
    Map<List<Long>, Line> lines = new LinkedHashMap<>();
    if (!Files.exists(file)) {
      return lines;
    }
    try {
      String all = Files.readString(file);
      if (!all.endsWith("\n")) {
        Files.writeString(file, "\n", StandardOpenOption.APPEND);
      }
      for (String text : all.split("\n")) {
        try {
          Line line = JSON.readValue(text, Line.class);
          lines.put(List.of(line.seed(), (long) line.group()), line);
        } catch (JacksonException e) {
          continue;
        }
      }
    } catch (IOException e) {
      throw new EvaluationException("Cannot read " + file + ": " + e.getMessage(), e);
    }
    return lines;
  }
}
