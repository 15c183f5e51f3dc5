package org.descant.training.tune;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.descant.audio.Pcm;
import org.descant.lab.MetricLine;
import org.descant.models.published.musicgen.MusicGen;
import org.descant.shards.Dataset;
import org.descant.shards.FieldFile;
import org.descant.shards.FieldSpec;
import org.descant.shards.FieldType;
import org.descant.shards.FieldWriter;
import org.descant.tensor.DType;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.descant.training.Basis;
import org.descant.training.Progress;
import org.descant.training.loop.Learner;
import org.descant.training.loop.Meter;
import org.descant.training.loop.Prefetch;
import org.descant.training.stage.Codes;
import org.jspecify.annotations.Nullable;

/**
 * Recordings as the codes of a base model's codec, in a field beside the dataset's sound whose name
 * follows from the base and the code: a run that needs the same codes nothing. Belongs to the
 * training thread.
 */
final class TuneCodes {
  static final String NAME = "tokens";

  /** A longer recording is coded part by part. */
  private static final int PART_SECONDS = 30;

  private final MusicGen model;
  private final Dataset dataset;
  private final Path workplace;
  private final FieldSpec spec;

  /**
   * A recording's codes and what is said of it.
   *
   * @param recording index in the dataset
   * @param codes below the decoder's vocabulary
   * @param text its description and tags, empty where it has none
   */
  record Piece(int recording, Codes codes, String text) {
    int length() {
      return codes.length();
    }
  }

  /**
   * @param run its folder
   * @param base hash of the model whose codec it is
   */
  TuneCodes(MusicGen model, Dataset dataset, Path run, String base) {
    this.model = model;
    this.dataset = dataset;
    this.workplace = run.resolve(NAME);
    this.spec =
        new FieldSpec(
            "codes",
            FieldType.U16,
            model.config().codebooks(),
            "base %s\n%s".formatted(base, Basis.text()));
  }

  /** A recording as the codec takes it, made ahead. */
  private record Heard(int recording, Pcm sound) {}

  /**
   * Codes every recording that is not withdrawn and not coded yet.
   *
   * @param again whether to code even what is coded, and compare
   * @param logEvery recordings between two lines
   * @param stop whether somebody asked the run to stop
   * @return the codes, which the caller closes; null when it was stopped before all were coded
   */
  @Nullable FieldFile code(
      boolean again,
      int logEvery,
      Consumer<MetricLine> log,
      Progress progress,
      BooleanSupplier stop) {
    if (again || !dataset.hasField(spec)) {
      var writer = new FieldWriter(dataset, spec, workplace);
      List<Integer> missing =
          IntStream.range(0, dataset.size())
              .filter(r -> !dataset.withdrawn(r) && !writer.has(r))
              .boxed()
              .toList();
      var meter = new Meter(NAME, 1, missing.size(), logEvery, 0, log, progress);
      try (var data =
          new Prefetch<>(NAME, n -> heard(missing.get((int) n - 1)), 1, missing.size())) {
        for (int n = 1; n <= missing.size(); n++) {
          Heard heard = data.take(n);
          int[][] codes = codes(heard.sound);
          writer.put(heard.recording, Codes.rows(Collections.singletonList(codes)));
          var work =
              new Learner.Work(heard.sound.seconds(), (long) codes.length * codes[0].length, 0);
          meter.step(n, Map.of(), 0, 0, work, data);
          if (stop.getAsBoolean()) {
            return null;
          }
        }
      }
      writer.finish();
    }
    return dataset.field(spec);
  }

  /** Recordings whose codes lie in a field. */
  List<Piece> pieces(FieldFile field, List<Integer> recordings) {
    var pieces = new ArrayList<Piece>();
    for (int recording : recordings) {
      int frames = Math.toIntExact(field.rows(recording));
      pieces.add(
          new Piece(
              recording,
              new Codes.Mapped(field, recording, 0, frames, spec.width()),
              text(recording)));
    }
    return pieces;
  }

  /** Codes the first seconds of a recording, as a plan does; nothing is written. */
  Piece sample(int recording, int seconds) {
    int rate = dataset.entry(recording).rate();
    Pcm sound = dataset.read(recording, 0, Math.min(dataset.frames(recording), seconds * rate));
    return new Piece(recording, new Codes.Held(codes(fitted(sound))), text(recording));
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

  /** [codebook][frame]. */
  private int[][] codes(Pcm sound) {
    try (Scope scope = Scope.open()) {
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
      Tensor codes = Tensor.cat(parts, 1).clampMax(model.config().vocabulary() - 1.0);
      int[] flat = codes.to(DType.I32).toInts();
      int frames = Math.toIntExact(codes.size(1));
      int[][] books = new int[Math.toIntExact(codes.size(0))][];
      for (int k = 0; k < books.length; k++) {
        books[k] = Arrays.copyOfRange(flat, k * frames, (k + 1) * frames);
      }
      return books;
    }
  }

  /** Its description and tags, as one text. */
  private String text(int recording) {
    var words = new ArrayList<String>();
    if (!dataset.text(recording).isBlank()) {
      words.add(dataset.text(recording).strip());
    }
    words.addAll(dataset.tags(recording));
    return String.join(", ", words);
  }
}
