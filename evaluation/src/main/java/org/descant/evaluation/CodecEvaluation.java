package org.descant.evaluation;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.ToDoubleFunction;
import org.descant.audio.AudioFile;
import org.descant.audio.AudioWriter;
import org.descant.audio.Pcm;
import org.descant.audio.analysis.MelDistance;
import org.descant.audio.analysis.SiSdr;
import org.descant.audio.analysis.StftDistance;
import org.descant.models.codec.Codec;
import org.descant.tensor.NativeRuntime;

/**
 * A codec beside Opus on sound that it was not trained on. Both get the same mono excerpts; Opus's
 * rates are those of its real files, containers included; the codec's are the bits of its codes.
 * Stateless.
 */
public final class CodecEvaluation {
  private static final int[] OPUS_BITS_PER_SECOND = {
    AudioWriter.OPUS_BITS_PER_SECOND_MIN, 8_000, 12_000, 16_000, 24_000
  };

  /** Speed is measured when the code has been compiled: the best of so many passes. */
  private static final int TIMED_PASSES = 3;

  private CodecEvaluation() {}

  /**
   * One way to code the excerpts.
   *
   * @param kilobitsPerSecond mean over the excerpts
   * @param melDistanceDb mean {@link MelDistance} to the original
   * @param stftDistance mean {@link StftDistance} to the original
   * @param siSdrDb mean {@link SiSdr}, which a codec that makes up phases cannot have
   * @param each mel distance of each excerpt
   */
  public record Row(
      String name,
      double kilobitsPerSecond,
      double melDistanceDb,
      double stftDistance,
      double siSdrDb,
      List<Double> each) {}

  /**
   * What came out.
   *
   * @param codec from one codebook to all
   * @param opus from its lowest rate up
   * @param encodeTimesRealTime seconds of sound encoded in a second of one core
   * @param decodeTimesRealTime seconds of sound decoded, phases and both channels included, in a
   *     second of one core
   */
  public record Result(
      List<Row> codec,
      List<Row> opus,
      double seconds,
      double encodeTimesRealTime,
      double decodeTimesRealTime) {

    /** All codebooks. */
    public Row full() {
      return codec.getLast();
    }

    /** Opus at the rate nearest to the codec's. */
    public Row nearestOpus() {
      return opus.stream()
          .min(
              Comparator.comparingDouble(
                  row -> Math.abs(row.kilobitsPerSecond() - full().kilobitsPerSecond())))
          .orElseThrow();
    }
  }

  /**
   * Measures a codec.
   *
   * @param excerpts at any rate; mixed to mono and brought to the codec's rate
   * @param scratch a folder for Opus files, which are removed again
   */
  public static Result of(
      Codec codec, List<Pcm> excerpts, Path scratch, Consumer<String> progress) {
    if (excerpts.isEmpty()) {
      throw new EvaluationException("A codec is measured on at least one excerpt, got none");
    }
    List<Pcm> originals =
        excerpts.stream().map(pcm -> pcm.mono().resampled(codec.sampleRate())).toList();
    double seconds = originals.stream().mapToDouble(Pcm::seconds).sum();
    int books = codec.codebooks();
    double bitsPerBook = Math.log(codec.codebookSize()) / Math.log(2) * codec.frameRate();
    List<List<Distances>> distances = new ArrayList<>();
    for (int k = 0; k < books; k++) {
      distances.add(new ArrayList<>());
    }
    for (int i = 0; i < originals.size(); i++) {
      Pcm original = originals.get(i);
      int[][] codes = codec.encode(original.channels());
      for (int k = 1; k <= books; k++) {
        float[][] decoded = codec.decode(Arrays.copyOf(codes, k));
        distances.get(k - 1).add(Distances.between(original, new Pcm(decoded, codec.sampleRate())));
      }
      progress.accept("codec: excerpt %d of %d".formatted(i + 1, originals.size()));
    }
    List<Row> ours = new ArrayList<>();
    for (int k = 1; k <= books; k++) {
      ours.add(
          row(
              "%d of %d codebooks".formatted(k, books),
              k * bitsPerBook / 1000,
              distances.get(k - 1)));
    }
    List<Row> opus = new ArrayList<>();
    for (int bitsPerSecond : OPUS_BITS_PER_SECOND) {
      opus.add(opus(originals, bitsPerSecond, scratch));
    }
    progress.accept("codec: Opus at %d rates done".formatted(opus.size()));
    long[] nanos = onOneCore(codec, originals);
    return new Result(
        List.copyOf(ours),
        List.copyOf(opus),
        seconds,
        seconds / (nanos[0] / 1e9),
        seconds / (nanos[1] / 1e9));
  }

  /** Processor time of encoding and of decoding all excerpts in this thread alone. */
  private static long[] onOneCore(Codec codec, List<Pcm> originals) {
    int threads = NativeRuntime.threads();
    NativeRuntime.init(1);
    try {
      long[] best = {Long.MAX_VALUE, Long.MAX_VALUE};
      for (int pass = 0; pass < TIMED_PASSES; pass++) {
        long encoding = 0;
        long decoding = 0;
        for (Pcm original : originals) {
          long start = processorNanos();
          int[][] codes = codec.encode(original.channels());
          long coded = processorNanos();
          codec.decode(codes);
          encoding += coded - start;
          decoding += processorNanos() - coded;
        }
        best[0] = Math.min(best[0], encoding);
        best[1] = Math.min(best[1], decoding);
      }
      return best;
    } finally {
      NativeRuntime.init(threads);
    }
  }

  private static long processorNanos() {
    return ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
  }

  private record Distances(double mel, double stft, double siSdr) {
    static Distances between(Pcm original, Pcm other) {
      return new Distances(
          MelDistance.between(original, other),
          StftDistance.between(original, other),
          SiSdr.between(original, other));
    }
  }

  private static Row opus(List<Pcm> originals, int bitsPerSecond, Path scratch) {
    List<Distances> each = new ArrayList<>();
    long bytes = 0;
    double seconds = 0;
    for (Pcm original : originals) {
      Path file = scratch.resolve("excerpt.opus");
      try {
        Files.createDirectories(scratch);
        AudioWriter.opus(original, file, bitsPerSecond);
        bytes += Files.size(file);
        seconds += original.seconds();
        each.add(Distances.between(original, AudioFile.decode(file)));
        Files.delete(file);
      } catch (IOException e) {
        throw new EvaluationException(
            "Cannot keep an Opus file in %s: %s".formatted(scratch, e.getMessage()), e);
      }
    }
    return row("Opus asked for %,d b/s".formatted(bitsPerSecond), bytes * 8 / seconds / 1000, each);
  }

  private static Row row(String name, double kilobitsPerSecond, List<Distances> each) {
    return new Row(
        name,
        kilobitsPerSecond,
        mean(each, Distances::mel),
        mean(each, Distances::stft),
        mean(each, Distances::siSdr),
        each.stream().map(Distances::mel).toList());
  }

  private static double mean(List<Distances> each, ToDoubleFunction<Distances> figure) {
    return Statistics.mean(each.stream().mapToDouble(figure).toArray());
  }
}
