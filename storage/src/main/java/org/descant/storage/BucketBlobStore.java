package org.descant.storage;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.SequenceInputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.Enumeration;
import java.util.HexFormat;
import java.util.NoSuchElementException;
import java.util.OptionalLong;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

/**
 * A {@link BlobStore} in a {@link Bucket}: objects {@code sha256/<2 digits>/<62 digits>}, with a
 * local {@link BlobCache} in front.
 *
 * <p>A blob that is fetched whole is verified before anybody sees it. A download that was cut goes
 * on where it was, also in another process. Bytes with a wrong hash are removed and fetched once
 * more; if they are wrong again, that is said in one sentence and nothing is kept. A range of a
 * blob that is not in the cache is read straight from the bucket: its length is checked, its hash
 * cannot be.
 */
public final class BucketBlobStore implements BlobStore, AutoCloseable {
  private static final int BUFFER_BYTES = 1 << 18;

  private final Bucket bucket;
  private final BlobCache cache;
  private final ConcurrentMap<BlobId, Object> fetching = new ConcurrentHashMap<>();

  /** Takes the bucket over: closing the store closes it. */
  public BucketBlobStore(Bucket bucket, BlobCache cache) {
    this.bucket = bucket;
    this.cache = cache;
  }

  /** Where the objects lie; for small objects by name beside the blobs. */
  public Bucket bucket() {
    return bucket;
  }

  public BlobCache cache() {
    return cache;
  }

  @Override
  public BlobId put(Path file) {
    if (!Files.isRegularFile(file)) {
      throw new StorageException(
          "Cannot store %s: %s."
              .formatted(
                  file, Files.exists(file) ? "it is not a regular file" : "it does not exist"));
    }
    try {
      BlobId id = BlobId.ofSha256(hash(file));
      OptionalLong there = bucket.size(key(id));
      if (there.isEmpty() || there.getAsLong() != Files.size(file)) {
        bucket.write(key(id), file);
      }
      return id;
    } catch (IOException e) {
      throw WriteAside.refusal("read", file, e);
    }
  }

  @Override
  public BlobId put(InputStream bytes) {
    Path aside = null;
    try {
      aside = Files.createTempFile(cache.root().resolve("incoming"), "put-", ".tmp");
      try (OutputStream out = Files.newOutputStream(aside)) {
        bytes.transferTo(out);
      }
      return put(aside);
    } catch (IOException e) {
      throw WriteAside.refusal("store a file in", cache.root(), e);
    } finally {
      WriteAside.discard(aside);
    }
  }

  @Override
  public InputStream open(BlobId id) {
    for (int attempt = 0; ; attempt++) {
      Path file = localPath(id);
      try {
        return Files.newInputStream(file);
      } catch (NoSuchFileException e) {
        if (attempt > 0) { // Another process made room in between, twice.
          throw WriteAside.refusal("read", file, e);
        }
      } catch (IOException e) {
        throw WriteAside.refusal("read", file, e);
      }
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
    Path file = cache.find(id).orElse(null);
    return new SequenceInputStream(
        new Enumeration<>() {
          private long at = offset;

          @Override
          public boolean hasMoreElements() {
            return at < offset + length;
          }

          @Override
          public InputStream nextElement() {
            if (!hasMoreElements()) {
              throw new NoSuchElementException();
            }
            int count = (int) Math.min(Bucket.PART_BYTES, offset + length - at);
            byte[] part = file == null ? bucket.read(key(id), at, count) : read(file, at, count);
            at += count;
            return new ByteArrayInputStream(part);
          }
        });
  }

  private static byte[] read(Path file, long at, int count) {
    ByteBuffer bytes = ByteBuffer.allocate(count);
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      while (bytes.hasRemaining()) {
        if (channel.read(bytes, at + bytes.position()) < 0) {
          throw new StorageException(file + " became shorter while it was read.");
        }
      }
      return bytes.array();
    } catch (IOException e) {
      throw WriteAside.refusal("read", file, e);
    }
  }

  @Override
  public Path localPath(BlobId id) {
    return cache.find(id).orElseGet(() -> fetch(id));
  }

  private Path fetch(BlobId id) {
    Object turn = fetching.computeIfAbsent(id, _ -> new Object());
    synchronized (turn) {
      Path lockFile = cache.root().resolve("incoming").resolve(id.hex() + ".lock");
      try (FileChannel channel =
              FileChannel.open(lockFile, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
          FileLock _ = channel.lock()) {
        Path there = cache.find(id).orElse(null); // Another thread or process may have been faster.
        return there != null ? there : download(id);
      } catch (IOException e) {
        throw WriteAside.refusal("fetch into", cache.root(), e);
      } finally {
        fetching.remove(id, turn);
      }
    }
  }

  private Path download(BlobId id) throws IOException {
    long size = size(id);
    cache.promise(id, size);
    try {
      Path part = cache.partOf(id);
      for (int attempt = 0; attempt < 2; attempt++) {
        fill(id, part, size);
        if (hash(part).equals(id.hex())) {
          return cache.keep(id, part);
        }
        Files.delete(part);
      }
      throw new StorageException(
          "Blob %s in %s is damaged: its %d bytes have another hash, twice; upload the file again."
              .formatted(id, bucket.name(), size));
    } finally {
      cache.forget(size);
    }
  }

  /** Downloads what is missing of a part. */
  private void fill(BlobId id, Path part, long size) throws IOException {
    try (FileChannel out =
        FileChannel.open(part, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      if (out.size() > size) {
        out.truncate(0);
      }
      for (long at = out.size(); at < size; ) {
        byte[] bytes = bucket.read(key(id), at, (int) Math.min(Bucket.PART_BYTES, size - at));
        for (ByteBuffer left = ByteBuffer.wrap(bytes); left.hasRemaining(); ) {
          at += out.write(left, at);
        }
      }
    }
  }

  @Override
  public boolean contains(BlobId id) {
    return bucket.size(key(id)).isPresent();
  }

  @Override
  public long size(BlobId id) {
    Path file = cache.find(id).orElse(null);
    if (file != null) {
      try {
        return Files.size(file);
      } catch (IOException e) {
        throw WriteAside.refusal("read", file, e);
      }
    }
    return bucket
        .size(key(id))
        .orElseThrow(() ->
            new StorageException(
                "Blob %s is not in %s; upload the file again.".formatted(id, bucket.name())));
  }

  @Override
  public void verify(BlobId id) {
    long size =
        bucket
            .size(key(id))
            .orElseThrow(() ->
                new StorageException(
                    "Blob %s is not in %s; upload the file again.".formatted(id, bucket.name())));
    MessageDigest digest = LocalBlobStore.sha256();
    for (long at = 0; at < size; at += Bucket.PART_BYTES) {
      digest.update(bucket.read(key(id), at, (int) Math.min(Bucket.PART_BYTES, size - at)));
    }
    String found = HexFormat.of().formatHex(digest.digest());
    if (!found.equals(id.hex())) {
      throw new StorageException(
          "Blob %s in %s is damaged: its bytes hash to %s; upload the file again."
              .formatted(id, bucket.name(), found));
    }
  }

  private static String hash(Path file) throws IOException {
    MessageDigest digest = LocalBlobStore.sha256();
    byte[] buffer = new byte[BUFFER_BYTES];
    try (InputStream in = Files.newInputStream(file)) {
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        digest.update(buffer, 0, n);
      }
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  private static String key(BlobId id) {
    return "sha256/" + id.hex().substring(0, 2) + "/" + id.hex().substring(2);
  }

  @Override
  public void close() {
    bucket.close();
  }
}
