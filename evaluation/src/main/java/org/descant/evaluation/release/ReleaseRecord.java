package org.descant.evaluation.release;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import org.descant.attribution.AttributionIndex;
import org.descant.evaluation.EvaluationException;
import org.descant.evaluation.MemorisationReport;
import org.descant.models.HouseModel;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * All that a release says, as {@value #FILE} holds it. Hashes are lower-case hex SHA-256; shares
 * are 0 to 1; times in sounds are seconds.
 *
 * @param version of this format, {@value #VERSION}
 * @param name of the model
 * @param full whether everything was measured at its usual size; else it is a quick look
 * @param command that measured it
 * @param parents what the model came from
 * @param data the music it learned from, in numbers
 * @param figures all of them, by name
 * @param memorisation what of its training set it repeats
 * @param examples clips to listen to
 * @param codecPairs held-out music, and what the codec makes of it
 * @param curve of its training
 * @param limits what the figures do not say, a sentence each
 * @param files of the folder, this one excepted, by path
 * @param clock what another run of the same command may say otherwise
 */
public record ReleaseRecord(
    int version,
    String name,
    boolean full,
    String command,
    Parents parents,
    Data data,
    List<Figure> figures,
    Memorisation memorisation,
    List<Example> examples,
    List<CodecPair> codecPairs,
    Curve curve,
    List<String> limits,
    List<FileEntry> files,
    Clock clock) {
  public static final String FILE = "record.json";
  public static final int VERSION = 1;

  private static final long BYTES_MAX = 64L << 20;

  private static final JsonMapper JSON =
      JsonMapper.builder()
          .enable(SerializationFeature.INDENT_OUTPUT)
          .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .build();

  /**
   * What the model came from.
   *
   * @param weights hash of {@code model.safetensors}
   * @param attributionIndex hash of the index beside it, null when there is none
   * @param run that trained it, null when its folder is not here
   * @param datasetRoot that identifies what it learned from
   * @param datasetId name and start of the root
   * @param trainedByCode hash of the code that trained it, empty when the card does not say
   * @param evaluatedByCode hash of the code that measured it
   */
  public record Parents(
      String weights,
      long weightsBytes,
      @Nullable String attributionIndex,
      RecipeText recipe,
      @Nullable Run run,
      String datasetRoot,
      String datasetId,
      String trainedByCode,
      String evaluatedByCode) {}

  /**
   * How it was trained.
   *
   * @param hash of the effective recipe, as the model's card has it
   * @param keys every key and its value; empty when no text with a known hash is here
   * @param from where the keys are from, or why there are none
   */
  public record RecipeText(String name, String hash, SortedMap<String, Object> keys, String from) {}

  /**
   * The run that trained it.
   *
   * @param recordSha256 of its {@code run.json}
   * @param metricsSha256 of its {@code metrics.jsonl}
   */
  public record Run(
      String id,
      String recordSha256,
      String metricsSha256,
      long seed,
      long steps,
      String processor,
      int threads) {}

  /**
   * The music it learned from.
   *
   * @param trained recordings that it learned from
   * @param heldOut recordings that were kept out of training to measure it
   * @param refused recordings asked about and left out of the dataset
   * @param refusedFor how often each reason was given
   * @param agreements under which they were cleared, null when this home does not know
   * @param people behind the recordings it learned from, all of these with an equal share
   * @param peopleFrom where their names are from
   */
  public record Data(
      int trained,
      double trainedMinutes,
      int heldOut,
      double heldOutMinutes,
      int refused,
      SortedMap<String, Integer> refusedFor,
      @Nullable Agreements agreements,
      List<Person> people,
      String peopleFrom) {}

  /** Agreements that granted the training, and by whom they were given. */
  public record Agreements(int agreements, int parties, SortedMap<String, Integer> byKind) {}

  /** Somebody, what they did, and their share of what is credited. */
  public record Person(String name, String role, double share) {}

  /**
   * One figure.
   *
   * @param sample what it was measured on, with how many
   * @param seed of its draws, null when nothing is drawn
   * @param beside names of the figures that it must be compared with
   */
  public record Figure(
      String name,
      double value,
      String sample,
      @Nullable Long seed,
      String command,
      List<String> beside) {}

  /**
   * What it repeats, looked for in three ways.
   *
   * @param comparedWith training recordings: all of them
   * @param chosen how the thresholds were chosen
   * @param sound longest span with the same fingerprint, in seconds
   * @param tokenRun longest run of equal first-codebook tokens, in seconds
   * @param tokenNgrams share of short runs of first-codebook tokens that the training set has
   * @param rows everything that was compared
   */
  public record Memorisation(
      int comparedWith,
      double comparedMinutes,
      String chosen,
      Judgement sound,
      Judgement tokenRun,
      Judgement tokenNgrams,
      MemorisationReport rows) {}

  /**
   * One way of looking for copies; seconds, or a share for n-grams.
   *
   * @param threshold above which a clip is a copy
   * @param largest of all generations
   * @param clip that has it, empty for none
   * @param from the recording it repeats, empty for none or many
   * @param copies generations above the threshold
   * @param probability that held-out music has a value as large
   * @param planted copies that were compared in the same way
   * @param plantedFound of them
   */
  public record Judgement(
      double threshold,
      double largest,
      String clip,
      String from,
      long copies,
      int clips,
      Null heldOut,
      double probability,
      int planted,
      long plantedFound) {}

  /** The same measure of held-out music against the training set: of music that copies nothing. */
  public record Null(
      int samples, double median, double percentile95, double largest, long aboveThreshold) {}

  /**
   * A clip to listen to.
   *
   * @param file in the folder, empty when it was not let out
   * @param sha256 of the file
   * @param knownPair whether a training recording has this tempo and key
   * @param heardTempo as the estimators hear it
   * @param copiedSeconds longest span that repeats a training recording
   * @param shareRule how the credits were divided: {@code attribution} or {@code equal-share}
   * @param command that makes the same sound again
   */
  public record Example(
      String file,
      String sha256,
      Request request,
      boolean knownPair,
      double heardTempo,
      String heardKey,
      double copiedSeconds,
      String copiedFrom,
      String shareRule,
      List<Person> credits,
      String command) {}

  /** What was asked for; tempo and key as the engine resolved them. */
  public record Request(
      double tempo, String key, List<String> tags, double seconds, long seed, double guidance) {}

  /** Held-out music before and after the codec. */
  public record CodecPair(
      String isrc,
      double fromSeconds,
      double seconds,
      String original,
      String originalSha256,
      String coded,
      String codedSha256,
      double kilobitsPerSecond,
      double melDistanceDb) {}

  /**
   * Training curves.
   *
   * @param file the picture, empty when there is none
   * @param names of the curves in it
   * @param missing why there is none, empty otherwise
   */
  public record Curve(String file, List<String> names, String missing) {}

  /** A file of the folder. */
  public record FileEntry(String path, long bytes, String sha256) {}

  /**
   * What depends on the moment and the machine.
   *
   * @param at ISO 8601
   * @param seconds that each part took
   * @param speeds figures that are speeds, by name
   * @param fallen recordings of the dataset whose consent was taken back since
   */
  public record Clock(
      String at,
      SortedMap<String, Double> seconds,
      SortedMap<String, Double> speeds,
      List<String> fallen) {}

  public ReleaseRecord {
    if (version != VERSION) {
      throw new EvaluationException(
          "The release record has version %d; this build reads version %d"
              .formatted(version, VERSION));
    }
    figures = List.copyOf(figures);
    examples = List.copyOf(examples);
    codecPairs = List.copyOf(codecPairs);
    limits = List.copyOf(limits);
    files = List.copyOf(files);
  }

  /** A figure by its name. */
  public Optional<Figure> figure(String figure) {
    return figures.stream().filter(f -> f.name().equals(figure)).findFirst();
  }

  /** The record as JSON text. */
  public String toJson() {
    return JSON.writeValueAsString(this) + "\n";
  }

  /** The record with other files, as its folder grows. */
  ReleaseRecord withFiles(List<FileEntry> others) {
    return new ReleaseRecord(
        version,
        name,
        full,
        command,
        parents,
        data,
        figures,
        memorisation,
        examples,
        codecPairs,
        curve,
        limits,
        others,
        clock);
  }

  /** Whether a folder holds a release. */
  public static boolean isRelease(Path folder) {
    return Files.isRegularFile(folder.resolve(FILE));
  }

  /**
   * Reads the record of a release's folder.
   *
   * @throws EvaluationException when there is none, or it cannot be read
   */
  public static ReleaseRecord read(Path folder) {
    Path file = folder.resolve(FILE);
    try {
      if (Files.size(file) > BYTES_MAX) {
        throw new EvaluationException(
            "%s is larger than 64 MB; it is no release record".formatted(file));
      }
      return JSON.readValue(Files.readString(file), ReleaseRecord.class);
    } catch (IOException e) {
      throw new EvaluationException(
          "Cannot read %s; make the release with `descant evaluate MODEL`".formatted(file), e);
    } catch (JacksonException e) {
      throw new EvaluationException(
          "%s is damaged (%s); make the release again with `descant evaluate MODEL`"
              .formatted(file, e.getOriginalMessage()),
          e);
    }
  }

  /**
   * What does not hold any more, a sentence each: files of the folder that differ, are missing or
   * were added, and weights or an index other than those that were measured.
   *
   * @param folder of the release
   * @param modelFolder of the model that it should be of
   */
  public List<String> faults(Path folder, Path modelFolder) {
    List<String> faults = new ArrayList<>();
    compare(faults, modelFolder.resolve(HouseModel.WEIGHTS), parents.weights());
    String index = parents.attributionIndex();
    if (index != null) {
      compare(faults, modelFolder.resolve(AttributionIndex.FILE), index);
    }
    List<String> named = new ArrayList<>(List.of(FILE));
    for (FileEntry entry : files) {
      Path file = folder.resolve(entry.path()).normalize();
      if (!file.startsWith(folder.normalize())) {
        faults.add("The record names %s, which is outside of the release".formatted(entry.path()));
        continue;
      }
      named.add(entry.path());
      compare(faults, file, entry.sha256());
    }
    Map<String, String> hashes = new TreeMap<>();
    files.forEach(entry -> hashes.put(entry.path(), entry.sha256()));
    sounds()
        .forEach((path, sha256) -> {
          if (!sha256.equals(hashes.get(path))) {
            faults.add("The record gives two hashes for %s".formatted(path));
          }
        });
    Hashes.files(folder).stream()
        .filter(path -> !named.contains(path))
        .forEach(path -> faults.add("%s is not in the record".formatted(path)));
    return faults;
  }

  private static void compare(List<String> faults, Path file, String sha256) {
    if (!Files.isRegularFile(file)) {
      faults.add("%s is missing".formatted(file));
    } else if (!Hashes.of(file).equals(sha256)) {
      faults.add("%s is not the file that was recorded".formatted(file));
    }
  }

  /** Every sound that was let out, with the hash that its own entry gives. */
  private SortedMap<String, String> sounds() {
    SortedMap<String, String> sounds = new TreeMap<>();
    for (Example example : examples) {
      if (!example.file().isEmpty()) {
        sounds.put(example.file(), example.sha256());
      }
    }
    for (CodecPair pair : codecPairs) {
      sounds.put(pair.original(), pair.originalSha256());
      sounds.put(pair.coded(), pair.codedSha256());
    }
    return sounds;
  }
}
