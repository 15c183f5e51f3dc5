package org.descant.training.stage;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.descant.audio.MusicAnnotations;
import org.descant.audio.Pcm;
import org.descant.models.codec.CodecLatents;
import org.descant.models.codec.MagnitudeCodec;
import org.descant.models.condition.FrameConditions;
import org.descant.models.condition.GlobalConditions;
import org.descant.shards.FieldFile;
import org.descant.shards.FieldSpec;
import org.descant.shards.FieldType;
import org.descant.shards.FieldWriter;
import org.descant.training.Basis;
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
 * <p>All of it lies in fields beside the dataset's sound, whose names follow from the codec's
 * weights, the copies, the code and the kind of machine: a run that needs the same finds it there
 * and codes nothing, and one that was cut off while coding goes on with the next recording.
 */
public final class TokenStage {
  public static final String NAME = "tokens";

  /** Hex digits of a hash that processes compare: whole numbers whose sums stay exact. */
  private static final int COMPARED_DIGITS = 10;

  /** STFT frames in a row of features. */
  private static final int SPECTRA = 2;

  /** Two minutes: the rows of a longer recording would fill the heap. A multiple of a frame. */
  private static final int PART_SAMPLES = 5168 * 1024;

  /** Playback rates are rounded to this, 0.2 %, so that the resampler's table stays small. */
  private static final int RATE_STEP = 100;

  private final Setting setting;
  private final MagnitudeCodec codec;
  private final Path workplace;

  public TokenStage(Setting setting, MagnitudeCodec codec) {
    this.setting = setting;
    this.codec = codec;
    this.workplace = setting.path().resolve(NAME);
  }

  /** A part of a copy to code: samples {@code from} to {@code to} of the recording. */
  private record Job(int recording, Copy copy, int from, int to, boolean lastOfRecording) {}

  /** The codec's view of a part, made ahead. */
  private record Rows(Job job, float[] rows) {}

  /**
   * The fields that a run needs: codes of every copy, one copy after the other; latents of the same
   * copies or of the first; and what the estimators hear in a recording without annotations, as
   * JAMS.
   */
  private record Needed(FieldSpec heard, FieldSpec latents, FieldSpec codes) {
    List<FieldSpec> all() {
      return List.of(heard, latents, codes);
    }
  }

  private Needed needed() {
    String basis = Basis.text();
    long compared = Long.parseLong(new Sha256().add(basis).hex().substring(0, COMPARED_DIGITS), 16);
    if (!setting.replicas().agree(compared)) {
      // Machines of several kinds: what they make together is this run's own.
      basis = "several kinds of machines, run " + setting.path().toAbsolutePath();
    }
    var copies = new Sha256();
    for (int recording = 0; recording < setting.dataset().size(); recording++) {
      copies.add(setting.dataset().isrc(recording)).add(copies(recording).toString());
    }
    String coder =
        "codec %s on %s\n%s"
            .formatted(Sha256.of(codec), codec.parameters().values().device(), basis);
    String copied = "copies %s\n%s".formatted(copies.hex(), coder);
    return new Needed(
        new FieldSpec("heard", FieldType.TEXT, 1, basis),
        new FieldSpec(
            "latents",
            FieldType.F32,
            codec.config().latent(),
            setting.recipe().flow() == null ? coder : copied),
        new FieldSpec("codes", FieldType.U16, codec.config().codebooks(), copied));
  }

  /**
   * Codes everything that is not coded yet; {@code null} when a stop was asked for.
   *
   * @param again whether to code even so, and compare
   */
  public @Nullable Tokens code(boolean again) {
    setting.withdrawals().refresh(setting.replicas());
    Needed needed = needed();
    if (setting
        .replicas()
        .any(again || !needed.all().stream().allMatch(setting.dataset()::hasField))) {
      boolean stopped = !code(needed);
      if (setting.replicas().meet(NAME, stopped)) {
        return null;
      }
      if (setting.replicas().leads()) {
        needed.all().stream().map(this::writer).forEach(FieldWriter::finish);
      }
      setting.replicas().meet(NAME + " joined", false);
    } else {
      setting.progress().note("tokens the same codec has coded the same copies before");
    }
    return load(needed);
  }

  private FieldWriter writer(FieldSpec spec) {
    return new FieldWriter(setting.dataset(), spec, workplace);
  }

  /** Codes this process's share of what is not there; false when a stop was asked for. */
  private boolean code(Needed needed) {
    var jobs = new ArrayList<Job>();
    for (int recording = 0; recording < setting.dataset().size(); recording++) {
      boolean own = recording % setting.replicas().count() == setting.replicas().rank();
      int one = recording;
      if (own
          && !setting.withdrawals().withdrawn(recording)
          && !needed.all().stream().allMatch(spec -> writer(spec).has(one))) {
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
    return jobs.isEmpty() || code(jobs, needed);
  }

  /** The copies of a recording that are coded. */
  public List<Copy> copies(int recording) {
    List<Copy> all =
        Copy.of(
            setting.recipe().augment(), setting.recipe().seed(), setting.dataset().isrc(recording));
    return setting.heldOut().contains(recording) ? all.subList(0, 1) : all;
  }

  private boolean code(List<Job> jobs, Needed needed) {
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
      var allCodes = new ArrayList<int[][]>();
      var allLatents = new ArrayList<float[]>();
      for (int n = 1; n <= jobs.size(); n++) {
        Rows rows = data.take(n);
        Job job = rows.job();
        int[][] codes = codec.encodeFeatures(rows.rows());
        allCodes.add(codes);
        if (keepsLatents(job.copy())) {
          allLatents.add(codec.encodeFeatureLatents(rows.rows()));
        }
        if (job.lastOfRecording()) {
          writer(needed.heard()).put(job.recording(), heard(job.recording()));
          writer(needed.latents()).put(job.recording(), joined(allLatents));
          writer(needed.codes()).put(job.recording(), Codes.rows(allCodes));
          allCodes.clear();
          allLatents.clear();
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

  private static float[] joined(List<float[]> parts) {
    float[] all = new float[parts.stream().mapToInt(part -> part.length).sum()];
    int at = 0;
    for (float[] part : parts) {
      System.arraycopy(part, 0, all, at, part.length);
      at += part.length;
    }
    return all;
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

  /** Everything that is coded. */
  private Tokens load(Needed needed) {
    FieldFile codes = setting.dataset().field(needed.codes());
    FieldFile latents = setting.dataset().field(needed.latents());
    var trained = new ArrayList<Tokens.Coded>();
    var heldOut = new ArrayList<Tokens.Coded>();
    var styles = new ArrayList<Latents>();
    try (FieldFile heard = setting.dataset().field(needed.heard())) {
      for (int recording = 0; recording < setting.dataset().size(); recording++) {
        List<Tokens.Coded> list = setting.heldOut().contains(recording) ? heldOut : trained;
        if (setting.withdrawals().withdrawn(recording)) {
          for (Copy copy : copies(recording)) {
            list.add(blank(recording, copy));
          }
          styles.add(new Latents.Held(silence(1)));
        } else {
          list.addAll(coded(recording, codes, latents, heard.text(recording)));
          styles.add(
              new Latents.Mapped(
                  latents, recording, 0, frames(recording, copies(recording).getFirst())));
        }
      }
    } catch (RuntimeException e) {
      codes.close();
      latents.close();
      throw e;
    }
    return new Tokens(trained, heldOut, styles, List.of(codes, latents));
  }

  /** The copies of a recording as they lie in the fields, one after the other. */
  private List<Tokens.Coded> coded(
      int recording, FieldFile codes, FieldFile latents, String heard) {
    Music music =
        Music.of(
            setting.dataset(),
            recording,
            heard.isEmpty() ? null : MusicAnnotations.fromJams(heard),
            setting.recipe().melody());
    var all = new ArrayList<Tokens.Coded>();
    long first = 0;
    for (Copy copy : copies(recording)) {
      int frames = frames(recording, copy);
      all.add(
          new Tokens.Coded(
              recording,
              copy,
              new Codes.Mapped(codes, recording, first, frames, setting.recipe().codebooks()),
              music.frames(copy, codec.frameRate(), frames),
              music.global(copy),
              setting.recipe().flow() == null
                  ? null
                  : new Latents.Mapped(latents, recording, first, frames)));
      first += frames;
    }
    if (codes.rows(recording) != first) {
      throw new TrainingException(
          "field '%s' has %d frames of recording %s, the run needs %d; remove the field's file"
              .formatted(
                  codes.spec().name(),
                  codes.rows(recording),
                  setting.dataset().isrc(recording),
                  first));
    }
    return all;
  }

  private CodecLatents silence(int frames) {
    int size = codec.config().latent();
    return new CodecLatents(new float[frames * size], size);
  }

  /** In the place of a withdrawn recording's copy: as long, and nothing in it. Never learned. */
  private Tokens.Coded blank(int recording, Copy copy) {
    int frames = frames(recording, copy);
    return new Tokens.Coded(
        recording,
        copy,
        new Codes.Held(new int[setting.recipe().codebooks()][frames]),
        FrameConditions.from(codec.frameRate(), List.of(), List.of(), List.of(), new int[frames]),
        GlobalConditions.NONE,
        setting.recipe().flow() == null ? null : new Latents.Held(silence(frames)));
  }
}
