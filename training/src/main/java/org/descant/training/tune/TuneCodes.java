package org.descant.training.tune;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.descant.audio.Pcm;
import org.descant.lab.MetricLine;
import org.descant.models.published.musicgen.MusicGen;
import org.descant.shards.Dataset;
import org.descant.tensor.DType;
import org.descant.tensor.Safetensors;
import org.descant.tensor.SafetensorsWriter;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.descant.tensor.TensorException;
import org.descant.training.Progress;
import org.descant.training.TrainingException;
import org.descant.training.loop.Learner;
import org.descant.training.loop.Meter;
import org.descant.training.loop.Prefetch;
import org.jspecify.annotations.Nullable;

/**
 * Recordings as the codes of a base model's codec, kept in {@code tokens/ISRC.safetensors} of the
 * run folder, so that a run that goes on does not code them again. Belongs to the training thread.
 */
final class TuneCodes {
  static final String NAME = "tokens";
  private static final String CODES = "codes";
  private static final String MADE_BY = "madeBy";

  /** A longer recording is coded part by part. */
  private static final int PART_SECONDS = 30;

  private final MusicGen model;
  private final Dataset dataset;
  private final Path folder;
  private final String madeBy;

  /**
   * A recording's codes and what is said of it.
   *
   * @param recording index in the dataset
   * @param codes [codebook][frame], below the decoder's vocabulary
   * @param text its description and tags, empty where it has none
   */
  record Piece(int recording, int[][] codes, String text) {
    int length() {
      return codes[0].length;
    }
  }

  /**
   * @param run its folder
   * @param base hash of the model whose codec it is
   */
  TuneCodes(MusicGen model, Dataset dataset, Path run, String base) {
    this.model = model;
    this.dataset = dataset;
    this.folder = run.resolve(NAME);
    this.madeBy = base + " " + dataset.manifest().root();
  }

  /** A recording as the codec takes it, made ahead. */
  private record Heard(int recording, Pcm sound) {}

  /**
   * Codes what is not coded yet.
   *
   * @param logEvery recordings between two lines
   * @param stop whether somebody asked the run to stop
   * @return in the order asked for; null when it was stopped before all were coded
   */
  @Nullable List<Piece> code(
      List<Integer> recordings,
      int logEvery,
      Consumer<MetricLine> log,
      Progress progress,
      BooleanSupplier stop) {
    try {
      Files.createDirectories(folder);
    } catch (IOException e) {
      throw new TrainingException("cannot make " + folder + ": " + e.getMessage(), e);
    }
    List<Integer> missing = recordings.stream().filter(r -> !isCoded(r)).toList();
    var meter = new Meter(NAME, 1, missing.size(), logEvery, 0, log, progress);
    try (var data = new Prefetch<>(NAME, n -> heard(missing.get((int) n - 1)), 1, missing.size())) {
      for (int n = 1; n <= missing.size(); n++) {
        Heard heard = data.take(n);
        long codes = write(heard);
        var work = new Learner.Work(heard.sound.seconds(), codes, 0);
        meter.step(n, Map.of(), 0, 0, work, data);
        if (stop.getAsBoolean()) {
          return null;
        }
      }
    }
    return recordings.stream().map(this::read).toList();
  }

  /** Codes the first seconds of a recording, as a plan does; nothing is written. */
  Piece sample(int recording, int seconds) {
    int rate = dataset.entry(recording).rate();
    Pcm sound = dataset.read(recording, 0, Math.min(dataset.frames(recording), seconds * rate));
    try (Scope scope = Scope.open()) {
      return piece(recording, codes(fitted(sound)));
    }
  }

  /** Frames that a recording's codes have, without coding it. */
  int frames(int recording) {
    double seconds = (double) dataset.frames(recording) / dataset.entry(recording).rate();
    return (int) Math.round(seconds * model.codec().frameRate());
  }

  private Heard heard(int recording) {
    return new Heard(recording, fitted(dataset.read(recording)));
  }

  private Pcm fitted(Pcm sound) {
    int channels = model.config().channels() * model.codec().channels();
    return (channels == 1 ? sound.mono() : sound.withChannels(channels))
        .resampled(model.sampleRate());
  }

  /** I64 [codebooks, frames] in the current scope. */
  private Tensor codes(Pcm sound) {
    var parts = new ArrayList<Tensor>();
    int most = PART_SECONDS * model.sampleRate();
    for (int from = 0; from < sound.frames(); from += most) {
      try (Scope inner = Scope.open()) {
        Pcm part = sound.slice(from, Math.min(sound.frames(), from + most));
        List<Tensor> lines =
            Arrays.stream(part.channels()).map(line -> Tensor.of(line, line.length)).toList();
        parts.add(inner.keep(model.codesOf(Tensor.stack(lines, 0).unsqueeze(0)).select(0, 0)));
      }
    }
    // The decoder may know fewer codes than the codec has.
    return Tensor.cat(parts, 1).clampMax(model.config().vocabulary() - 1.0).to(DType.I64);
  }

  private long write(Heard heard) {
    try (Scope scope = Scope.open()) {
      Tensor codes = codes(heard.sound);
      SafetensorsWriter.write(
          file(heard.recording), Map.of(CODES, codes.to(DType.I32)), Map.of(MADE_BY, madeBy));
      return codes.count();
    }
  }

  private Piece read(int recording) {
    try (Safetensors saved = Safetensors.open(file(recording));
        Scope scope = Scope.open()) {
      return piece(recording, saved.tensor(CODES));
    }
  }

  private Piece piece(int recording, Tensor codes) {
    int[] flat = codes.to(DType.I32).toInts();
    int frames = Math.toIntExact(codes.size(1));
    int[][] books = new int[Math.toIntExact(codes.size(0))][];
    for (int k = 0; k < books.length; k++) {
      books[k] = Arrays.copyOfRange(flat, k * frames, (k + 1) * frames);
    }
    var words = new ArrayList<String>();
    if (!dataset.text(recording).isBlank()) {
      words.add(dataset.text(recording).strip());
    }
    words.addAll(dataset.tags(recording));
    return new Piece(recording, books, String.join(", ", words));
  }

  private boolean isCoded(int recording) {
    if (!Files.exists(file(recording))) {
      return false;
    }
    try (Safetensors saved = Safetensors.open(file(recording))) {
      return madeBy.equals(saved.metadata().get(MADE_BY));
    } catch (TensorException e) {
      return false;
    }
  }

  private Path file(int recording) {
    return folder.resolve(dataset.isrc(recording) + ".safetensors");
  }
}
