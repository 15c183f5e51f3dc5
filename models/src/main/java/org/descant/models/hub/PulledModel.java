package org.descant.models.hub;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.descant.models.ModelException;
import org.descant.storage.WriteAside;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * What was pulled, from where and when: {@value #FILE} in the model's folder. A folder with it has
 * no rights manifest, whatever else lies in it.
 *
 * @param repo {@code org/name} on the hub
 * @param revision as it was asked for
 * @param commit that it stood for
 * @param endpoint address of the hub
 * @param pulledAt ISO 8601, UTC
 * @param licence as the model's page says; null when it says none. What its authors allow to do
 *     with the weights says nothing about the music they were made from.
 * @param files in the model's folder
 * @param refused paths of files that were not taken because they could run code
 */
public record PulledModel(
    String repo,
    String revision,
    String commit,
    String endpoint,
    String pulledAt,
    @Nullable String licence,
    List<Entry> files,
    List<String> refused) {
  /** Name of the record in a pulled model's folder. */
  public static final String FILE = "pull.json";

  private static final int FORMAT = 1;
  private static final long BYTES_MAX = 16 << 20;
  private static final JsonMapper JSON =
      JsonMapper.builder()
          .enable(SerializationFeature.INDENT_OUTPUT)
          .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .build();

  /**
   * A file.
   *
   * @param sha256 lower-case hex, its name in the blob store
   * @param hubHash by which the hub knows it, as {@link ContentHash} writes it
   */
  public record Entry(String path, long bytes, String sha256, String hubHash) {
    public Entry {
      HubFile.requireSafe(path);
    }
  }

  public PulledModel {
    files = List.copyOf(files);
    refused = List.copyOf(refused);
  }

  private record Stored(int format, PulledModel model) {}

  /** Whether a folder is that of a pulled model. */
  public static boolean isPulled(Path folder) {
    return Files.exists(folder.resolve(FILE));
  }

  /** The record of a folder; empty when it is not that of a pulled model. */
  public static Optional<PulledModel> find(Path folder) {
    return isPulled(folder) ? Optional.of(read(folder)) : Optional.empty();
  }

  /**
   * Reads a record.
   *
   * @throws ModelException when there is none that can be read
   */
  public static PulledModel read(Path folder) {
    Path file = folder.resolve(FILE);
    try {
      if (Files.size(file) > BYTES_MAX) {
        throw new ModelException(file + " is larger than 16 MB; it is not the record of a pull.");
      }
      Stored stored = JSON.readValue(Files.readString(file), Stored.class);
      if (stored == null || stored.format != FORMAT || stored.model == null) {
        throw new ModelException(
            file + " is not the record of a pull that this version reads; pull the model again.");
      }
      return stored.model;
    } catch (JacksonException e) {
      throw new ModelException(file + " cannot be read; pull the model again.", e);
    } catch (IOException e) {
      throw WriteAside.refusal("read", file, e);
    }
  }

  void write(Path folder) {
    WriteAside.write(
        folder.resolve(FILE), JSON.writeValueAsString(new Stored(FORMAT, this)) + "\n");
  }

  /** Bytes of all files. */
  public long bytes() {
    return files.stream().mapToLong(Entry::bytes).sum();
  }

  /** {@code hf:org/name}. */
  public String name() {
    return "hf:" + repo;
  }

  /** The folder name {@code org--name}. */
  String folderName() {
    return repo.replace("/", "--");
  }

  PulledModel withRevision(String other) {
    return new PulledModel(repo, other, commit, endpoint, pulledAt, licence, files, refused);
  }
}
