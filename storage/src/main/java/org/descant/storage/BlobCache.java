package org.descant.storage;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Blobs of an object store kept locally, up to a number of bytes. What was not used for longest
 * leaves first; a blob that has another hard link is in use and stays. Processes may share a
 * folder; each looks at the folder again before it makes room.
 */
public final class BlobCache {
  private static final String BLOBS = "sha256";
  private static final Duration ABANDONED = Duration.ofDays(7);

  private final Path root;
  private final Path blobs;
  private final Path incoming;
  private final long bytesMax;
  private long promised;

  /**
   * @param bytesMax how much it may hold, downloads under way included
   */
  public BlobCache(Path root, long bytesMax) {
    if (bytesMax < 1) {
      throw new StorageException("A cache holds at least one byte, was given " + bytesMax + ".");
    }
    this.root = root.toAbsolutePath().normalize();
    this.bytesMax = bytesMax;
    this.blobs = WriteAside.createFolders(this.root.resolve(BLOBS));
    this.incoming = WriteAside.createFolders(this.root.resolve("incoming"));
    removeAbandoned();
  }

  /** A download that nobody went on with for a week is given up. */
  private void removeAbandoned() {
    FileTime limit = FileTime.from(Instant.now().minus(ABANDONED));
    try (Stream<Path> parts = Files.list(incoming)) {
      for (Path part : parts.toList()) {
        if (Files.getLastModifiedTime(part).compareTo(limit) < 0) {
          Files.deleteIfExists(part);
        }
      }
    } catch (IOException e) {
      throw WriteAside.refusal("read", incoming, e);
    }
  }

  public Path root() {
    return root;
  }

  /** The blob's file if it is here; it counts as used now. */
  Optional<Path> find(BlobId id) {
    Path file = pathOf(id);
    try {
      Files.setLastModifiedTime(file, FileTime.fromMillis(System.currentTimeMillis()));
      return Optional.of(file);
    } catch (NoSuchFileException e) {
      return Optional.empty();
    } catch (IOException e) {
      throw WriteAside.refusal("read", file, e);
    }
  }

  /** Where a download of the blob grows; it survives the process, so that the next one goes on. */
  Path partOf(BlobId id) {
    return incoming.resolve(id.hex() + ".part");
  }

  /** Takes a whole and verified download in. */
  Path keep(BlobId id, Path part) {
    Path file = pathOf(id);
    try {
      WriteAside.sync(part);
      Path folder = WriteAside.createFolders(blobs.resolve(id.hex().substring(0, 2)));
      Files.move(part, file, StandardCopyOption.ATOMIC_MOVE);
      WriteAside.syncFolder(folder);
      return file;
    } catch (IOException e) {
      throw WriteAside.refusal("write", file, e);
    }
  }

  /**
   * Makes room for a blob by removing others.
   *
   * @throws StorageException when what is in use leaves too little
   */
  synchronized void promise(BlobId id, long bytes) {
    if (bytes > bytesMax) {
      throw new StorageException(
          "Blob %s has %s, the cache %s may hold %s: give it more."
              .formatted(id, DiskSpace.readable(bytes), root, DiskSpace.readable(bytesMax)));
    }
    try {
      var held = new ArrayList<Held>();
      long total = promised;
      for (Path file : files()) {
        Held blob = Held.of(file);
        held.add(blob);
        total += blob.bytes;
      }
      held.sort(Comparator.comparing(Held::used));
      for (Held blob : held) {
        if (total + bytes <= bytesMax) {
          break;
        }
        if (!blob.inUse) {
          Files.deleteIfExists(blob.file);
          total -= blob.bytes;
        }
      }
      if (total + bytes > bytesMax) {
        throw new StorageException(
            "The cache %s may hold %s and all of it is in use; %s more for %s do not fit: give it more."
                .formatted(root, DiskSpace.readable(bytesMax), DiskSpace.readable(bytes), id));
      }
    } catch (IOException e) {
      throw WriteAside.refusal("make room in", root, e);
    }
    DiskSpace.require(root, bytes, "blob " + id);
    promised += bytes;
  }

  synchronized void forget(long bytes) {
    promised -= bytes;
  }

  private List<Path> files() throws IOException {
    try (Stream<Path> all = Files.walk(blobs)) {
      return all.filter(Files::isRegularFile).toList();
    }
  }

  private record Held(Path file, long bytes, FileTime used, boolean inUse) {
    static Held of(Path file) throws IOException {
      try {
        return new Held(
            file,
            Files.size(file),
            Files.getLastModifiedTime(file),
            (int) Files.getAttribute(file, "unix:nlink") > 1);
      } catch (NoSuchFileException e) {
        return new Held(file, 0, FileTime.fromMillis(0), false); // Another process removed it.
      }
    }
  }

  private Path pathOf(BlobId id) {
    return blobs.resolve(id.hex().substring(0, 2)).resolve(id.hex().substring(2));
  }
}
