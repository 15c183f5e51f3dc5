package org.descant.provenance;

import static java.nio.file.StandardCopyOption.ATOMIC_MOVE;
import static java.nio.file.StandardOpenOption.CREATE_NEW;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Objects;
import java.util.Set;

/** Files that are there whole or not at all: written aside, forced to disk, renamed. */
public final class SafeFiles {
  private SafeFiles() {}

  /** Writes and forces; the caller holds the lock of the folder. */
  public static void write(Path file, byte[] bytes) throws IOException {
    write(file, bytes, new FileAttribute<?>[0]);
  }

  /** As {@link #write}, readable and writable by the owner only from its first moment. */
  static void writePrivate(Path file, byte[] bytes) throws IOException {
    write(
        file,
        bytes,
        PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
  }

  private static void write(Path file, byte[] bytes, FileAttribute<?>... attributes)
      throws IOException {
    Path aside = aside(file);
    Files.deleteIfExists(aside);
    try {
      try (FileChannel channel = FileChannel.open(aside, Set.of(CREATE_NEW, WRITE), attributes)) {
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        while (buffer.hasRemaining()) {
          channel.write(buffer);
        }
        channel.force(true);
      }
      Files.move(aside, file, ATOMIC_MOVE);
    } finally {
      Files.deleteIfExists(aside);
    }
    forceFolder(file);
  }

  static Path aside(Path file) {
    return file.resolveSibling(file.getFileName() + ".tmp");
  }

  static Path folderOf(Path file) {
    return Objects.requireNonNull(file.toAbsolutePath().getParent(), "a file is in a folder");
  }

  /** Makes the rename itself durable. */
  static void forceFolder(Path file) throws IOException {
    try (FileChannel channel = FileChannel.open(folderOf(file), READ)) {
      channel.force(true);
    }
  }

  /** Makes a folder and those above it that are missing, durably. */
  static void createFolders(Path folder) throws IOException {
    if (!Files.isDirectory(folder)) {
      createFolders(folderOf(folder));
      try {
        Files.createDirectory(folder);
      } catch (FileAlreadyExistsException _) {
        // Another process was faster.
      }
      forceFolder(folder);
    }
  }
}
