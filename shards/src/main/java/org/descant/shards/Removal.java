package org.descant.shards;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Comparator;
import java.util.OptionalLong;
import java.util.stream.Stream;
import org.descant.storage.StorageException;
import org.descant.storage.WriteAside;
import org.jspecify.annotations.Nullable;

/**
 * Takes fields and datasets away. Each is renamed first, so that it is gone whole or not at all,
 * and deleted then; what a process that died left of that is deleted by the next removal beside it.
 * What somebody reads, in this process or another, stays. Whether somebody will want it again is
 * the caller's to know. Stateless.
 */
public final class Removal {
  private static final String SUFFIX = ".removing";

  private Removal() {}

  /** Whether somebody reads a field now. */
  public static boolean isRead(Path dataset, String field) {
    try (InUse alone = InUse.alone(dataset, field)) {
      return alone == null;
    } catch (IOException e) {
      throw new ShardException("cannot lock dataset " + dataset + ": " + e.getMessage(), e);
    }
  }

  /**
   * Removes a field.
   *
   * @return the bytes of its file; empty when somebody reads it
   * @throws ShardException when it is not there or the disk fails
   */
  public static OptionalLong field(Path dataset, String field) {
    Path file = FieldFile.pathOf(dataset, field);
    try {
      long bytes = Files.size(file);
      try (InUse alone = InUse.alone(dataset, field)) {
        if (alone == null) {
          return OptionalLong.empty();
        }
        setAside(file);
      }
      sweep(FieldFile.folderOf(dataset));
      return OptionalLong.of(bytes);
    } catch (IOException e) {
      throw new ShardException("cannot remove field '%s': %s".formatted(field, e), e);
    }
  }

  /**
   * Removes a dataset's folder. Its manifest and its withdrawals are kept, in a folder of the
   * dataset's id under {@code kept}, durable before anything is removed: what they say of a
   * dataset's content holds without its sound.
   *
   * @return the bytes of its files; empty when somebody reads it
   * @throws ShardException when it is no dataset or the disk fails
   */
  public static OptionalLong dataset(Path dataset, Path kept) {
    try {
      long bytes = bytes(dataset);
      try (InUse alone = InUse.alone(dataset, "")) {
        if (alone == null) {
          return OptionalLong.empty();
        }
        keep(dataset, kept.resolve(Manifest.read(dataset).id()));
        setAside(dataset);
      }
      sweep(dataset.toAbsolutePath().resolveSibling("."));
      return OptionalLong.of(bytes);
    } catch (IOException | StorageException e) {
      throw new ShardException("cannot remove dataset %s: %s".formatted(dataset, e), e);
    }
  }

  private static void keep(Path dataset, Path kept) throws IOException {
    // One of the same content may have been removed before; its withdrawals are not forgotten.
    for (String name : new String[] {Tombstones.FILE, Manifest.FILE}) {
      @Nullable String text =
          Files.exists(dataset.resolve(name)) ? Files.readString(dataset.resolve(name)) : null;
      Path target = kept.resolve(name);
      if (text != null && (name.equals(Manifest.FILE) || grows(target, text))) {
        WriteAside.write(target, text);
      }
    }
  }

  private static boolean grows(Path file, String text) throws IOException {
    return !Files.exists(file) || text.startsWith(Files.readString(file));
  }

  /** After this it is not there for anybody who looks for it by name. */
  static void setAside(Path path) throws IOException {
    Path aside = path.resolveSibling("." + path.getFileName() + SUFFIX);
    delete(aside); // or the rename would fail: a process died here before
    Files.move(path, aside, StandardCopyOption.ATOMIC_MOVE);
  }

  /** Deletes what was set aside in a folder, by whomever. */
  static void sweep(Path folder) throws IOException {
    try (Stream<Path> children = Files.list(folder)) {
      for (Path child : children.toList()) {
        String name = child.getFileName().toString();
        if (name.startsWith(".") && name.endsWith(SUFFIX)) {
          delete(child);
        }
      }
    }
  }

  /**
   * Deletes what removals that were cut off left of a dataset's fields, or of the datasets of a
   * folder.
   *
   * @throws ShardException when the disk fails
   */
  public static void finish(Path folder) {
    try {
      for (Path place : new Path[] {folder, FieldFile.folderOf(folder)}) {
        if (Files.isDirectory(place)) {
          sweep(place);
        }
      }
    } catch (IOException e) {
      throw new ShardException("cannot clear up %s: %s".formatted(folder, e), e);
    }
  }

  private static void delete(Path path) throws IOException {
    if (!Files.exists(path)) {
      return;
    }
    try (Stream<Path> tree = Files.walk(path)) {
      for (Path each : tree.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(each);
      }
    }
  }

  private static long bytes(Path folder) throws IOException {
    try (Stream<Path> tree = Files.walk(folder)) {
      long bytes = 0;
      for (Path file : tree.filter(Files::isRegularFile).toList()) {
        bytes += Files.size(file);
      }
      return bytes;
    }
  }
}
