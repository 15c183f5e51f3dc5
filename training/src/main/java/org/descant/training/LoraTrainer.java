package org.descant.training;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.descant.audio.Pcm;
import org.descant.lab.MetricLine;
import org.descant.lab.RunFolder;
import org.descant.lab.RunRecord;
import org.descant.lab.RunStatus;
import org.descant.models.published.musicgen.MusicGen;
import org.descant.models.published.musicgen.MusicGenDecoder;
import org.descant.models.published.musicgen.MusicGenDecoder.Text;
import org.descant.models.published.text.TextTokens;
import org.descant.models.published.weights.LoraAdapter;
import org.descant.models.published.weights.Projection.Form;
import org.descant.shards.Dataset;
import org.descant.tensor.AdamW;
import org.descant.tensor.Autocast;
import org.descant.tensor.DType;
import org.descant.tensor.MatrixPeak;
import org.descant.tensor.NativeRuntime;
import org.descant.tensor.NoGrad;
import org.descant.tensor.ParameterStore;
import org.descant.tensor.ParameterStore.Initializer;
import org.descant.tensor.Precision;
import org.descant.tensor.Safetensors;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.descant.training.loop.CheckpointWriter;
import org.descant.training.loop.Checkpoints;
import org.descant.training.loop.Meter;
import org.descant.training.loop.Schedule;
import org.descant.training.recipe.RecipeText;
import org.descant.training.stage.Draws;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;

/**
 * One run that adapts a MusicGen-shaped model to a dataset: the model's own codec turns the
 * recordings into codes, the decoder's weights stay, and a low-rank adapter beside them learns to
 * say those codes (LoRA, Hu et al. 2021). Run it again with the same folder after any kind of end,
 * and it goes on to the same bits.
 *
 * <p>The run's {@code adapter} folder is what PEFT reads, with a README.md as its model card. A
 * model that was pulled has no rights manifest for what it was trained on, and an adapter does not
 * change that: the card says so.
 *
 * <p>A recording's text is its description and its tags where the base folder has a tokenizer; else
 * every excerpt learns without one. {@link #run} belongs to one thread; {@link #stop} may come from
 * any.
 */
public final class LoraTrainer {
  private static final String STAGE = "lora";
  private static final String ADAPTER_FOLDER = "adapter";
  private static final String REQUESTED_HASH = "requestedRecipeHash";
  private static final String BASE_HASH = "baseSha256";
  private static final String HELD_OUT_LOSS = "heldOutLoss";
  private static final String NO_MANIFEST =
      "The base model has no rights manifest: what it was trained on is not known here. This"
          + " adapter does not change that. It may be studied; it may not be played to fans.";
  private static final int ID_HASH_DIGITS = 8;
  private static final int ENCODE_SECONDS = 30;
  private static final int HELD_OUT_EXCERPTS = 4;
  private static final AdamW.Options MOMENTS = new AdamW.Options(0.9, 0.99, 1e-8, 0);

  private final LoraRecipe requested;
  private final Dataset dataset;
  private final Path path;
  private final Progress progress;
  private volatile boolean stopRequested;

  /** A recording as codes [codebooks, frames] and the text it is told with. */
  private record Piece(Tensor codes, String text) {}

  /**
   * Prepares a run; nothing is written before {@link #run}.
   *
   * @param recipe as asked for; {@code auto} in it is resolved at the first start
   * @param dataset to learn from; stays open and belongs to the caller
   * @param runFolder new, or of a run of the same recipe and dataset that goes on
   */
  public LoraTrainer(LoraRecipe recipe, Dataset dataset, Path runFolder, Progress progress) {
    this.requested = recipe;
    this.dataset = dataset;
    this.path = runFolder;
    this.progress = progress;
  }

  /** The name that a run of this recipe has by default. */
  public static String runId(LoraRecipe recipe) {
    return recipe.name() + "-" + RecipeText.hash(recipe).substring(0, ID_HASH_DIGITS);
  }

  /** The adapter of a finished run. */
  public static Path adapterFolder(Path runFolder) {
    return runFolder.resolve(ADAPTER_FOLDER);
  }

  /** Asks the run to stop after its present step, with a checkpoint. Returns at once. */
  public void stop() {
    stopRequested = true;
  }

  /**
   * Starts the run, or goes on with it; of a finished run only returns the record.
   *
   * @throws TrainingException when the folder is of another run or base, or a loss is not finite
   */
  public RunRecord run() {
    if (requested.base().isBlank()) {
      throw new TrainingException(
          "the recipe's 'base' is empty; name the folder of a MusicGen with --set base=FOLDER");
    }
    Path base = Path.of(requested.base());
    String baseHash = hash(base);
    if (RunFolder.isRun(path)) {
      RunRecord record = RunFolder.record(path);
      if (!RecipeText.hash(requested).equals(record.facts().get(REQUESTED_HASH))
          || !record.datasetRoot().equals(dataset.manifest().root())
          || !baseHash.equals(record.facts().get(BASE_HASH))) {
        throw new TrainingException(
            "%s is a run of another recipe, dataset or base (%s); choose another --out"
                .formatted(path, record.id()));
      }
      if (record.status() == RunStatus.FINISHED) {
        return record;
      }
    }
    try (RunFolder folder = RunFolder.openForWriting(path)) {
      RunRecord record = begin(folder, baseHash);
      try (MusicGen model = MusicGen.load(base, Form.PLAIN)) {
        return new Run(folder, record, model).train();
      } catch (TrainingException e) {
        folder.save(
            RunFolder.record(path)
                .with(
                    RunStatus.FAILED,
                    Instant.now(),
                    record.step(),
                    Map.of("failure", String.valueOf(e.getMessage()))));
        throw e;
      }
    }
  }

  private RunRecord begin(RunFolder folder, String baseHash) {
    RunRecord record;
    if (RunFolder.isRun(path)) {
      record = RunFolder.record(path);
      NativeRuntime.init(record.threads());
      record = record.with(RunStatus.RUNNING, null, record.step(), Map.of());
    } else {
      int threads =
          requested.threads() > 0
              ? requested.threads()
              : Runtime.getRuntime().availableProcessors();
      NativeRuntime.init(threads);
      String precision =
          requested.precision().equals("auto")
              ? Precision.auto().name().toLowerCase(Locale.ROOT)
              : requested.precision();
      LoraRecipe recipe = requested.resolved(precision, threads);
      NativeRuntime.Description runtime = NativeRuntime.describe();
      record =
          new RunRecord(
              RunRecord.VERSION,
              runId(requested),
              recipe.name(),
              RecipeText.hash(recipe),
              RecipeText.toMap(recipe),
              dataset.manifest().id(),
              dataset.manifest().root(),
              recipe.seed(),
              Trainer.codeTree(),
              Trainer.libraries(runtime),
              Trainer.processor(runtime),
              threads,
              RunStatus.RUNNING,
              Instant.now(),
              null,
              0,
              recipe.steps(),
              Map.of(
                  REQUESTED_HASH,
                  RecipeText.hash(requested),
                  BASE_HASH,
                  baseHash,
                  Trainer.MATMUL_PEAK,
                  MatrixPeak.measure(
                          Precision.valueOf(precision.toUpperCase(Locale.ROOT)),
                          Trainer.PEAK_SECONDS)
                      .flops()));
      progress.note("effective recipe " + RecipeText.canonical(recipe));
    }
    folder.save(record);
    return record;
  }

  /** One SHA-256 over the base's configuration and weights, in the order of their names. */
  private static String hash(Path base) {
    try (Stream<Path> files = Files.list(base)) {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      byte[] block = new byte[1 << 20];
      for (Path file :
          files
              .filter(f -> f.toString().endsWith(".safetensors") || f.endsWith("config.json"))
              .sorted()
              .toList()) {
        try (InputStream in = Files.newInputStream(file)) {
          for (int n = in.read(block); n >= 0; n = in.read(block)) {
            digest.update(block, 0, n);
          }
        }
      }
      return HexFormat.of().formatHex(digest.digest());
    } catch (IOException e) {
      throw new TrainingException(
          "cannot read the base model %s: %s; name a folder with base=FOLDER"
              .formatted(base, e.getMessage()),
          e);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  /** The part of a run that has everything loaded. */
  private final class Run {
    private final RunFolder folder;
    private final RunRecord record;
    private final LoraRecipe recipe;
    private final MusicGen model;
    private final MusicGenDecoder decoder;
    private final LoraAdapter.Settings settings;
    private final List<String> modules = new ArrayList<>();
    private final Checkpoints checkpoints;
    private final @Nullable TextTokens tokens;
    private final Precision precision;

    Run(RunFolder folder, RunRecord record, MusicGen model) {
      this.folder = folder;
      this.record = record;
      this.recipe = RecipeText.fromMap(record.effectiveRecipe(), LoraRecipe.class);
      this.model = model;
      this.decoder = model.decoder();
      this.settings =
          new LoraAdapter.Settings(
              recipe.adapter().rank(),
              recipe.adapter().alpha(),
              recipe.adapter().rankStabilised(),
              recipe.adapter().targetList(),
              Path.of(recipe.base()).getFileName().toString());
      this.checkpoints =
          new Checkpoints(path, recipe.checkpoint().every(), recipe.checkpoint().keep());
      Path base = Path.of(recipe.base());
      this.tokens = TextTokens.isIn(base) ? TextTokens.load(base) : null;
      this.precision = Precision.valueOf(recipe.precision().toUpperCase(Locale.ROOT));
    }

    RunRecord train() {
      List<Integer> heldOut = dataset.heldOut(recipe.heldOut());
      List<Piece> learned = new ArrayList<>();
      List<Piece> measured = new ArrayList<>();
      try (Scope scope = Scope.open();
          ParameterStore store = store()) {
        for (int i = 0; i < dataset.size(); i++) {
          if (dataset.withdrawn(i)) {
            continue;
          }
          Piece piece = piece(i);
          if (piece.codes.size(1) >= recipe.learn().frames()) {
            (heldOut.contains(i) ? measured : learned).add(piece);
          } else {
            progress.note(
                "%s is shorter than learn.frames and is left out".formatted(dataset.isrc(i)));
          }
        }
        if (learned.isEmpty()) {
          throw new TrainingException(
              "no recording is as long as %d frames; lower learn.frames"
                  .formatted(recipe.learn().frames()));
        }
        progress.note(
            "%s: %d of %d linear layers of %s, %,d numbers to learn, %d recordings%s"
                .formatted(
                    record.id(),
                    modules.size(),
                    decoder.modules().size(),
                    settings.base(),
                    store.count(),
                    learned.size(),
                    tokens == null ? ", no tokenizer.json: no texts" : ""));
        return steps(store, learned, measured);
      }
    }

    private ParameterStore store() {
      ParameterStore store = new ParameterStore(recipe.seed());
      for (MusicGenDecoder.Module module : decoder.modules()) {
        if (settings.aimsAt(module.name())) {
          modules.add(module.name());
          long rank = settings.rank();
          // A random and B zero: training starts from the base itself.
          store.declare(
              LoraAdapter.downName(module.name()),
              Initializer.fanIn(module.inputs()),
              rank,
              module.inputs());
          store.declare(
              LoraAdapter.upName(module.name()), Initializer.zeros(), module.outputs(), rank);
        }
      }
      if (modules.isEmpty()) {
        throw new TrainingException(
            "no linear layer is named '%s'; adapter.targets takes q_proj, k_proj, v_proj, out_proj,"
                    .formatted(recipe.adapter().targets())
                + " fc1, fc2, enc_to_dec_proj and lm_heads.0");
      }
      return store.build();
    }

    private Piece piece(int recording) {
      int channels = decoder.config().channels() * model.codec().channels();
      Pcm sound = dataset.read(recording);
      sound = channels == 1 ? sound.mono() : sound.withChannels(channels);
      sound = sound.resampled(model.sampleRate());
      List<Tensor> parts = new ArrayList<>();
      int most = ENCODE_SECONDS * model.sampleRate();
      for (int from = 0; from < sound.frames(); from += most) {
        try (Scope inner = Scope.open()) {
          Pcm part = sound.slice(from, Math.min(sound.frames(), from + most));
          List<Tensor> lines = new ArrayList<>();
          for (float[] channel : part.channels()) {
            lines.add(Tensor.of(channel, channel.length));
          }
          parts.add(inner.keep(model.codesOf(Tensor.stack(lines, 0).unsqueeze(0)).select(0, 0)));
        }
      }
      List<String> words = new ArrayList<>();
      if (!dataset.text(recording).isBlank()) {
        words.add(dataset.text(recording).strip());
      }
      words.addAll(dataset.tags(recording));
      // The decoder may know fewer codes than the codec has.
      Tensor codes = Tensor.cat(parts, 1).clampMax(decoder.config().vocabulary() - 1.0);
      return new Piece(codes.to(DType.I64), String.join(", ", words));
    }

    private RunRecord steps(ParameterStore store, List<Piece> learned, List<Piece> measured) {
      LoraAdapter adapter = LoraAdapter.over(settings, modules, store::get);
      Schedule schedule =
          new Schedule(
              Schedule.Options.DEFAULT,
              recipe.learn().learningRate(),
              recipe.learn().warmup(),
              recipe.steps());
      var facts = new LinkedHashMap<String, Object>();
      AdamW.Options options =
          new AdamW.Options(
              MOMENTS.beta1(), MOMENTS.beta2(), MOMENTS.epsilon(), recipe.learn().weightDecay());
      try (AdamW optimizer = new AdamW(store, options);
          CheckpointWriter writer = new CheckpointWriter(checkpoints, folder::event)) {
        Optional<Checkpoints.Saved> saved = checkpoints.latest();
        long done = saved.map(s -> s.facts().step()).orElse(0L);
        if (saved.isPresent()) {
          restore(saved.get(), store, optimizer);
          progress.note("goes on after step " + done);
        } else {
          measure(0, adapter, measured, facts, ".start");
        }
        long began = System.nanoTime();
        for (long step = done + 1; step <= recipe.steps(); step++) {
          double rate = schedule.at(step);
          double loss = learn(step, adapter, learned);
          double norm = store.clipGradNorm(recipe.learn().clip());
          if (!Double.isFinite(loss) || !Double.isFinite(norm)) {
            throw new TrainingException(
                "step %d: the loss is %s and the gradient norm %s; lower learn.learningRate"
                    .formatted(step, loss, norm));
          }
          optimizer.step(rate);
          store.zeroGradients();
          if (step % recipe.logEvery() == 0 || step == recipe.steps()) {
            log(store, step, step - done, loss, rate, norm, (System.nanoTime() - began) / 1e9);
          }
          boolean stop = stopRequested && step < recipe.steps();
          if (stop || step % recipe.checkpoint().every() == 0 || step == recipe.steps()) {
            save(step, store, optimizer, writer);
          }
          if (stop) {
            writer.await();
            return ended(RunStatus.STOPPED, step, facts);
          }
        }
        writer.await();
        measure(recipe.steps(), adapter, measured, facts, ".end");
        facts.put("adapter", ship(adapter, facts));
        return ended(RunStatus.FINISHED, recipe.steps(), facts);
      }
    }

    private RunRecord ended(RunStatus status, long step, Map<String, Object> facts) {
      RunRecord ended = record.with(status, Instant.now(), step, facts);
      folder.save(ended);
      progress.note("%s: %s after step %d".formatted(record.id(), status, step));
      return ended;
    }

    /** Forward and backward pass of a step's batch, which is a function of seed and step alone. */
    private double learn(long step, LoraAdapter adapter, List<Piece> pieces) {
      try (Scope scope = Scope.open()) {
        SplittableRandom random = Draws.of(recipe.seed(), STAGE, step);
        List<Tensor> codes = new ArrayList<>();
        List<String> texts = new ArrayList<>();
        for (int row = 0; row < recipe.batch(); row++) {
          Piece piece = pieces.get(random.nextInt(pieces.size()));
          long last = piece.codes.size(1) - recipe.learn().frames();
          codes.add(piece.codes.narrow(1, random.nextLong(last + 1), recipe.learn().frames()));
          texts.add(random.nextDouble() < recipe.learn().dropText() ? "" : piece.text);
        }
        Tensor loss = loss(adapter, Tensor.stack(codes, 0), texts);
        loss.backward();
        return loss.item();
      }
    }

    private Tensor loss(LoraAdapter adapter, Tensor codes, List<String> texts) {
      MusicGenDecoder.Columns columns = decoder.columns(codes);
      try (MusicGenDecoder.Adapted on = decoder.with(adapter);
          Autocast cast = Autocast.open(precision)) {
        return MusicGenDecoder.loss(decoder.logits(columns.inputs(), text(texts)), columns);
      }
    }

    /** Texts as the decoder sees them; an empty one is nothing at all, as guidance has it. */
    private Text text(List<String> texts) {
      if (tokens == null || texts.stream().allMatch(String::isEmpty)) {
        return model.nothing(texts.size());
      }
      TextTokens.Batch batch = tokens.batch(texts);
      long width = batch.mask().size(1);
      List<Tensor> rows = new ArrayList<>();
      for (int i = 0; i < texts.size(); i++) {
        Tensor row = batch.mask().select(0, i);
        rows.add(texts.get(i).isEmpty() ? Tensor.zeros(DType.I64, width) : row);
      }
      Tensor encoded = model.textEncoder().encode(batch.ids(), batch.mask());
      return decoder.text(encoded, Tensor.stack(rows, 0), false);
    }

    /** Mean loss over evenly spread excerpts of what is not learned from. */
    private void measure(
        long step,
        LoraAdapter adapter,
        List<Piece> pieces,
        Map<String, Object> facts,
        String when) {
      if (pieces.isEmpty()) {
        return;
      }
      double sum = 0;
      int count = 0;
      for (Piece piece : pieces) {
        long last = piece.codes.size(1) - recipe.learn().frames();
        for (int i = 0; i < HELD_OUT_EXCERPTS; i++) {
          try (NoGrad noGrad = NoGrad.open();
              Scope scope = Scope.open()) {
            long from = last * i / (HELD_OUT_EXCERPTS - 1);
            Tensor codes = piece.codes.narrow(1, from, recipe.learn().frames()).unsqueeze(0);
            sum += loss(adapter, codes, List.of(piece.text)).item();
            count++;
          }
        }
      }
      facts.put(HELD_OUT_LOSS + when, sum / count);
      folder.log(new MetricLine(STAGE, step, Map.of(HELD_OUT_LOSS, sum / count)));
      progress.note("held-out loss %.4f at step %d".formatted(sum / count, step));
    }

    /**
     * Operations of the linear layers for one column of codes: forward and to the inputs through
     * the base, whose own weights learn nothing, and all three passes through the adapter.
     */
    private double flopsPerColumn(ParameterStore store) {
      double base = 0;
      for (MusicGenDecoder.Module module : decoder.modules()) {
        base += (double) module.inputs() * module.outputs();
      }
      return 4 * base + 6.0 * store.count();
    }

    private void log(
        ParameterStore store,
        long step,
        long stepsNow,
        double loss,
        double rate,
        double norm,
        double seconds) {
      double audio =
          stepsNow * recipe.batch() * recipe.learn().frames() / model.codec().frameRate();
      double codes = stepsNow * (double) recipe.batch() * recipe.learn().frames();
      double flops = codes * flopsPerColumn(store);
      double peak =
          record.facts().get(Trainer.MATMUL_PEAK) instanceof Number n ? n.doubleValue() : 0;
      folder.log(
          new MetricLine(
              STAGE, step, Map.of("loss", loss, "learningRate", rate, "gradientNorm", norm)));
      progress.step(
          new Progress.Line(
              STAGE,
              step,
              recipe.steps(),
              loss,
              rate,
              norm,
              audio / seconds,
              codes * decoder.config().codebooks() / seconds,
              flops / seconds,
              peak > 0 ? flops / seconds / peak : 0,
              0,
              Meter.residentBytes(),
              Duration.ofMillis(Math.round((recipe.steps() - step) * 1e3 * seconds / stepsNow))));
    }

    private void save(long step, ParameterStore store, AdamW optimizer, CheckpointWriter writer) {
      try (Scope scope = Scope.open()) {
        var weights = new TreeMap<String, Tensor>();
        store.saveTo("", weights);
        var state = new TreeMap<String, Tensor>();
        optimizer.saveTo("adamw.", state);
        writer.submit(
            new Checkpoints.Content(
                step, STAGE, weights, metadata(), state, Map.of(), checkpointCard()));
      }
    }

    private void restore(Checkpoints.Saved saved, ParameterStore store, AdamW optimizer) {
      try (Safetensors weights = Safetensors.open(saved.path().resolve(Checkpoints.MODEL));
          Safetensors state = Safetensors.open(saved.path().resolve(Checkpoints.STATE))) {
        store.restoreFrom("", weights);
        optimizer.restoreFrom("adamw.", state);
      }
    }

    /** Facts that are functions of the run alone. */
    private Map<String, String> metadata() {
      return Map.of(
          "recipeHash",
          record.recipeHash(),
          "datasetRoot",
          record.datasetRoot(),
          "base",
          settings.base(),
          BASE_HASH,
          String.valueOf(record.facts().get(BASE_HASH)));
    }

    private String checkpointCard() {
      Map<String, Object> card = new TreeMap<>(metadata());
      card.put("rights", NO_MANIFEST);
      return new JsonMapper().writerWithDefaultPrettyPrinter().writeValueAsString(card) + "\n";
    }

    private String ship(LoraAdapter adapter, Map<String, Object> facts) {
      Path target = adapterFolder(path);
      adapter.save(target, metadata());
      try {
        Path aside = target.resolve("README.md.tmp");
        Files.writeString(aside, card(facts));
        Files.move(
            aside,
            target.resolve("README.md"),
            StandardCopyOption.ATOMIC_MOVE,
            StandardCopyOption.REPLACE_EXISTING);
      } catch (IOException e) {
        throw new TrainingException("cannot write %s: %s".formatted(target, e.getMessage()), e);
      }
      return target.toString();
    }

    /** The card, as the Hub shows one. */
    private String card(Map<String, Object> facts) {
      var text = new StringBuilder();
      text.append("---\nlibrary_name: peft\nbase_model: ")
          .append(settings.base())
          .append("\ntags:\n- lora\n- musicgen\n---\n\n# ")
          .append(record.id())
          .append("\n\nA low-rank adapter (LoRA) of ")
          .append(settings.base())
          .append(", base SHA-256 `")
          .append(record.facts().get(BASE_HASH))
          .append("`, recipe `")
          .append(record.recipeHash())
          .append("`.\n\n## Rights\n\n")
          .append(NO_MANIFEST)
          .append("\n\n")
          .append("The adapter itself was trained on dataset ")
          .append(record.dataset())
          .append(" with root `")
          .append(record.datasetRoot())
          .append("`, whose recordings were cleared for training:\n\n");
      List<Integer> heldOut = dataset.heldOut(recipe.heldOut());
      for (int i = 0; i < dataset.size(); i++) {
        text.append("- ")
            .append(dataset.isrc(i))
            .append(", ")
            .append(dataset.artist(i))
            .append(dataset.title(i).isBlank() ? "" : ": " + dataset.title(i))
            .append(heldOut.contains(i) ? " (held out)" : "")
            .append('\n');
      }
      if (!facts.isEmpty()) {
        text.append("\n## Measured\n\n");
        facts.forEach((name, value) ->
            text.append("- ").append(name).append(": ").append(value).append('\n'));
      }
      return text.toString();
    }
  }
}
