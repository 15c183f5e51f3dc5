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

  /** Sound that a pass takes at most; a slow codec would need minutes for all of it. */
  private static final double TIMED_SECONDS = 20;

  private CodecEvaluation() {}

  /**
   * One way to code the excerpts.
   *
   * @param kilobitsPerSecond mean over the excerpts
   * @param melDistanceDb mean {@link MelDistance} to the original
   * @param stftDistance mean {@link StftDistance} to the original
   * @param siSdrDb mean {@link SiSdr}, which a codec that makes up phases cannot have
   * @param decodeTimesRealTime seconds of sound decoded in a second of one core, by the same
   *     weights that have the other figures; Opus's include reading its file
   * @param each mel distance of each excerpt
   */
  public record Row(
      String name,
      double kilobitsPerSecond,
      double melDistanceDb,
      double stftDistance,
      double siSdrDb,
      double decodeTimesRealTime,
      List<Double> each) {}

  /**
   * What came out.
   *
   * @param codec from one codebook to all
   * @param opus from its lowest rate up
   * @param encodeTimesRealTime seconds of sound encoded in a second of one core
   * @param decodeTimesRealTime the same for decoding all codebooks, phases and both channels
   *     included
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
   * What came out of a codec alone.
   *
   * @param rows from one codebook to all
   * @param encodeTimesRealTime seconds of sound encoded in a second of one core
   */
  public record Measured(List<Row> rows, double encodeTimesRealTime) {}

  /**
   * Measures a codec beside Opus.
   *
   * @param excerpts at any rate; mixed to mono and brought to the codec's rate
   * @param scratch a folder for Opus files, which are removed again
   */
  public static Result of(
      Codec codec, List<Pcm> excerpts, Path scratch, Consumer<String> progress) {
    Measured measured = measure(codec, excerpts, progress);
    List<Pcm> originals = mono(excerpts, codec.sampleRate());
    List<Row> opus = opus(originals, scratch);
    progress.accept("codec: Opus at %d rates done".formatted(opus.size()));
    return new Result(
        measured.rows,
        opus,
        seconds(originals),
        measured.encodeTimesRealTime,
        measured.rows.getLast().decodeTimesRealTime());
  }

  /**
   * Measures a codec with every number of its codebooks.
   *
   * @param excerpts at any rate; mixed to mono and brought to the codec's rate
   */
  public static Measured measure(Codec codec, List<Pcm> excerpts, Consumer<String> progress) {
    List<Pcm> originals = mono(excerpts, codec.sampleRate());
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
    Speeds speeds = onOneCore(codec, originals);
    List<Row> rows = new ArrayList<>();
    for (int k = 1; k <= books; k++) {
      rows.add(
          row(
              "%d of %d codebooks".formatted(k, books),
              k * bitsPerBook / 1000,
              distances.get(k - 1),
              speeds.decode[k - 1]));
    }
    return new Measured(List.copyOf(rows), speeds.encode);
  }

  private static List<Pcm> mono(List<Pcm> excerpts, int sampleRate) {
    if (excerpts.isEmpty()) {
      throw new EvaluationException("A codec is measured on at least one excerpt, got none");
    }
    return excerpts.stream().map(pcm -> pcm.mono().resampled(sampleRate)).toList();
  }

  private static double seconds(List<Pcm> sounds) {
    return sounds.stream().mapToDouble(Pcm::seconds).sum();
  }

  /** Times real time of encoding, and of decoding from one codebook to all. */
  @SuppressWarnings("ArrayRecordComponent") // Lives for a method call; nobody compares it.
  private record Speeds(double encode, double[] decode) {}

  /** By the processor time of this thread alone. */
  private static Speeds onOneCore(Codec codec, List<Pcm> originals) {
    List<Pcm> timed = new ArrayList<>();
    for (Pcm original : originals) {
      if (timed.isEmpty() || seconds(timed) + original.seconds() <= TIMED_SECONDS) {
        timed.add(original);
      }
    }
    int books = codec.codebooks();
    long encoding = Long.MAX_VALUE;
    long[] decoding = new long[books];
    Arrays.fill(decoding, Long.MAX_VALUE);
    int threads = NativeRuntime.threads();
    NativeRuntime.init(1);
    try {
      for (int pass = 0; pass < TIMED_PASSES; pass++) {
        long encodingNow = 0;
        long[] decodingNow = new long[books];
        for (Pcm original : timed) {
          long start = processorNanos();
          int[][] codes = codec.encode(original.channels());
          encodingNow += processorNanos() - start;
          for (int k = 1; k <= books; k++) {
            int[][] some = Arrays.copyOf(codes, k);
            start = processorNanos();
            codec.decode(some);
            decodingNow[k - 1] += processorNanos() - start;
          }
        }
        encoding = Math.min(encoding, encodingNow);
        for (int k = 0; k < books; k++) {
          decoding[k] = Math.min(decoding[k], decodingNow[k]);
        }
      }
    } finally {
      NativeRuntime.init(threads);
    }
    double seconds = seconds(timed);
    return new Speeds(
        seconds / (encoding / 1e9),
        Arrays.stream(decoding).mapToDouble(nanos -> seconds / (nanos / 1e9)).toArray());
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

  /**
   * Opus from its lowest rate up.
   *
   * @param originals mono
   * @param scratch a folder for its files, which are removed again
   */
  public static List<Row> opus(List<Pcm> originals, Path scratch) {
    List<Row> rows = new ArrayList<>();
    for (int bitsPerSecond : OPUS_BITS_PER_SECOND) {
      rows.add(opus(originals, bitsPerSecond, scratch));
    }
    return List.copyOf(rows);
  }

  private static Row opus(List<Pcm> originals, int bitsPerSecond, Path scratch) {
    List<Distances> each = new ArrayList<>();
    long bytes = 0;
    long decoding = 0;
    for (Pcm original : originals) {
      Path file = scratch.resolve("excerpt.opus");
      try {
        Files.createDirectories(scratch);
        AudioWriter.opus(original, file, bitsPerSecond);
        bytes += Files.size(file);
        Pcm decoded = AudioFile.decode(file);
        long fastest = Long.MAX_VALUE;
        for (int pass = 0; pass < TIMED_PASSES; pass++) {
          long start = processorNanos();
          decoded = AudioFile.decode(file);
          fastest = Math.min(fastest, processorNanos() - start);
        }
        decoding += fastest;
        each.add(Distances.between(original, decoded));
        Files.delete(file);
      } catch (IOException e) {
        throw new EvaluationException(
            "Cannot keep an Opus file in %s: %s".formatted(scratch, e.getMessage()), e);
      }
    }
    double seconds = seconds(originals);
    return row(
        "Opus asked for %,d b/s".formatted(bitsPerSecond),
        bytes * 8 / seconds / 1000,
        each,
        seconds / (decoding / 1e9));
  }

  private static Row row(
      String name, double kilobitsPerSecond, List<Distances> each, double decodeTimesRealTime) {
    return new Row(
        name,
        kilobitsPerSecond,
        mean(each, Distances::mel),
        mean(each, Distances::stft),
        mean(each, Distances::siSdr),
        decodeTimesRealTime,
        each.stream().map(Distances::mel).toList());
  }

  private static double mean(List<Distances> each, ToDoubleFunction<Distances> figure) {
    return Statistics.mean(each.stream().mapToDouble(figure).toArray());
  }
}
