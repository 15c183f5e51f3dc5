package org.descant.storage;

import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.ReadOnlyFileSystemException;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/**
 * A {@link BlobStore} in one local folder: {@code sha256/<2 digits>/<62 digits>}, writes in {@code
 * incoming/}. Safe for many threads and processes: two that put the same bytes rename the same
 * content onto the same name.
 */
public final class LocalBlobStore implements BlobStore {
  private static final int BUFFER_BYTES = 1 << 18;

  private final Path root;
  private final Path incoming;

  /** Opens the store, creating its folders when they are missing. */
  public LocalBlobStore(Path root) {
    this.root = root.toAbsolutePath().normalize();
    this.incoming = WriteAside.createFolders(this.root.resolve("incoming"));
    WriteAside.createFolders(this.root.resolve("sha256"));
  }

  @Override
  public BlobId put(Path file) {
    if (!Files.isRegularFile(file)) {
      throw new StorageException(
          "Cannot store %s: %s."
              .formatted(
                  file, Files.exists(file) ? "it is not a regular file" : "it does not exist"));
    }
    try (InputStream in = Files.newInputStream(file)) {
      DiskSpace.require(root, Files.size(file), file.getFileName() + " in the blob store");
      return put(in);
    } catch (IOException e) {
      throw WriteAside.refusal("read", file, e);
    }
  }

  @Override
  public BlobId put(InputStream bytes) {
    Path aside = null;
    try {
      aside = Files.createTempFile(incoming, "blob-", ".tmp");
      MessageDigest digest = sha256();
      long size = 0;
      try (OutputStream out = Files.newOutputStream(aside)) {
        byte[] buffer = new byte[BUFFER_BYTES];
        for (int n = bytes.read(buffer); n >= 0; n = bytes.read(buffer)) {
          digest.update(buffer, 0, n);
          out.write(buffer, 0, n);
          size += n;
        }
      }
      BlobId id = BlobId.ofSha256(HexFormat.of().formatHex(digest.digest()));
      Path target = pathOf(id);
      if (Files.exists(target) && Files.size(target) == size) {
        Files.delete(aside);
        return id;
      }
      WriteAside.sync(aside);
      Path folder = WriteAside.createFolders(folderOf(id));
      Files.move(
          aside, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      WriteAside.syncFolder(folder);
      return id;
    } catch (IOException | ReadOnlyFileSystemException e) {
      WriteAside.discard(aside);
      throw WriteAside.refusal("store a file in", root, e);
    }
  }

  /**
   * Takes a file into the store without copying it: after {@code true} it is gone from where it
   * was. It must lie on the store's disk, and nobody may write to it meanwhile.
   *
   * @return false when its bytes have another hash; then it stays, and the store is as before
   */
  public boolean adopt(Path file, BlobId expected) {
    try {
      MessageDigest digest = sha256();
      try (InputStream in = Files.newInputStream(file)) {
        digestAll(in, digest);
      }
      if (!HexFormat.of().formatHex(digest.digest()).equals(expected.hex())) {
        return false;
      }
      Path target = pathOf(expected);
      if (Files.exists(target) && Files.size(target) == Files.size(file)) {
        Files.delete(file);
        return true;
      }
      WriteAside.sync(file);
      Path folder = WriteAside.createFolders(folderOf(expected));
      Files.move(file, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      WriteAside.syncFolder(folder);
      return true;
    } catch (IOException | ReadOnlyFileSystemException e) {
      throw WriteAside.refusal("take into the blob store", file, e);
    }
  }

  /**
   * Forgets a blob that nothing refers to any more; the caller knows that. Readers that have it
   * open keep it until they close it.
   *
   * @return whether it was there
   */
  public boolean delete(BlobId id) {
    try {
      return Files.deleteIfExists(pathOf(id));
    } catch (IOException | ReadOnlyFileSystemException e) {
      throw WriteAside.refusal("delete", pathOf(id), e);
    }
  }

  @Override
  public InputStream open(BlobId id) {
    try {
      return Files.newInputStream(pathOf(id));
    } catch (NoSuchFileException e) {
      throw missing(id, e);
    } catch (IOException e) {
      throw WriteAside.refusal("read", pathOf(id), e);
    }
  }

  @Override
  public InputStream open(BlobId id, long offset, long length) {
    long size = size(id);
    if (offset < 0 || length < 0 || offset > size - length) {
      throw new StorageException(
          "Blob %s has %d bytes; %d bytes from %d are not in it."
              .formatted(id, size, length, offset));
    }
    try {
      FileChannel channel = FileChannel.open(pathOf(id), StandardOpenOption.READ);
      channel.position(offset);
      return new Range(Channels.newInputStream(channel), length);
    } catch (IOException e) {
      throw WriteAside.refusal("read", pathOf(id), e);
    }
  }

  @Override
  public Path localPath(BlobId id) {
    Path path = pathOf(id);
    if (!Files.exists(path)) {
      throw missing(id, null);
    }
    return path;
  }

  @Override
  public boolean contains(BlobId id) {
    return Files.exists(pathOf(id));
  }

  @Override
  public long size(BlobId id) {
    try {
      return Files.size(pathOf(id));
    } catch (NoSuchFileException e) {
      throw missing(id, e);
    } catch (IOException e) {
      throw WriteAside.refusal("read", pathOf(id), e);
    }
  }

  @Override
  public void verify(BlobId id) {
    String found;
    try (InputStream in = open(id)) {
      MessageDigest digest = sha256();
      digestAll(in, digest);
      found = HexFormat.of().formatHex(digest.digest());
    } catch (IOException e) {
      throw WriteAside.refusal("read", pathOf(id), e);
    }
    if (!found.equals(id.hex())) {
      throw new StorageException(
          "Blob %s is damaged: its bytes hash to %s now; import the file again."
              .formatted(id, found));
    }
  }

  private Path pathOf(BlobId id) {
    return folderOf(id).resolve(id.hex().substring(2));
  }

  private Path folderOf(BlobId id) {
    return root.resolve("sha256").resolve(id.hex().substring(0, 2));
  }

  private StorageException missing(BlobId id, @Nullable Throwable cause) {
    return new StorageException(
        "Blob %s is not in %s; import the recording again.".formatted(id, root), cause);
  }

  private static void digestAll(InputStream in, MessageDigest digest) throws IOException {
    byte[] buffer = new byte[BUFFER_BYTES];
    for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
      digest.update(buffer, 0, n);
    }
  }

  static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }

  /** The first {@code left} bytes of a stream. */
  private static final class Range extends FilterInputStream {
    private long left;

    Range(InputStream in, long length) {
      super(in);
      this.left = length;
    }

    @Override
    public int read() throws IOException {
      if (left <= 0) {
        return -1;
      }
      int value = super.read();
      left -= value < 0 ? 0 : 1;
      return value;
    }

    @Override
    public int read(byte[] into, int from, int count) throws IOException {
      if (left <= 0) {
        return count == 0 ? 0 : -1;
      }
      int n = super.read(into, from, (int) Math.min(count, left));
      left -= Math.max(0, n);
      return n;
    }

    @Override
    public long skip(long count) throws IOException {
      long n = super.skip(Math.min(count, left));
      left -= n;
      return n;
    }

    @Override
    public int available() throws IOException {
      return (int) Math.min(super.available(), left);
    }

    @Override
    public boolean markSupported() {
      return false;
    }
  }
}
