package org.descant.storage;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.ReadOnlyFileSystemException;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Writes a file so that its name shows either the old content or all of the new: into a {@code
 * .tmp} sibling, fsync, rename, fsync of the folder. Also turns the file system's refusals into
 * sentences.
 */
public final class WriteAside {

  /** Writes the content of one file. */
  @FunctionalInterface
  public interface Body {
    void writeTo(OutputStream out) throws IOException;
  }

  private WriteAside() {}

  /** Replaces {@code file} by what {@code body} writes; on any failure the old file stays. */
  public static void write(Path file, Body body) {
    Path target = file.toAbsolutePath();
    Path folder = createFolders(parent(target));
    Path aside = null;
    try {
      aside = Files.createTempFile(folder, target.getFileName() + ".", ".tmp");
      try (OutputStream out = Files.newOutputStream(aside)) {
        body.writeTo(out);
      }
      sync(aside);
      Files.move(
          aside, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      syncFolder(folder);
    } catch (IOException e) {
      discard(aside);
      throw refusal("write", target, e);
    } catch (RuntimeException e) {
      discard(aside);
      throw e;
    }
  }

  public static void write(Path file, String text) {
    write(file, out -> out.write(text.getBytes(StandardCharsets.UTF_8)));
  }

  /**
   * Creates a folder and its parents; the message says so when the place is read-only or a file.
   */
  public static Path createFolders(Path folder) {
    try {
      return Files.createDirectories(folder);
    } catch (ReadOnlyFileSystemException | IOException e) {
      throw refusal("create", folder, e);
    }
  }

  /** The sentence for a file operation that the file system refused. */
  public static StorageException refusal(String verb, Path path, Exception cause) {
    String message = cause.getMessage();
    String lower = message == null ? "" : message.toLowerCase(Locale.ROOT);
    if (cause instanceof AccessDeniedException
        || cause instanceof ReadOnlyFileSystemException
        || lower.contains("read-only")) {
      return new StorageException(
          "Cannot %s %s: the folder is read-only for this user; make it writable or choose another one."
              .formatted(verb, path),
          cause);
    }
    if (cause instanceof FileAlreadyExistsException || lower.contains("not a directory")) {
      return new StorageException(
          "Cannot %s %s: a file stands where a folder should be; move it away or choose another folder."
              .formatted(verb, path),
          cause);
    }
    if (lower.contains("no space left") || lower.contains("quota exceeded")) {
      return new StorageException(
          "Cannot %s %s: the disk is full; free some space and run the same command again."
              .formatted(verb, path),
          cause);
    }
    return new StorageException(
        "Cannot %s %s: %s (%s).".formatted(verb, path, message, cause.getClass().getSimpleName()),
        cause);
  }

  static void sync(Path file) throws IOException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      channel.force(true);
    }
  }

  /** Makes a rename durable. Linux and macOS allow a folder to be opened for reading. */
  static void syncFolder(Path folder) throws IOException {
    try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }

  static void discard(@Nullable Path aside) {
    if (aside != null) {
      try {
        Files.deleteIfExists(aside);
      } catch (IOException ignored) {
        // The .tmp name is never read; the first failure is the one to report.
      }
    }
  }

  private static Path parent(Path absolute) {
    Path parent = absolute.getParent();
    if (parent == null) {
      throw new StorageException("Cannot write " + absolute + ": it is the root of the disk.");
    }
    return parent;
  }
}
