package org.descant.training.loop;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
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
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.descant.lab.Span;
import org.descant.tensor.SafetensorsWriter;
import org.descant.tensor.Tensor;
import org.descant.training.TrainingException;
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
 * its name is whole. One whose hashes do not match is passed over when a run goes on.
 *
 * <p>Those of steps that {@code every} divides are regular: only they are rewound to, because a run
 * that was stopped and went on must rewind to the same one. One writer at a time; reading needs no
 * lock.
 */
public final class Checkpoints {
  public static final String MODEL = "model.safetensors";
  public static final String STATE = "state.safetensors";
  public static final String CARD = "card.json";
  private static final String FACTS = "state.json";
  private static final String ASIDE = ".tmp";
  private static final String REPLACED = ".old";
  private static final Pattern NUMBER = Pattern.compile("[0-9]{8,}(\\.old)?");
  private static final JsonMapper JSON = new JsonMapper();

  private final Path folder;
  private final int every;
  private final int keep;

  /**
   * @param run its folder
   * @param every steps between two regular ones
   * @param keep newest ones that stay; the newest regular one stays too
   */
  public Checkpoints(Path run, int every, int keep) {
    this.folder = run.resolve("checkpoints");
    this.every = every;
    this.keep = keep;
  }

  /** Whether the state is saved after a step, counted over the whole run. */
  public boolean isRegular(long step) {
    return step % every == 0;
  }

  /**
   * The small part of a checkpoint.
   *
   * @param step last step that is done
   * @param stage it belongs to
   * @param numbers of the stage, by name
   * @param sha256 of the files, by name
   */
  public record Facts(
      long step, String stage, Map<String, Double> numbers, Map<String, String> sha256) {
    public Facts {
      numbers = Collections.unmodifiableMap(new TreeMap<>(numbers));
      sha256 = Collections.unmodifiableMap(new TreeMap<>(sha256));
    }
  }

  /** A checkpoint on disk. */
  public record Saved(Path path, Facts facts) {}

  /**
   * What a checkpoint is made of.
   *
   * @param step last step that is done
   * @param stage it belongs to
   * @param model the weights
   * @param metadata of the model file; functions of the run only
   * @param state tensors that are needed to go on
   * @param numbers that are needed to go on
   * @param card of the weights, as JSON
   */
  public record Content(
      long step,
      String stage,
      Map<String, Tensor> model,
      Map<String, String> metadata,
      Map<String, Tensor> state,
      Map<String, Double> numbers,
      String card) {}

  /**
   * Writes a checkpoint and removes the oldest beyond those to keep.
   *
   * @param opened told right before the folder beside is made
   * @return the checkpoint
   */
  Path write(Content content, Consumer<Path> opened) {
    String name = "%08d".formatted(content.step);
    Path target = folder.resolve(name);
    Path aside = folder.resolve(name + ASIDE);
    Path replaced = folder.resolve(name + REPLACED);
    try (Span span = Span.checkpoint(content.stage, content.step)) {
      Files.createDirectories(folder);
      removeCutOff();
      opened.accept(aside);
      Files.createDirectory(aside);
      SafetensorsWriter.write(aside.resolve(MODEL), content.model, content.metadata);
      SafetensorsWriter.write(aside.resolve(STATE), content.state, Map.of());
      writeSynced(aside.resolve(CARD), content.card.getBytes(StandardCharsets.UTF_8));
      var hashes = new TreeMap<String, String>();
      for (String file : List.of(MODEL, STATE, CARD)) {
        hashes.put(file, sha256(aside.resolve(file)));
      }
      var facts = new Facts(content.step, content.stage, content.numbers, hashes);
      writeSynced(
          aside.resolve(FACTS), JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(facts));
      sync(aside);
      remove(replaced);
      if (Files.exists(target)) {
        Files.move(target, replaced, StandardCopyOption.ATOMIC_MOVE);
      }
      Files.move(aside, target, StandardCopyOption.ATOMIC_MOVE);
      sync(folder);
      remove(replaced);
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
  public Optional<Saved> latest() {
    return newest(saved -> true);
  }

  /** The newest regular checkpoint of a stage that was made before a step, whole as well. */
  Optional<Saved> regularBefore(String stage, long step) {
    return newest(saved ->
        saved.facts.stage.equals(stage) && saved.facts.step < step && isRegular(saved.facts.step));
  }

  private Optional<Saved> newest(Predicate<Saved> wanted) {
    for (Path path : newestFirst()) {
      try {
        Facts facts = JSON.readValue(Files.readAllBytes(path.resolve(FACTS)), Facts.class);
        var saved = new Saved(path, facts);
        if (wanted.test(saved) && isWhole(saved)) {
          return Optional.of(saved);
        }
      } catch (IOException | JacksonException e) {
        continue;
      }
    }
    return Optional.empty();
  }

  private static boolean isWhole(Saved saved) throws IOException {
    for (var file : saved.facts.sha256.entrySet()) {
      if (!sha256(saved.path.resolve(file.getKey())).equals(file.getValue())) {
        return false;
      }
    }
    return true;
  }

  /** One whose replacement was cut off right before its rename counts as well. */
  private List<Path> newestFirst() {
    if (!Files.isDirectory(folder)) {
      return List.of();
    }
    try (var children = Files.list(folder)) {
      return children
          .filter(child -> NUMBER.matcher(child.getFileName().toString()).matches())
          .sorted(Comparator.comparingLong(Checkpoints::step).reversed())
          .toList();
    } catch (IOException e) {
      throw new TrainingException("cannot list " + folder + ": " + e.getMessage(), e);
    }
  }

  private static long step(Path path) {
    String name = path.getFileName().toString();
    return Long.parseLong(
        name.endsWith(REPLACED) ? name.substring(0, name.length() - REPLACED.length()) : name);
  }

  private void prune() throws IOException {
    List<Path> all = newestFirst();
    boolean regularStays = false;
    for (int i = 0; i < all.size(); i++) {
      boolean regular = isRegular(step(all.get(i)));
      if (i >= keep && (regularStays || !regular)) {
        remove(all.get(i));
      }
      regularStays |= regular;
    }
  }

  /** Removes what a killed process left half-written. */
  private void removeCutOff() throws IOException {
    try (var children = Files.list(folder)) {
      for (Path child : children.filter(c -> c.toString().endsWith(ASIDE)).toList()) {
        remove(child);
      }
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
