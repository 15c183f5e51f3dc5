package org.descant.training;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Collections;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.descant.lab.Span;
import org.descant.tensor.SafetensorsWriter;
import org.descant.tensor.Tensor;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.json.JsonMapper;

/**
 * The checkpoints of a run:
 *
 * <pre>
 * checkpoints/00000040/
 *   model.safetensors   the weights
 *   state.safetensors   what the optimizer and the stage need to go on
 *   card.json           what the weights are
 *   state.json          step, stage, small numbers, and the hashes of the files above
 * </pre>
 *
 * A checkpoint is written into a folder beside, synced, and renamed, so a folder with a number for
 * its name is whole. One whose hashes do not match is passed over when a run goes on. Not
 * thread-safe.
 */
final class Checkpoints {
  static final String MODEL = "model.safetensors";
  static final String STATE = "state.safetensors";
  static final String CARD = "card.json";
  private static final String FACTS = "state.json";
  private static final Pattern NUMBER = Pattern.compile("[0-9]{8,}");
  private static final JsonMapper JSON = new JsonMapper();

  private final Path folder;
  private final int keep;

  Checkpoints(Path run, int keep) {
    this.folder = run.resolve("checkpoints");
    this.keep = keep;
  }

  /**
   * The small part of a checkpoint.
   *
   * @param step last step that is done
   * @param stage it belongs to
   * @param numbers of the stage, by name
   * @param sha256 of the files, by name
   */
  record Facts(long step, String stage, Map<String, Double> numbers, Map<String, String> sha256) {
    Facts {
      numbers = Collections.unmodifiableMap(new TreeMap<>(numbers));
      sha256 = Collections.unmodifiableMap(new TreeMap<>(sha256));
    }
  }

  /** A checkpoint on disk. */
  record Saved(Path path, Facts facts) {}

  /**
   * Writes a checkpoint and removes the oldest beyond those to keep.
   *
   * @param metadata of the model file; functions of the run only
   */
  Path write(
      long step,
      String stage,
      Map<String, Tensor> model,
      Map<String, String> metadata,
      Map<String, Tensor> state,
      Map<String, Double> numbers,
      String card) {
    String name = "%08d".formatted(step);
    Path target = folder.resolve(name);
    Path aside = folder.resolve(name + ".tmp");
    try (Span span = Span.checkpoint(stage, step)) {
      Files.createDirectories(folder);
      remove(aside);
      Files.createDirectory(aside);
      SafetensorsWriter.write(aside.resolve(MODEL), model, metadata);
      SafetensorsWriter.write(aside.resolve(STATE), state, Map.of());
      writeSynced(aside.resolve(CARD), card.getBytes(java.nio.charset.StandardCharsets.UTF_8));
      var hashes = new TreeMap<String, String>();
      for (String file : List.of(MODEL, STATE, CARD)) {
        hashes.put(file, sha256(aside.resolve(file)));
      }
      var facts = new Facts(step, stage, numbers, hashes);
      writeSynced(
          aside.resolve(FACTS), JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(facts));
      sync(aside);
      remove(target);
      Files.move(aside, target, StandardCopyOption.ATOMIC_MOVE);
      sync(folder);
      prune();
      return target;
    } catch (IOException e) {
      throw new TrainingException(
          "cannot write checkpoint %s: %s; the run can go on from the one before"
              .formatted(target, e.getMessage()),
          e);
    }
  }

  /** The newest checkpoint whose files have the hashes they were written with. */
  Optional<Saved> latest() {
    for (Path path : newestFirst()) {
      try {
        Facts facts = JSON.readValue(Files.readAllBytes(path.resolve(FACTS)), Facts.class);
        boolean whole = true;
        for (var file : facts.sha256().entrySet()) {
          whole &= sha256(path.resolve(file.getKey())).equals(file.getValue());
        }
        if (whole) {
          return Optional.of(new Saved(path, facts));
        }
      } catch (IOException | JacksonException e) {
        continue;
      }
    }
    return Optional.empty();
  }

  private List<Path> newestFirst() {
    if (!Files.isDirectory(folder)) {
      return List.of();
    }
    try (var children = Files.list(folder)) {
      return children
          .filter(child -> NUMBER.matcher(child.getFileName().toString()).matches())
          .sorted(
              Comparator.comparingLong(
                      (Path child) -> Long.parseLong(child.getFileName().toString()))
                  .reversed())
          .toList();
    } catch (IOException e) {
      throw new TrainingException("cannot list " + folder + ": " + e.getMessage(), e);
    }
  }

  private void prune() throws IOException {
    List<Path> all = newestFirst();
    for (Path old : all.subList(Math.min(keep, all.size()), all.size())) {
      remove(old);
    }
  }

  private static void remove(Path path) throws IOException {
    if (!Files.exists(path)) {
      return;
    }
    try (var tree = Files.walk(path)) {
      for (Path child : tree.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(child);
      }
    }
  }

  private static void writeSynced(Path file, byte[] bytes) throws IOException {
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      ByteBuffer buffer = ByteBuffer.wrap(bytes);
      while (buffer.hasRemaining()) {
        channel.write(buffer);
      }
      channel.force(true);
    }
  }

  private static void sync(Path folder) throws IOException {
    try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }

  private static String sha256(Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      byte[] block = new byte[1 << 18];
      for (int n = in.read(block); n >= 0; n = in.read(block)) {
        digest.update(block, 0, n);
      }
      return HexFormat.of().formatHex(digest.digest());
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }
}
