package org.descant.bench;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.descant.audio.Pcm;
import org.descant.models.codec.ConvolutionalCodec;
import org.descant.models.codec.ConvolutionalCodecConfig;
import org.descant.models.codec.WaveformLoss;
import org.descant.shards.Dataset;
import org.descant.shards.Draws;
import org.descant.tensor.AdamW;
import org.descant.tensor.Safetensors;
import org.descant.tensor.SafetensorsWriter;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.descant.training.loop.Schedule;
import org.descant.training.stage.Order;
import org.descant.training.stage.Windows;

/**
 * Trains a {@link ConvolutionalCodec} for so much processor time: excerpts and gains are drawn as
 * the house codec's stage draws them, the optimiser is AdamW with the paper's betas.
 *
 * <p>How many steps the time allows is measured before the first one, on the first batch, and is
 * part of the budget; from then on the run is a function of the settings, the sounds and that
 * number. It is kept in the checkpoint beside the settings, so a run that was cut goes on to the
 * same bits.
 */
final class CodecPeerTraining {
  private static final String CHECKPOINT = "training.safetensors";
  private static final String MODEL = "model";
  private static final String WEIGHTS = "codec.";
  private static final String MOMENTS = "adamw.";
  private static final String PURPOSE = "codec peer";

  private static final int TRIAL_STEPS = 4;
  private static final int WARM_UP_STEPS = 20;
  private static final double GRADIENT_NORM_MAX = 1000;
  private static final AdamW.Options ADAMW = new AdamW.Options(0.8, 0.99, 1e-8, 0.01);
  private static final double CHECKPOINT_CPU_SECONDS = 60;
  private static final double LINE_CPU_SECONDS = 10;

  private static final OperatingSystemMXBean SYSTEM =
      (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

  /**
   * What is trained, and how.
   *
   * @param steps 0: as many as the budget allows
   * @param budgetSeconds processor time of the whole process
   * @param batch excerpts in a step
   * @param frames of codes in an excerpt
   * @param gainDb excerpts are made louder or quieter by up to so much
   */
  record Settings(
      ConvolutionalCodecConfig model,
      long steps,
      double budgetSeconds,
      int batch,
      int frames,
      double learningRate,
      double gainDb,
      long seed) {}

  /** Where excerpts come from. */
  record Sounds(List<String> names, List<Integer> lengths, Reader reader) {
    /** Reads a stretch of one of them. */
    interface Reader {
      Pcm read(int sound, int from, int length);
    }

    static Sounds of(Dataset dataset, List<Integer> recordings) {
      return new Sounds(
          recordings.stream().map(dataset::isrc).toList(),
          recordings.stream().map(dataset::frames).toList(),
          (sound, from, length) -> dataset.read(recordings.get(sound), from, length));
    }
  }

  /**
   * What a training was.
   *
   * @param folder of the trained model, in the published form
   * @param done whether the last step was reached
   * @param cpuSeconds of the whole process from the first trial on, those before a cut included
   */
  record Trained(
      Path folder,
      boolean done,
      long parameters,
      long step,
      long steps,
      double cpuSeconds,
      double cpuSecondsPerStep,
      double loss,
      double mel) {}

  private final Settings settings;
  private final Sounds sounds;
  private final Path folder;
  private final Consumer<String> progress;
  private final Order order;
  private final Windows windows;

  CodecPeerTraining(Settings settings, Sounds sounds, Path folder, Consumer<String> progress) {
    this.settings = settings;
    this.sounds = sounds;
    this.folder = folder;
    this.progress = progress;
    this.order =
        new Order(
            PURPOSE,
            settings.seed,
            PURPOSE,
            settings.frames * settings.model.samplesPerFrame(),
            settings.batch,
            0,
            settings.steps,
            sounds.names,
            sounds.lengths);
    this.windows = order.windows();
  }

  /** Trains to the end, or until {@code stop} says so after a step; goes on from a checkpoint. */
  Trained run(BooleanSupplier stop) {
    try (ConvolutionalCodec codec = ConvolutionalCodec.create(settings.model, settings.seed);
        WaveformLoss loss = new WaveformLoss(settings.model.sampleRate())) {
      Files.createDirectories(folder);
      return new Run(codec, loss).run(stop);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot make the folder " + folder, e);
    }
  }

  /** The waveforms of a step, [batch, 1, samples]; a sound that is too short ends in silence. */
  private Tensor batch(long step) {
    int length = order.length();
    float[] all = new float[settings.batch * length];
    List<Windows.Window> excerpts = Order.excerpts(windows, order, step);
    for (int i = 0; i < settings.batch; i++) {
      Windows.Window excerpt = excerpts.get(i);
      int available = Math.min(length, sounds.lengths.get(excerpt.source()) - excerpt.from());
      Pcm pcm = sounds.reader.read(excerpt.source(), excerpt.from(), available).mono();
      double draw =
          Draws.of(settings.seed, PURPOSE + " gain", (step - 1) * settings.batch + i).nextDouble();
      float gain = (float) StrictMath.pow(10, (2 * draw - 1) * settings.gainDb / 20);
      for (int n = 0; n < available; n++) {
        all[i * length + n] = gain * pcm.channel(0)[n];
      }
    }
    return Tensor.of(all, settings.batch, 1, length);
  }

  private static double cpuSeconds() {
    return SYSTEM.getProcessCpuTime() / 1e9;
  }

  private final class Run {
    private final ConvolutionalCodec codec;
    private final WaveformLoss loss;
    private final double began = cpuSeconds();
    private double before;
    private long step;
    private long steps = settings.steps;
    private double lastLoss;
    private double lastMel;

    Run(ConvolutionalCodec codec, WaveformLoss loss) {
      this.codec = codec;
      this.loss = loss;
    }

    private double spent() {
      return before + cpuSeconds() - began;
    }

    Trained run(BooleanSupplier stop) {
      Path checkpoint = folder.resolve(CHECKPOINT);
      if (steps == 0 && !Files.exists(checkpoint)) {
        steps = affordable();
      }
      try (AdamW optimizer = new AdamW(codec.parameters(), ADAMW)) {
        if (Files.exists(checkpoint)) {
          restore(checkpoint, optimizer);
        }
        Schedule schedule =
            new Schedule(
                Schedule.Options.DEFAULT,
                settings.learningRate,
                (int) Math.min(WARM_UP_STEPS, Math.max(1, steps / 4)),
                steps);
        double start = spent();
        long first = step;
        double nextLine = start;
        double nextCheckpoint = start + CHECKPOINT_CPU_SECONDS;
        boolean asked = false;
        while (step < steps && !asked) {
          step++;
          learn(optimizer, schedule.at(step));
          if (spent() >= nextLine || step == steps) {
            progress.accept(line((spent() - start) / (step - first)));
            nextLine = spent() + LINE_CPU_SECONDS;
          }
          if (spent() >= nextCheckpoint && step < steps) {
            save(checkpoint, optimizer);
            nextCheckpoint = spent() + CHECKPOINT_CPU_SECONDS;
          }
          asked = stop.getAsBoolean();
        }
        double each = step == first ? before / step : (spent() - start) / (step - first);
        Trained trained =
            new Trained(
                folder.resolve(MODEL),
                step == steps,
                codec.parameters().count(),
                step,
                steps,
                spent(),
                each,
                lastLoss,
                lastMel);
        codec.save(trained.folder);
        save(checkpoint, optimizer);
        return trained;
      }
    }

    /** Steps that the budget allows, by the last of a few that are taken and forgotten. */
    private long affordable() {
      double cost = 0;
      try (AdamW optimizer = new AdamW(codec.parameters(), ADAMW)) {
        for (int trial = 1; trial <= TRIAL_STEPS; trial++) {
          double from = cpuSeconds();
          step = trial;
          learn(optimizer, 0);
          cost = cpuSeconds() - from;
        }
      }
      step = 0;
      codec.parameters().reset();
      long affordable = Math.max(1, (long) ((settings.budgetSeconds - spent()) / cost));
      progress.accept(
          String.format(
              Locale.ROOT,
              "a step takes %.2f s of processor time: %,d steps in the budget of %.0f s",
              cost,
              affordable,
              settings.budgetSeconds));
      return affordable;
    }

    private void learn(AdamW optimizer, double learningRate) {
      try (Scope scope = Scope.open()) {
        codec.parameters().zeroGradients();
        ConvolutionalCodec.Terms terms = codec.train(batch(step), loss, seed());
        terms.total().backward();
        double norm = codec.parameters().clipGradNorm(GRADIENT_NORM_MAX);
        if (Double.isFinite(norm)) {
          optimizer.step(learningRate);
        }
        lastLoss = terms.total().item();
        lastMel = terms.mel().item();
      }
    }

    private long seed() {
      return Draws.of(settings.seed, PURPOSE + " codebooks", step).nextLong();
    }

    private String line(double cpuSecondsPerStep) {
      double heard = (double) settings.batch * order.length() / settings.model.sampleRate();
      return String.format(
          Locale.ROOT,
          "step %,d of %,d, loss %.2f (mel %.3f), %.2f s a step, %.1f × real time, %.0f s left",
          step,
          steps,
          lastLoss,
          lastMel,
          cpuSecondsPerStep,
          heard / cpuSecondsPerStep,
          cpuSecondsPerStep * (steps - step));
    }

    private void save(Path checkpoint, AdamW optimizer) {
      Map<String, Tensor> tensors = new TreeMap<>();
      codec.parameters().saveTo(WEIGHTS, tensors);
      optimizer.saveTo(MOMENTS, tensors);
      SafetensorsWriter.write(
          checkpoint,
          tensors,
          Map.of(
              "settings", identity(),
              "step", Long.toString(step),
              "steps", Long.toString(steps),
              "cpuSeconds", Double.toString(spent()),
              "loss", Double.toString(lastLoss),
              "mel", Double.toString(lastMel)));
    }

    private void restore(Path checkpoint, AdamW optimizer) {
      try (Safetensors file = Safetensors.open(checkpoint)) {
        Map<String, String> kept = file.metadata();
        if (!identity().equals(kept.get("settings"))) {
          throw new IllegalArgumentException(
              "%s belongs to a training with other settings or sounds; name another folder"
                  .formatted(checkpoint));
        }
        codec.parameters().restoreFrom(WEIGHTS, file);
        optimizer.restoreFrom(MOMENTS, file);
        step = Long.parseLong(kept.getOrDefault("step", ""));
        steps = Long.parseLong(kept.getOrDefault("steps", ""));
        before = Double.parseDouble(kept.getOrDefault("cpuSeconds", ""));
        lastLoss = Double.parseDouble(kept.getOrDefault("loss", ""));
        lastMel = Double.parseDouble(kept.getOrDefault("mel", ""));
        progress.accept("goes on after step %,d of %,d".formatted(step, steps));
      }
    }

    private String identity() {
      return settings + " " + sounds.names + " " + sounds.lengths;
    }
  }
}
