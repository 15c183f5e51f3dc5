package org.descant.training.stage;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.descant.audio.MusicAnnotations;
import org.descant.audio.Pcm;
import org.descant.models.codec.CodecLatents;
import org.descant.models.codec.MagnitudeCodec;
import org.descant.models.condition.FrameConditions;
import org.descant.models.condition.GlobalConditions;
import org.descant.tensor.DType;
import org.descant.tensor.Safetensors;
import org.descant.tensor.SafetensorsWriter;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.descant.tensor.TensorException;
import org.descant.training.TrainingException;
import org.descant.training.loop.Learner;
import org.descant.training.loop.Meter;
import org.descant.training.loop.Prefetch;
import org.jspecify.annotations.Nullable;

/**
 * Stage two: every trained recording in its copies, and every held-out one as it is, goes through
 * the codec.
 *
 * <p>A flow model learns from the latents that the codes are made from, so they are kept too.
 *
 * <p>The codes of a recording are kept in {@code tokens/<ISRC>.safetensors} of the run folder, so a
 * run that was cut off here or later does not code it again. They are functions of the run: coding
 * again would give the same.
 */
public final class TokenStage {
  public static final String NAME = "tokens";
  private static final String LATENTS = "latents";
  private static final String HEARD = "heard";
  private static final String MADE_BY = "madeBy";

  /** STFT frames in a row of features. */
  private static final int SPECTRA = 2;

  /** Two minutes: the rows of a longer recording would fill the heap. A multiple of a frame. */
  private static final int PART_SAMPLES = 5168 * 1024;

  /** Playback rates are rounded to this, 0.2 %, so that the resampler's table stays small. */
  private static final int RATE_STEP = 100;

  private final Setting setting;
  private final MagnitudeCodec codec;
  private final Path folder;

  public TokenStage(Setting setting, MagnitudeCodec codec) {
    this.setting = setting;
    this.codec = codec;
    this.folder = setting.path().resolve("tokens");
  }

  /** A part of a copy to code: samples {@code from} to {@code to} of the recording. */
  private record Job(int recording, Copy copy, int from, int to, boolean lastOfRecording) {}

  /** The codec's view of a part, made ahead. */
  private record Rows(Job job, float[] rows) {}

  /** Codes everything that is not coded yet; {@code null} when a stop was asked for. */
  public @Nullable Tokens code() {
    setting.withdrawals().refresh(setting.replicas());
    var jobs = new ArrayList<Job>();
    for (int recording = 0; recording < setting.dataset().size(); recording++) {
      boolean own = recording % setting.replicas().count() == setting.replicas().rank();
      if (own && !setting.withdrawals().withdrawn(recording) && !isCoded(recording)) {
        int frames = setting.dataset().frames(recording);
        List<Copy> copies = copies(recording);
        for (Copy copy : copies) {
          for (int from = 0; from < frames; from += PART_SAMPLES) {
            int to = Math.min(frames, from + PART_SAMPLES);
            boolean last = to == frames && copy == copies.getLast();
            jobs.add(new Job(recording, copy, from, to, last));
          }
        }
      }
    }
    boolean stopped = !jobs.isEmpty() && !code(jobs);
    return setting.replicas().meet(NAME, stopped) ? null : load();
  }

  /** The copies of a recording that are coded. */
  public List<Copy> copies(int recording) {
    List<Copy> all =
        Copy.of(
            setting.recipe().augment(), setting.recipe().seed(), setting.dataset().isrc(recording));
    return setting.heldOut().contains(recording) ? all.subList(0, 1) : all;
  }

  private boolean code(List<Job> jobs) {
    try {
      Files.createDirectories(folder);
    } catch (IOException e) {
      throw new TrainingException("cannot make " + folder + ": " + e.getMessage(), e);
    }
    var meter =
        new Meter(
            NAME,
            setting.recipe().codecSteps() + 1,
            jobs.size(),
            setting.recipe().logEvery(),
            0,
            setting.replicas().leads() ? setting.log() : line -> {},
            setting.progress());
    try (var data = new Prefetch<>(NAME, n -> rows(jobs.get((int) n - 1)), 1, jobs.size())) {
      var codesByCopy = new LinkedHashMap<String, List<int[][]>>();
      var latents = new LinkedHashMap<String, List<float[]>>();
      for (int n = 1; n <= jobs.size(); n++) {
        Rows rows = data.take(n);
        Job job = rows.job();
        int[][] codes = codec.encodeFeatures(rows.rows());
        codesByCopy.computeIfAbsent(key(job.copy()), key -> new ArrayList<>()).add(codes);
        if (keepsLatents(job.copy())) {
          latents
              .computeIfAbsent(latentsKey(job.copy()), key -> new ArrayList<>())
              .add(codec.encodeFeatureLatents(rows.rows()));
        }
        if (job.lastOfRecording()) {
          write(job.recording(), codesByCopy, latents);
          codesByCopy.clear();
          latents.clear();
        }
        double seconds = (double) codes[0].length * codec.samplesPerFrame() / codec.sampleRate();
        meter.step(
            setting.recipe().codecSteps() + n,
            Map.of(),
            0,
            0,
            new Learner.Work(seconds, (long) codes.length * codes[0].length, 0),
            data);
        if (setting.isStopped()) {
          return false;
        }
      }
    }
    return true;
  }

  /** Styles come from the recordings as they are; only a flow model learns from copies' latents. */
  private boolean keepsLatents(Copy copy) {
    return copy.number() == 0 || setting.recipe().flow() != null;
  }

  private void write(
      int recording,
      Map<String, List<int[][]>> codesByCopy,
      Map<String, List<float[]>> latentsByCopy) {
    try (Scope scope = Scope.open()) {
      var tensors = new LinkedHashMap<String, Tensor>();
      codesByCopy.forEach((key, parts) -> tensors.put(key, tensor(parts)));
      int size = codec.config().latent();
      latentsByCopy.forEach((key, parts) ->
          tensors.put(
              key,
              Tensor.cat(
                  parts.stream().map(part -> Tensor.of(part, part.length / size, size)).toList(),
                  0)));
      SafetensorsWriter.write(
          file(recording), tensors, Map.of(MADE_BY, madeBy(), HEARD, heard(recording)));
    }
  }

  /** What the estimators hear in a recording without annotations, as JAMS; else empty. */
  private String heard(int recording) {
    if (setting.dataset().annotations(recording).isPresent()) {
      return "";
    }
    MusicAnnotations heard = Music.heard(setting.dataset().read(recording));
    return heard == null ? "" : heard.toJams();
  }

  private Rows rows(Job job) {
    Pcm part = setting.dataset().read(job.recording(), job.from(), job.to() - job.from());
    return new Rows(job, features(codec, part, job.copy()));
  }

  /** What the codec sees of a copy. Pure Java, safe in any thread. */
  public static float[] features(MagnitudeCodec codec, Pcm sound, Copy copy) {
    float[] rows = codec.features(played(sound, copy).channels());
    if (copy.number() == 0) {
      return rows;
    }
    int bins = (codec.featureSize() - 2 * codec.config().stereoBands()) / SPECTRA;
    double speed = copy.tempo() * sound.sampleRate() / playedRate(sound.sampleRate(), copy);
    return Stretch.faster(rows, codec.featureSize(), SPECTRA, bins, speed);
  }

  /** Frames that the codes of a copy have, without coding it. */
  public int frames(int recording, Copy copy) {
    int samples = setting.dataset().frames(recording);
    int rate = setting.dataset().entry(recording).rate();
    int frames = 0;
    for (int from = 0; from < samples; from += PART_SAMPLES) {
      long part = Math.min(samples - from, PART_SAMPLES);
      int played = copy.semitones() == 0 ? rate : playedRate(rate, copy);
      int rows =
          Math.toIntExact(Math.ceilDiv(Math.ceilDiv(part * rate, played), codec.samplesPerFrame()));
      frames +=
          copy.number() == 0
              ? rows
              : Stretch.length(rows, copy.tempo() * rate / playedRate(rate, copy));
    }
    return frames;
  }

  /** The rate at which a copy's samples are played to move its pitch. */
  private static int playedRate(int sampleRate, Copy copy) {
    return (int) Math.round(sampleRate * copy.pitchFactor() / RATE_STEP) * RATE_STEP;
  }

  private static Pcm played(Pcm sound, Copy copy) {
    return copy.semitones() == 0
        ? sound
        : new Pcm(sound.channels(), playedRate(sound.sampleRate(), copy))
            .resampled(sound.sampleRate());
  }

  // ---------------------------------------------------------------- files

  private Path file(int recording) {
    return folder.resolve(setting.dataset().isrc(recording) + ".safetensors");
  }

  private static String key(Copy copy) {
    return "copy.%04d".formatted(copy.number());
  }

  private static String latentsKey(Copy copy) {
    return copy.number() == 0 ? LATENTS : LATENTS + ".%04d".formatted(copy.number());
  }

  /** Names all that the codes depend on. */
  private String madeBy() {
    return setting.recipeHash() + " " + setting.dataset().manifest().root();
  }

  private boolean isCoded(int recording) {
    if (!Files.exists(file(recording))) {
      return false;
    }
    try (Safetensors saved = Safetensors.open(file(recording))) {
      return madeBy().equals(saved.metadata().get(MADE_BY));
    } catch (TensorException e) {
      return false;
    }
  }

  private static Tensor tensor(List<int[][]> parts) {
    return Tensor.cat(
            parts.stream()
                .map(part ->
                    Tensor.stack(
                        Arrays.stream(part).map(book -> Tensor.of(book, book.length)).toList(), 0))
                .toList(),
            1)
        .to(DType.I32);
  }

  /** Everything that is coded. */
  public Tokens load() {
    var trained = new ArrayList<Tokens.Coded>();
    var heldOut = new ArrayList<Tokens.Coded>();
    var styles = new ArrayList<CodecLatents>();
    for (int recording = 0; recording < setting.dataset().size(); recording++) {
      if (setting.withdrawals().withdrawn(recording)) {
        List<Tokens.Coded> list = setting.heldOut().contains(recording) ? heldOut : trained;
        for (Copy copy : copies(recording)) {
          list.add(blank(recording, copy));
        }
        styles.add(new CodecLatents(new float[codec.config().latent()], codec.config().latent()));
        continue;
      }
      try (Safetensors saved = Safetensors.open(file(recording));
          Scope scope = Scope.open()) {
        String heard = saved.metadata().getOrDefault(HEARD, "");
        Music music =
            Music.of(
                setting.dataset(),
                recording,
                heard.isEmpty() ? null : MusicAnnotations.fromJams(heard),
                setting.recipe().melody());
        styles.add(latents(saved, LATENTS));
        for (Copy copy : copies(recording)) {
          int[][] codes = codes(saved, key(copy));
          (setting.heldOut().contains(recording) ? heldOut : trained)
              .add(
                  new Tokens.Coded(
                      recording,
                      copy,
                      codes,
                      music.frames(copy, codec.frameRate(), codes[0].length),
                      music.global(copy),
                      setting.recipe().flow() == null ? null : latents(saved, latentsKey(copy))));
        }
      }
    }
    return new Tokens(trained, heldOut, styles);
  }

  /** In the place of a withdrawn recording's copy: as long, and nothing in it. Never learned. */
  private Tokens.Coded blank(int recording, Copy copy) {
    int frames = frames(recording, copy);
    return new Tokens.Coded(
        recording,
        copy,
        new int[setting.recipe().codebooks()][frames],
        FrameConditions.from(codec.frameRate(), List.of(), List.of(), List.of(), new int[frames]),
        GlobalConditions.NONE,
        setting.recipe().flow() == null
            ? null
            : new CodecLatents(
                new float[frames * codec.config().latent()], codec.config().latent()));
  }

  private CodecLatents latents(Safetensors saved, String name) {
    return new CodecLatents(saved.tensor(name).toFloats(), codec.config().latent());
  }

  /** The codes that the language model sees: its first codebooks. */
  private int[][] codes(Safetensors saved, String name) {
    int[] flat = saved.tensor(name).toInts();
    int frames = (int) saved.shape(name)[1];
    int[][] codes = new int[setting.recipe().codebooks()][];
    for (int k = 0; k < codes.length; k++) {
      codes[k] = Arrays.copyOfRange(flat, k * frames, (k + 1) * frames);
    }
    return codes;
  }
}
