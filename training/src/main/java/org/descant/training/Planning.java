package org.descant.training;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.descant.audio.Pcm;
import org.descant.models.codec.CodecLatents;
import org.descant.models.codec.MagnitudeCodec;
import org.descant.shards.Dataset;
import org.descant.shards.Draws;
import org.descant.shards.FieldType;
import org.descant.training.loop.Learner;
import org.descant.training.loop.Meter;
import org.descant.training.loop.Trial;
import org.descant.training.parallel.Replicas;
import org.descant.training.recipe.Recipe;
import org.descant.training.recipe.RecipeText;
import org.descant.training.stage.CodecStage;
import org.descant.training.stage.Codes;
import org.descant.training.stage.Copy;
import org.descant.training.stage.GivenCodec;
import org.descant.training.stage.LastStage;
import org.descant.training.stage.Latents;
import org.descant.training.stage.Music;
import org.descant.training.stage.Order;
import org.descant.training.stage.Setting;
import org.descant.training.stage.TokenStage;
import org.descant.training.stage.Tokens;

/**
 * Builds everything that a run builds, takes one step of each stage, and says what the run would
 * take. Nothing is written.
 *
 * <p>The codec's stage and its data are the run's own. The last stage learns from made-up codes of
 * a few recordings, because the real ones would need a trained codec; their number, shape and order
 * are the real ones. Costs some seconds.
 */
public final class Planning {
  /** Recordings whose conditions the last stage's trial batch draws from. */
  private static final int SAMPLED_MAX = 4;

  /** Seconds of a recording on which coding is timed. */
  private static final int CODED_SECONDS = 10;

  /** Bytes of the conditions of a frame on the heap: four numbers and three references. */
  private static final long CONDITION_BYTES = 4 * 4 + 3 * 8;

  /** A measurement is a forward pass; a step is three. */
  private static final double FORWARD_SHARE = 1.0 / 3;

  private static final int STYLE_FRAMES = 430;

  /** Weights of codec and last stage in the finished model's folder, and what lies around. */
  private static final long OTHER_BYTES = 16 << 20;

  private static final Path MEMORY = Path.of("/proc/meminfo");
  private static final Path STATUS = Path.of("/proc/self/status");
  private static final Path GROUP_MAX = Path.of("/sys/fs/cgroup/memory.max");
  private static final Path GROUP_NOW = Path.of("/sys/fs/cgroup/memory.current");

  private final Setting setting;
  private final Recipe requested;
  private final double peak;

  private Planning(Setting setting, Recipe requested, double peak) {
    this.setting = setting;
    this.requested = requested;
    this.peak = peak;
  }

  /**
   * Plans a run.
   *
   * @param requested recipe as asked for
   * @param dataset to learn from; stays open and belongs to the caller
   * @param runFolder where the run would be; it need not exist
   * @throws TrainingException when recipe and dataset cannot work together at all
   */
  public static Plan of(Recipe requested, Dataset dataset, Path runFolder) {
    Trainer.Resolved resolved = Trainer.resolve(requested, 1);
    double peak = resolved.matmulPeak();
    Recipe recipe = resolved.recipe();
    if (!recipe.codec().from().isEmpty()) {
      try (GivenCodec given = GivenCodec.of(recipe, dataset)) {
        recipe = given.in(recipe);
      }
    }
    try (Setting setting =
        Setting.of(
            recipe,
            RecipeText.hash(recipe),
            dataset,
            runFolder,
            peak,
            Setting.Listeners.NONE,
            Replicas.ALONE)) {
      return new Planning(setting, requested, peak).plan();
    }
  }

  private Plan plan() {
    Recipe recipe = setting.recipe();
    Dataset dataset = setting.dataset();
    var problems = new ArrayList<String>();
    var stages = new ArrayList<Plan.Stage>();
    Plan.Coding coding;
    double measuring;
    try (var codec = new CodecStage(setting);
        var weights = codec.codec()) {
      if (recipe.codecSteps() > 0) {
        Trial first = Trial.of(codec, setting.codecRules());
        stages.add(judged(stage(codec, first, codec.order(), problems)));
      }
      if (recipe.lastSteps() == 0) {
        coding = new Plan.Coding(0, 0, 0, 0, 0);
        measuring = 0;
      } else {
        List<Source> sources = sources(weights);
        List<Source> live =
            sources.stream().filter(s -> !setting.withdrawals().withdrawn(s.recording)).toList();
        coding = coding(weights, live);
        try (LastStage<?> last = LastStage.of(setting, codec, sample(weights, live))) {
          Order order = order(sources);
          Trial second = Trial.of(last, setting.lastRules());
          stages.add(stage(last, second, order, problems));
          measuring = measuringSeconds(live, order.length(), second.stepSeconds());
        }
      }
    }
    long checkpoint = stages.stream().mapToLong(Plan.Stage::checkpointBytes).max().orElseThrow();
    Plan.Memory memory = memory(checkpoint, coding.heapBytes());
    Plan.Disk disk = disk(checkpoint, coding.bytes());
    problems.addAll(problems(memory, disk, coding, recipe.last().name()));
    return new Plan(
        new TreeMap<>(RecipeText.toMap(recipe)),
        setting.recipeHash(),
        Trainer.runId(requested),
        dataset.manifest().id(),
        dataset.manifest().root(),
        setting.live(setting.trained()).size(),
        setting.live(setting.heldOut()).size(),
        dataset.manifest().seconds(),
        peak,
        stages,
        coding,
        measuring,
        stages.stream().mapToDouble(Plan.Stage::seconds).sum() + coding.seconds() + measuring,
        memory,
        disk,
        problems);
  }

  private <B> Plan.Stage stage(
      Learner<B> learner, Trial trial, Order order, List<String> problems) {
    return stage(learner, trial, order, peak, problems);
  }

  /** What a stage would take, from its trial; adds a problem where it cannot learn. */
  public static <B> Plan.Stage stage(
      Learner<B> learner, Trial trial, Order order, double peak, List<String> problems) {
    if (!trial.refusal().isEmpty()) {
      problems.add(
          "The very first step of %s cannot be learned from: %s; lower %s.learningRate."
              .formatted(learner.name(), trial.refusal(), learner.name()));
    }
    double seconds = Math.max(trial.stepSeconds(), trial.dataSeconds());
    Learner.Work work = learner.work();
    return new Plan.Stage(
        learner.name(),
        learner.steps(),
        learner.parameters().count(),
        learner.parameters().bytes(),
        trial.optimizerBytes(),
        trial.checkpointBytes(),
        trial.loss(),
        work.flops(),
        trial.stepSeconds(),
        trial.dataSeconds(),
        work.flops() / trial.stepSeconds() / peak,
        work.audioSeconds() / seconds,
        work.tokens() / seconds,
        order.windows().slots(),
        order.fingerprint(),
        learner.steps() * seconds);
  }

  /** The codec's stage with the steps that it takes once its discriminator has begun. */
  private Plan.Stage judged(Plan.Stage plain) {
    Recipe.Adversarial adversarial = setting.recipe().codec().adversarial();
    if (!adversarial.takesPart()) {
      return plain;
    }
    Setting begun =
        setting.with(
            RecipeText.withOverrides(setting.recipe(), List.of("codec.adversarial.start=0")));
    try (var codec = new CodecStage(begun);
        var weights = codec.codec()) {
      Trial trial = Trial.of(codec, begun.codecRules());
      double seconds = Math.max(trial.stepSeconds(), plain.dataSecondsPerStep());
      double before = Math.max(plain.secondsPerStep(), plain.dataSecondsPerStep());
      double flops = codec.work().flops();
      return new Plan.Stage(
          plain.name(),
          plain.steps(),
          plain.parameters(),
          plain.modelBytes(),
          plain.optimizerBytes(),
          plain.checkpointBytes(),
          plain.firstLoss(),
          flops,
          trial.stepSeconds(),
          plain.dataSecondsPerStep(),
          flops / trial.stepSeconds() / peak,
          codec.work().audioSeconds() / seconds,
          0,
          plain.excerpts(),
          plain.order(),
          plain.steps() * (adversarial.start() * before + (1 - adversarial.start()) * seconds));
    }
  }

  // ---------------------------------------------------------------- data

  /** A copy that the last stage would learn from or be measured on, and its length. */
  private record Source(int recording, Copy copy, boolean heldOut, int frames) {}

  private List<Source> sources(MagnitudeCodec codec) {
    var stage = new TokenStage(setting, codec);
    var sources = new ArrayList<Source>();
    for (int recording = 0; recording < setting.dataset().size(); recording++) {
      boolean heldOut = setting.heldOut().contains(recording);
      for (Copy copy : stage.copies(recording)) {
        sources.add(new Source(recording, copy, heldOut, stage.frames(recording, copy)));
      }
    }
    return sources;
  }

  private Order order(List<Source> sources) {
    List<Source> trained = sources.stream().filter(s -> !s.heldOut).toList();
    int shortest = sources.stream().mapToInt(Source::frames).min().orElseThrow();
    return LastStage.order(
        setting,
        Math.min(setting.recipe().last().frames(), shortest),
        trained.stream().map(s -> setting.dataset().isrc(s.recording)).toList(),
        trained.stream().map(Source::frames).toList());
  }

  /** Copies of a few recordings with codes drawn at random; the shortest of all are among them. */
  private Tokens sample(MagnitudeCodec codec, List<Source> sources) {
    var trained = new ArrayList<Tokens.Coded>();
    var heldOut = new ArrayList<Tokens.Coded>();
    List<Source> shortestFirst =
        sources.stream().sorted((a, b) -> Integer.compare(a.frames, b.frames)).toList();
    for (Source source : shortestFirst) {
      List<Tokens.Coded> list = source.heldOut ? heldOut : trained;
      if (list.size() < SAMPLED_MAX) {
        list.add(coded(codec, source));
      }
    }
    Latents latents = random(codec, STYLE_FRAMES);
    var styles = new ArrayList<Latents>();
    for (int recording = 0; recording < setting.dataset().size(); recording++) {
      styles.add(latents);
    }
    return new Tokens(trained, heldOut, styles, List.of());
  }

  private Tokens.Coded coded(MagnitudeCodec codec, Source source) {
    Music music = Music.of(setting.dataset(), source.recording, null);
    SplittableRandom random = Draws.of(setting.recipe().seed(), "plan", source.recording);
    int size = codec.codebookSize();
    int[][] codes = new int[setting.recipe().codebooks()][source.frames];
    for (int[] book : codes) {
      Arrays.setAll(book, t -> random.nextInt(size));
    }
    return new Tokens.Coded(
        source.recording,
        source.copy,
        new Codes.Held(codes),
        music.frames(source.copy, codec.frameRate(), source.frames),
        music.global(source.copy),
        setting.recipe().flow() == null ? null : random(codec, source.frames));
  }

  private Latents random(MagnitudeCodec codec, int frames) {
    SplittableRandom random = Draws.of(setting.recipe().seed(), "plan latents", 0);
    int size = codec.config().latent();
    float[] numbers = new float[frames * size];
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = (float) random.nextDouble(-1, 1);
    }
    return new Latents.Held(new CodecLatents(numbers, size));
  }

  /** Codes an excerpt of one copy with a clock. */
  private Plan.Coding coding(MagnitudeCodec codec, List<Source> sources) {
    Source source =
        sources.stream().filter(s -> s.copy.number() > 0).findFirst().orElse(sources.getFirst());
    Dataset dataset = setting.dataset();
    int rate = dataset.entry(source.recording).rate();
    Pcm part =
        dataset.read(
            source.recording, 0, Math.min(dataset.frames(source.recording), CODED_SECONDS * rate));
    long begin = System.nanoTime();
    codec.encodeFeatures(TokenStage.features(codec, part, source.copy));
    double speed = part.seconds() / ((System.nanoTime() - begin) / 1e9);
    long frames = sources.stream().mapToLong(Source::frames).sum();
    boolean allLatents = setting.recipe().flow() != null;
    long ownFrames =
        sources.stream()
            .filter(s -> allLatents || s.copy.number() == 0)
            .mapToLong(Source::frames)
            .sum();
    double seconds = frames / codec.frameRate();
    long fieldBytes =
        frames * codec.config().codebooks() * FieldType.U16.bytes()
            + ownFrames * codec.config().latent() * FieldType.F32.bytes();
    return new Plan.Coding(
        seconds,
        speed,
        2 * fieldBytes, // recording by recording, and for a moment in the fields too
        frames * CONDITION_BYTES,
        seconds / speed);
  }

  private double measuringSeconds(List<Source> sources, int length, double stepSeconds) {
    long windows = sources.stream().filter(s -> s.heldOut).mapToLong(s -> s.frames / length).sum();
    double batches = Math.ceil((double) windows / setting.recipe().batch());
    double times =
        Math.ceil((double) setting.recipe().lastSteps() / setting.recipe().last().evaluateEvery())
            + 1;
    return batches * times * stepSeconds * FORWARD_SHARE;
  }

  // ---------------------------------------------------------------- room

  /** Memory as it is now, and as a run would need it. */
  public static Plan.Memory memory(long checkpointBytes, long tokensHeapBytes) {
    long resident = Meter.residentBytes();
    long highest = Math.max(resident, kilobytes(STATUS, "VmHWM:"));
    long free = Math.min(kilobytes(MEMORY, "MemAvailable:"), groupFree());
    return new Plan.Memory(
        resident,
        highest + checkpointBytes + tokensHeapBytes,
        free == Long.MAX_VALUE ? free : resident + free,
        Runtime.getRuntime().maxMemory());
  }

  /** A line of a proc file in bytes; as much as there can be where the system does not tell. */
  private static long kilobytes(Path file, String line) {
    try (var lines = Files.lines(file)) {
      return lines
          .filter(text -> text.startsWith(line))
          .mapToLong(text -> Long.parseLong(text.replaceAll("[^0-9]", "")) << 10)
          .findFirst()
          .orElse(line.startsWith("Vm") ? 0 : Long.MAX_VALUE);
    } catch (IOException e) {
      return line.startsWith("Vm") ? 0 : Long.MAX_VALUE;
    }
  }

  /** What is left of a container's limit. */
  private static long groupFree() {
    try {
      String max = Files.readString(GROUP_MAX).strip();
      return max.equals("max")
          ? Long.MAX_VALUE
          : Long.parseLong(max) - Long.parseLong(Files.readString(GROUP_NOW).strip());
    } catch (IOException | NumberFormatException e) {
      return Long.MAX_VALUE;
    }
  }

  private Plan.Disk disk(long checkpointBytes, long tokenBytes) {
    return disk(
        setting.path(),
        setting.recipe().checkpoint().keep(),
        checkpointBytes,
        tokenBytes + checkpointBytes);
  }

  /**
   * Room for a run folder.
   *
   * @param keep checkpoints that stay
   * @param otherBytes codes and what ships
   */
  public static Plan.Disk disk(Path run, int keep, long checkpointBytes, long otherBytes) {
    // Those that are kept, the newest regular one beside them, and the one being written.
    long needed = (keep + 2L) * checkpointBytes + otherBytes + OTHER_BYTES;
    Path place = run.toAbsolutePath();
    while (place != null && !Files.exists(place)) {
      place = place.getParent();
    }
    if (place == null) {
      throw new TrainingException("there is no folder above " + run);
    }
    try {
      return new Plan.Disk(needed, Files.getFileStore(place).getUsableSpace());
    } catch (IOException e) {
      throw new TrainingException("cannot ask for the room in " + place + ": " + e.getMessage(), e);
    }
  }

  /** Why there is not enough room, each a sentence; {@code stage} has the key to recompute. */
  public static List<String> problems(
      Plan.Memory memory, Plan.Disk disk, Plan.Coding coding, String stage) {
    var problems = new ArrayList<String>();
    if (disk.neededBytes() > disk.availableBytes()) {
      problems.add(
          ("The run needs %,d MB of disk and there are %,d; make room, lower checkpoint.keep, or"
                  + " name another --out.")
              .formatted(disk.neededBytes() >> 20, disk.availableBytes() >> 20));
    }
    if (memory.neededBytes() > memory.availableBytes()) {
      problems.add(
          ("The run needs %,d MB of memory and there are %,d; raise accumulate, set"
                  + " %s.recompute, or lower batch.")
              .formatted(memory.neededBytes() >> 20, memory.availableBytes() >> 20, stage));
    }
    if (coding.heapBytes() > memory.heapBytesMax() / 2) {
      problems.add(
          ("The codes of all copies need %,d MB of Java heap and half of its limit is %,d; raise"
                  + " -Xmx or lower augment.copies.")
              .formatted(coding.heapBytes() >> 20, memory.heapBytesMax() / 2 >> 20));
    }
    return problems;
  }

  /** The plan as lines for people. */
  public static List<String> lines(Plan plan) {
    var lines = new ArrayList<String>();
    lines.add("recipe %s  run %s".formatted(plan.recipeHash(), plan.runId()));
    lines.add(
        "dataset %s  %d recordings to learn from, %d held out, %.1f minutes"
            .formatted(
                plan.dataset(),
                plan.trainedRecordings(),
                plan.heldOutRecordings(),
                plan.audioSeconds() / 60));
    lines.add("fastest matrix product %.1f GFLOP/s".formatted(plan.matmulPeakFlops() / 1e9));
    for (Plan.Stage stage : plan.stages()) {
      var numbers = new LinkedHashMap<String, String>();
      numbers.put("steps", "%,d".formatted(stage.steps()));
      numbers.put("parameters", "%,d".formatted(stage.parameters()));
      numbers.put("model", "%,d KB".formatted(stage.modelBytes() >> 10));
      numbers.put("optimizer", "%,d KB".formatted(stage.optimizerBytes() >> 10));
      numbers.put("checkpoint", "%,d KB".formatted(stage.checkpointBytes() >> 10));
      numbers.put("GFLOP a step", "%.2f".formatted(stage.flopsPerStep() / 1e9));
      numbers.put("first loss", "%.4f".formatted(stage.firstLoss()));
      numbers.put("step", "%.0f ms".formatted(1e3 * stage.secondsPerStep()));
      numbers.put("its data", "%.0f ms".formatted(1e3 * stage.dataSecondsPerStep()));
      numbers.put("mfu", "%.0f %%".formatted(100 * stage.mfu()));
      numbers.put("audio-s/s", "%,.0f".formatted(stage.audioSecondsPerSecond()));
      if (stage.tokensPerSecond() > 0) {
        numbers.put("tokens/s", "%,.0f".formatted(stage.tokensPerSecond()));
      }
      numbers.put("excerpts an epoch", "%,d".formatted(stage.excerpts()));
      numbers.put("order", stage.order());
      numbers.put("time", time(stage.seconds()));
      lines.add(row(stage.name(), numbers));
    }
    if (plan.tokens().audioSeconds() > 0) {
      var tokens = new LinkedHashMap<String, String>();
      tokens.put("audio", time(plan.tokens().audioSeconds()));
      tokens.put("speed", "%,.0f times real time".formatted(plan.tokens().audioSecondsPerSecond()));
      tokens.put("time", time(plan.tokens().seconds()));
      lines.add(row(TokenStage.NAME, tokens));
    }
    lines.add(
        "memory %,d MB now, %,d needed, %,d there"
            .formatted(
                plan.memory().residentBytes() >> 20,
                plan.memory().neededBytes() >> 20,
                plan.memory().availableBytes() >> 20));
    lines.add(
        "disk   %,d MB needed, %,d there"
            .formatted(plan.disk().neededBytes() >> 20, plan.disk().availableBytes() >> 20));
    lines.add(
        "time   %s in all, %s of it measuring"
            .formatted(time(plan.seconds()), time(plan.measuringSeconds())));
    plan.problems().forEach(problem -> lines.add("will not work: " + problem));
    return lines;
  }

  private static String row(String name, Map<String, String> numbers) {
    var row = new StringBuilder("%-6s".formatted(name));
    numbers.forEach((key, value) -> row.append("  ").append(key).append(' ').append(value));
    return row.toString();
  }

  private static String time(double seconds) {
    long whole = Math.round(seconds);
    return "%d:%02d:%02d".formatted(whole / 3600, whole / 60 % 60, whole % 60);
  }
}
