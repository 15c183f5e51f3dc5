package org.descant.models.published;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.descant.models.ModelException;
import org.descant.models.hub.PulledModel;
import org.descant.storage.WriteAside;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * What a model was tuned from and on, with its parents by their hashes: {@value #FILE} beside the
 * weights, which are those of a whole published model, or of an adapter that runs beside one.
 *
 * <p>What the base was trained on is not known here, and tuning does not change that: a folder with
 * this file has no rights manifest, whatever else lies in it.
 *
 * @param id {@code sha256:} and the lower-case hex SHA-256 of the weights' file
 * @param name short name, such as {@code musicgen-lora-1a2b3c4d}
 * @param kind what the folder holds
 * @param base what it was tuned from
 * @param run its run
 * @param recipe name of the recipe
 * @param recipeHash hash of the effective recipe
 * @param datasetRoot root of the dataset manifest; the recordings below belong to it
 * @param recordings of the dataset, in its order
 * @param figures of the run, sorted by name
 */
public record TunedModel(
    String id,
    String name,
    Kind kind,
    Base base,
    String run,
    String recipe,
    String recipeHash,
    String datasetRoot,
    List<TunedOn> recordings,
    SortedMap<String, Double> figures) {
  /** Name of the record in a tuned model's folder. */
  public static final String FILE = "tuned.json";

  /** Why such a model is not played to listeners. */
  public static final String NO_MANIFEST =
      "The base model has no rights manifest: what it was trained on is not known here, and tuning"
          + " does not change that. It may be studied; it may not be played to fans.";

  private static final int FORMAT = 1;
  private static final long BYTES_MAX = 16 << 20;
  private static final JsonMapper JSON =
      JsonMapper.builder()
          .enable(SerializationFeature.INDENT_OUTPUT)
          .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .build();

  /** What lies in the folder. */
  public enum Kind {
    /** A low-rank adapter as PEFT writes it, to be used with the base. */
    ADAPTER("adapter_model.safetensors"),
    /** A whole model folder as the Hub serves it. */
    MODEL("model.safetensors");

    private final String weights;

    Kind(String weights) {
      this.weights = weights;
    }
  }

  /**
   * A base.
   *
   * @param name of its folder, or on its hub
   * @param contentHash see {@link #contentHash}
   * @param pulled {@code hf:org/name@commit} when it was pulled, else null
   * @param tuned id of a model that was tuned itself, else null
   */
  public record Base(
      String name, String contentHash, @Nullable String pulled, @Nullable String tuned) {
    /** The base in a folder. */
    public static Base of(Path folder) {
      Optional<PulledModel> pulled = PulledModel.find(folder);
      return new Base(
          pulled
              .map(PulledModel::name)
              .orElseGet(() -> String.valueOf(folder.toAbsolutePath().normalize().getFileName())),
          TunedModel.contentHash(folder),
          pulled.map(p -> p.name() + "@" + p.commit()).orElse(null),
          find(folder).map(TunedModel::id).orElse(null));
    }
  }

  /** A recording of the dataset; one that was held out was only measured on. */
  public record TunedOn(String isrc, String title, String artist, boolean heldOut) {}

  public TunedModel {
    recordings = List.copyOf(recordings);
    figures = new TreeMap<>(figures);
  }

  private record Stored(int format, TunedModel model) {}

  /** Whether a folder is that of a tuned model or adapter. */
  public static boolean isTuned(Path folder) {
    return Files.exists(folder.resolve(FILE));
  }

  /** The record of a folder; empty when it is not that of a tuned model. */
  public static Optional<TunedModel> find(Path folder) {
    return isTuned(folder) ? Optional.of(read(folder)) : Optional.empty();
  }

  /**
   * Reads a record.
   *
   * @throws ModelException when there is none that can be read
   */
  public static TunedModel read(Path folder) {
    Path file = folder.resolve(FILE);
    try {
      if (Files.size(file) > BYTES_MAX) {
        throw new ModelException(file + " is larger than 16 MB; it is not the record of a tuning.");
      }
      Stored stored = JSON.readValue(Files.readString(file), Stored.class);
      if (stored == null || stored.format != FORMAT || stored.model == null) {
        throw new ModelException(
            file + " is not the record of a tuning that this version reads; tune the model again.");
      }
      return stored.model;
    } catch (JacksonException e) {
      throw new ModelException(file + " cannot be read; tune the model again.", e);
    } catch (IOException e) {
      throw WriteAside.refusal("read", file, e);
    }
  }

  /**
   * Writes the record beside weights that are there already, with their hash as its id, and the
   * model card that the Hub shows, README.md.
   *
   * @return as written
   */
  public TunedModel write(Path folder) {
    String hash = "sha256:" + hash(List.of(folder.resolve(kind.weights)));
    var identified =
        new TunedModel(
            hash, name, kind, base, run, recipe, recipeHash, datasetRoot, recordings, figures);
    WriteAside.write(
        folder.resolve(FILE), JSON.writeValueAsString(new Stored(FORMAT, identified)) + "\n");
    WriteAside.write(folder.resolve("README.md"), identified.hubCard());
    return identified;
  }

  /** Whether the weights beside the record are those it was written for; reads them all. */
  public boolean isWhole(Path folder) {
    Path weights = folder.resolve(kind.weights);
    return Files.isRegularFile(weights) && id.equals("sha256:" + hash(List.of(weights)));
  }

  /**
   * One SHA-256 over a folder's {@code config.json} and safetensors, in the order of their names.
   *
   * @throws ModelException when the folder cannot be read or holds no weights
   */
  public static String contentHash(Path folder) {
    List<Path> files;
    try (Stream<Path> all = Files.list(folder)) {
      files =
          all.filter(f -> f.toString().endsWith(".safetensors") || f.endsWith("config.json"))
              .filter(f -> !f.endsWith("parity.safetensors"))
              .sorted()
              .toList();
    } catch (IOException e) {
      throw new ModelException(
          "Cannot read the model %s: %s; name a folder as the Hub serves it."
              .formatted(folder, e.getMessage()),
          e);
    }
    if (files.size() < 2) {
      throw new ModelException(
          "%s holds no config.json and safetensors; name a folder as the Hub serves it."
              .formatted(folder));
    }
    return hash(files);
  }

  private static String hash(List<Path> files) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      byte[] block = new byte[1 << 20];
      for (Path file : files) {
        try (InputStream in = Files.newInputStream(file)) {
          for (int n = in.read(block); n >= 0; n = in.read(block)) {
            digest.update(block, 0, n);
          }
        }
      }
      return HexFormat.of().formatHex(digest.digest());
    } catch (IOException e) {
      throw WriteAside.refusal("read", files.getFirst(), e);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  /** The model card as the Hub shows one. */
  String hubCard() {
    var text = new StringBuilder();
    boolean adapter = kind == Kind.ADAPTER;
    text.append("---\nlibrary_name: ")
        .append(adapter ? "peft" : "transformers")
        .append("\nbase_model: ")
        .append(base.name.startsWith("hf:") ? base.name.substring(3) : base.name)
        .append("\ntags:\n- musicgen\n")
        .append(adapter ? "- lora\n" : "")
        .append("---\n\n# ")
        .append(name)
        .append(adapter ? "\n\nA low-rank adapter (LoRA) of " : "\n\nA fine-tuned copy of ")
        .append(base.pulled == null ? base.name : base.pulled)
        .append(", base SHA-256 `")
        .append(base.contentHash)
        .append("`, run `")
        .append(run)
        .append("`, recipe `")
        .append(recipeHash)
        .append("`.\n\n## Rights\n\n")
        .append(NO_MANIFEST)
        .append("\n\nIt was tuned on the dataset with root `")
        .append(datasetRoot)
        .append("`, whose recordings were cleared for training:\n\n");
    for (TunedOn recording : recordings) {
      text.append("- ")
          .append(recording.isrc)
          .append(", ")
          .append(recording.artist)
          .append(recording.title.isBlank() ? "" : ": " + recording.title)
          .append(recording.heldOut ? " (held out)" : "")
          .append('\n');
    }
    if (!figures.isEmpty()) {
      text.append("\n## Measured\n\n");
      figures.forEach((figure, value) ->
          text.append("- ").append(figure).append(": ").append(value).append('\n'));
    }
    return text.toString();
  }
}
