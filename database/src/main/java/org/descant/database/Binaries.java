package org.descant.database;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.jspecify.annotations.Nullable;
import org.tukaani.xz.XZInputStream;

/**
 * The programs of PostgreSQL, unpacked once per user from the jar that carries them (about 60 MB, a
 * second), into {@code ~/.cache/descant}, or under the home when that cannot be written.
 */
final class Binaries {
  /** Major version of the programs, and so of every cluster that they can open. */
  static final int MAJOR = 18;

  private static final String RELEASE = "18.6";
  private static final String ARCHIVE = "/postgres-linux-x86_64.txz";

  /** The archive in the jar has 1,900 entries and 60 MB; these bounds only stop a broken one. */
  private static final int ENTRIES_MAX = 20_000;

  private static final long BYTES_MAX = 400_000_000;

  private Binaries() {}

  /**
   * The folder that holds {@code bin/postgres}.
   *
   * @param fallback where to unpack when the user's cache cannot be written
   * @param forEverybody whether another user must be able to run them, so that no folder above may
   *     be closed
   */
  static synchronized Path folder(Path fallback, boolean forEverybody) {
    String name = "postgresql-" + RELEASE + "-linux-amd64";
    List<Path> places = new ArrayList<>(List.of(cache().resolve(name), fallback.resolve(name)));
    if (forEverybody) {
      places.removeIf(place -> !isOpen(place));
      places.add(Path.of(System.getProperty("java.io.tmpdir"), "descant-" + name));
    }
    for (Path place : places) {
      if (complete(place)) {
        return place;
      }
    }
    IOException failure = new IOException("no place");
    for (Path place : places) {
      try {
        return unpack(place);
      } catch (IOException e) {
        e.addSuppressed(failure);
        failure = e;
      }
    }
    throw EmbeddedServer.unusable(fallback, failure);
  }

  /** Whether everybody may pass through the folders above that exist. */
  private static boolean isOpen(Path place) {
    for (Path above = place.getParent(); above != null; above = above.getParent()) {
      try {
        if (Files.exists(above)
            && !Files.getPosixFilePermissions(above).contains(PosixFilePermission.OTHERS_EXECUTE)) {
          return false;
        }
      } catch (IOException e) {
        return false;
      }
    }
    return true;
  }

  private static Path cache() {
    String xdg = System.getenv("XDG_CACHE_HOME");
    Path base =
        xdg != null && xdg.startsWith("/")
            ? Path.of(xdg)
            : Path.of(System.getProperty("user.home", "/"), ".cache");
    return base.resolve("descant");
  }

  /** Throws where the programs cannot run. */
  static void requirePlatform() {
    String system = System.getProperty("os.name", "");
    String machine = System.getProperty("os.arch", "");
    if (!system.toLowerCase(Locale.ROOT).equals("linux") || !machine.equals("amd64")) {
      throw new DatabaseException(
          "The built-in PostgreSQL runs on Linux x86-64, this is %s %s: start a PostgreSQL of your own and name it in %s"
              .formatted(system, machine, Database.URL_VARIABLE));
    }
  }

  private static boolean complete(Path folder) {
    // The folder gets its name only once everything is in it. It is ours, or we do not run it: in
    // the folder for temporary files anybody may have put one of this name.
    try {
      return Files.isExecutable(folder.resolve("bin/postgres"))
          && Files.getAttribute(folder, "unix:uid", LinkOption.NOFOLLOW_LINKS)
              .equals(Files.getAttribute(Path.of("/proc/self"), "unix:uid"));
    } catch (IOException e) {
      return false;
    }
  }

  private static Path unpack(Path target) throws IOException {
    Path parent = Files.createDirectories(requireParent(target));
    try (FileChannel channel =
            FileChannel.open(
                parent.resolve(target.getFileName() + ".lock"),
                StandardOpenOption.CREATE,
                StandardOpenOption.WRITE);
        FileLock _ = channel.lock()) {
      if (complete(target)) {
        return target;
      }
      Path aside = parent.resolve(target.getFileName() + ".tmp");
      deleteTree(aside);
      extract(aside);
      deleteTree(target);
      try {
        Files.move(aside, target, StandardCopyOption.ATOMIC_MOVE);
      } catch (AtomicMoveNotSupportedException e) {
        Files.move(aside, target);
      }
      return target;
    }
  }

  private static void extract(Path folder) throws IOException {
    try (InputStream packed = Binaries.class.getResourceAsStream(ARCHIVE)) {
      if (packed == null) {
        throw new DatabaseException(
            "The built-in PostgreSQL is not on the class path: build again, or name a server in "
                + Database.URL_VARIABLE);
      }
      try (TarArchiveInputStream tar =
          new TarArchiveInputStream(new XZInputStream(new BufferedInputStream(packed, 1 << 16)))) {
        extract(tar, folder);
      }
    }
  }

  private static void extract(TarArchiveInputStream tar, Path folder) throws IOException {
    Files.createDirectories(folder);
    List<Path[]> links = new ArrayList<>();
    int entries = 0;
    long bytes = 0;
    for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
      bytes += entry.getSize();
      if (++entries > ENTRIES_MAX || bytes > BYTES_MAX) {
        throw new IOException("the PostgreSQL archive is larger than it can be");
      }
      Path path = inside(folder, folder.resolve(entry.getName()));
      if (entry.isDirectory()) {
        Files.createDirectories(path);
        continue;
      }
      Files.createDirectories(requireParent(path));
      if (entry.isSymbolicLink()) {
        Path to = Path.of(entry.getLinkName());
        inside(folder, requireParent(path).resolve(to));
        links.add(new Path[] {path, to});
      } else if (entry.isFile()) {
        Files.copy(tar, path);
        Files.setPosixFilePermissions(path, permissions(entry.getMode()));
      }
    }
    for (Path[] link : links) {
      Files.createSymbolicLink(link[0], link[1]);
    }
  }

  private static Path inside(Path folder, Path path) throws IOException {
    if (!path.normalize().startsWith(folder.normalize())) {
      throw new IOException("the PostgreSQL archive names a file outside of itself: " + path);
    }
    return path.normalize();
  }

  private static Set<PosixFilePermission> permissions(int mode) {
    // Everybody may read and run the programs: the server may run as another user than root.
    Set<PosixFilePermission> set =
        EnumSet.of(
            PosixFilePermission.OWNER_READ,
            PosixFilePermission.OWNER_WRITE,
            PosixFilePermission.GROUP_READ,
            PosixFilePermission.OTHERS_READ);
    if ((mode & 0111) != 0) {
      set.add(PosixFilePermission.OWNER_EXECUTE);
      set.add(PosixFilePermission.GROUP_EXECUTE);
      set.add(PosixFilePermission.OTHERS_EXECUTE);
    }
    return set;
  }

  private static Path requireParent(Path path) throws IOException {
    @Nullable Path parent = path.getParent();
    if (parent == null) {
      throw new IOException(path + " has no folder around it");
    }
    return parent;
  }

  /** Deletes a folder with everything in it, without following links; nothing when missing. */
  static void deleteTree(Path folder) throws IOException {
    if (!Files.exists(folder, LinkOption.NOFOLLOW_LINKS)) {
      return;
    }
    try (Stream<Path> paths = Files.walk(folder)) {
      for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(path);
      }
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }
}
