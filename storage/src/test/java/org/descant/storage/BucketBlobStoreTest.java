package org.descant.storage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.descant.storage.testing.CuttingProxy;
import org.descant.storage.testing.S3Server;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Against a real S3 server over real sockets. */
class BucketBlobStoreTest {
  private static final long CACHE_BYTES = 200_000_000;
  private static final int LARGE = 3 * Bucket.PART_BYTES + 12_345;

  @TempDir static Path home;
  private static S3Server server;
  private static byte[] large;
  private static BlobId largeId;

  @TempDir Path folder;

  @BeforeAll
  static void start() throws Exception {
    server = new S3Server(Files.createDirectory(home.resolve("s3")));
    large = bytes(LARGE, 1);
    try (BucketBlobStore store = store(server.port(), home.resolve("first"), CACHE_BYTES)) {
      largeId = store.put(Files.write(home.resolve("large"), large));
    }
  }

  @AfterAll
  static void stop() throws Exception {
    server.close();
  }

  private static BucketBlobStore store(int port, Path cache, long cacheBytes) {
    URI address =
        URI.create(
            "s3://%s/some/prefix?region=us-east-1&endpoint=http://127.0.0.1:%d"
                .formatted(S3Server.BUCKET, port));
    return (BucketBlobStore) BlobStores.open(address, cache, cacheBytes, S3Server.CREDENTIALS);
  }

  private static byte[] bytes(int length, long seed) {
    byte[] bytes = new byte[length];
    new SplittableRandom(seed).nextBytes(bytes);
    return bytes;
  }

  private List<Path> cached() throws IOException {
    try (Stream<Path> files = Files.walk(folder.resolve("sha256"))) {
      return files.filter(Files::isRegularFile).toList();
    }
  }

  @Test
  void whatWentInComesOutWholeAndInRanges() throws Exception {
    try (BucketBlobStore store = store(server.port(), folder, CACHE_BYTES)) {
      var random = new SplittableRandom(7);
      for (int size : new int[] {0, 1, 70_000}) {
        byte[] bytes = bytes(size, size);
        BlobId id = store.put(new ByteArrayInputStream(bytes));
        assertThat(store.put(new ByteArrayInputStream(bytes))).isEqualTo(id);
        assertThat(store.contains(id)).isTrue();
        assertThat(store.size(id)).isEqualTo(size);
        for (int round = 0; round < 2; round++) { // From the bucket, then from the cache.
          int from = random.nextInt(size + 1);
          int length = random.nextInt(size - from + 1);
          try (InputStream in = store.open(id, from, length)) {
            assertThat(in.readAllBytes()).isEqualTo(Arrays.copyOfRange(bytes, from, from + length));
          }
          try (InputStream in = store.open(id)) {
            assertThat(in.readAllBytes()).isEqualTo(bytes);
          }
        }
        assertThatThrownBy(() -> store.open(id, 0, size + 1L)).hasMessageContaining("not in it");
        store.verify(id);
      }
      BlobId unknown = BlobId.ofSha256("ab".repeat(32));
      assertThat(store.contains(unknown)).isFalse();
      assertThatThrownBy(() -> store.localPath(unknown))
          .isInstanceOf(StorageException.class)
          .hasMessageContaining("is not in s3://descant/some/prefix");
      assertThat(cached()).hasSize(3);
    }
  }

  @Test
  void aLargeBlobGoesInPartsAndARangeMayCrossThem() throws Exception {
    try (BucketBlobStore store = store(server.port(), folder, CACHE_BYTES)) {
      int from = Bucket.PART_BYTES - 100;
      int length = Bucket.PART_BYTES + 200;
      try (InputStream in = store.open(largeId, from, length)) {
        assertThat(in.readAllBytes()).isEqualTo(Arrays.copyOfRange(large, from, from + length));
      }
      assertThat(cached()).isEmpty();
      store.verify(largeId);
    }
  }

  @Test
  void connectionsCutInTheMiddleAreRepeated() throws Exception {
    try (var proxy = new CuttingProxy(server.port(), 4, 1 << 20);
        BucketBlobStore store = store(proxy.port(), folder, CACHE_BYTES)) {
      assertThat(Files.readAllBytes(store.localPath(largeId))).isEqualTo(large);
      assertThat(proxy.cuts()).isEqualTo(4);
    }
  }

  @Test
  void aDownloadThatFailedGoesOnWhereItWas() throws Exception {
    Path part = folder.resolve("incoming").resolve(largeId.hex() + ".part");
    // Every answer is cut after 5 MiB, and a part has 8: none ever comes whole.
    try (var proxy = new CuttingProxy(server.port(), Integer.MAX_VALUE, 5 << 20);
        BucketBlobStore store = store(proxy.port(), folder, CACHE_BYTES)) {
      Files.write(part, Arrays.copyOf(large, Bucket.PART_BYTES + 77));
      assertThatThrownBy(() -> store.localPath(largeId))
          .isInstanceOf(StorageException.class)
          .hasMessageStartingWith("Cannot read s3://descant/some/prefix/sha256/")
          .hasMessageContaining("check the network");
      assertThat(proxy.cuts()).isGreaterThanOrEqualTo(Bucket.TRIES);
    }
    assertThat(Files.size(part)).isEqualTo(Bucket.PART_BYTES + 77);
    try (var proxy = new CuttingProxy(server.port(), 0, 0);
        BucketBlobStore store = store(proxy.port(), folder, CACHE_BYTES)) {
      assertThat(Files.readAllBytes(store.localPath(largeId))).isEqualTo(large);
      assertThat(proxy.bytesDown()).isLessThan(LARGE - Bucket.PART_BYTES + 10_000L);
      assertThat(part).doesNotExist();
    }
  }

  @Test
  void aHalfObjectIsNeverGivenAndLeavesNothing() throws Exception {
    byte[] whole = bytes(50_000, 9);
    try (BucketBlobStore store = store(server.port(), folder, CACHE_BYTES)) {
      BlobId id = store.put(new ByteArrayInputStream(whole));
      String key = "sha256/" + id.hex().substring(0, 2) + "/" + id.hex().substring(2);
      for (byte[] wrong : List.of(Arrays.copyOf(whole, 25_000), bytes(50_000, 10))) {
        store.bucket().write(key, wrong);
        assertThatThrownBy(() -> store.localPath(id))
            .isInstanceOf(StorageException.class)
            .hasMessageContaining("is damaged: its %d bytes".formatted(wrong.length))
            .hasMessageContaining("upload the file again");
        assertThatThrownBy(() -> store.verify(id)).hasMessageContaining("damaged");
        assertThat(cached()).isEmpty();
        assertThat(store.cache().partOf(id)).doesNotExist();
      }
      store.bucket().write(key, Arrays.copyOf(whole, 25_000));
      store.put(new ByteArrayInputStream(whole));
      assertThat(Files.readAllBytes(store.localPath(id))).isEqualTo(whole);
    }
  }

  /** The bytes on disk are wrong, those in the bucket are right: one more download heals it. */
  @Test
  void aDamagedPartIsFetchedOnceMore() throws Exception {
    byte[] whole = bytes(60_000, 11);
    try (BucketBlobStore store = store(server.port(), folder, CACHE_BYTES)) {
      BlobId id = store.put(new ByteArrayInputStream(whole));
      Files.write(store.cache().partOf(id), new byte[30_000]);
      assertThat(Files.readAllBytes(store.localPath(id))).isEqualTo(whole);
    }
  }

  @Test
  void theCacheStaysWithinItsBoundAndKeepsWhatIsUsed() throws Exception {
    try (BucketBlobStore store = store(server.port(), folder, 250_000)) {
      var ids = new ArrayList<BlobId>();
      for (int i = 0; i < 4; i++) {
        ids.add(store.put(new ByteArrayInputStream(bytes(100_000, 20 + i))));
      }
      Path first = store.localPath(ids.get(0));
      Thread.sleep(20);
      Path second = store.localPath(ids.get(1));
      Thread.sleep(20);
      store.localPath(ids.get(0)); // Used again: the second is the oldest now.
      Thread.sleep(20);
      Path third = store.localPath(ids.get(2));
      assertThat(first).exists();
      assertThat(second).doesNotExist();
      Files.createLink(folder.resolve("in-use-1"), first);
      Files.createLink(folder.resolve("in-use-3"), third);
      assertThatThrownBy(() -> store.localPath(ids.get(3)))
          .isInstanceOf(StorageException.class)
          .hasMessageContaining("in use");
      Files.delete(folder.resolve("in-use-1"));
      assertThat(store.localPath(ids.get(3))).exists();
      assertThat(first).doesNotExist();
      assertThat(third).exists();
      assertThatThrownBy(() -> store.localPath(largeId)).hasMessageContaining("give it more");
    }
  }

  @Test
  void manyThreadsThatWantOneBlobFetchItOnce() throws Exception {
    try (var proxy = new CuttingProxy(server.port(), 0, 0);
        BucketBlobStore store = store(proxy.port(), folder, CACHE_BYTES);
        var pool = Executors.newFixedThreadPool(8)) {
      List<Future<Path>> paths = new ArrayList<>();
      for (int i = 0; i < 32; i++) {
        Callable<Path> fetch = () -> store.localPath(largeId);
        paths.add(pool.submit(fetch));
      }
      for (Future<Path> path : paths) {
        assertThat(path.get()).hasSize(LARGE);
      }
      assertThat(proxy.bytesDown()).isLessThan(LARGE + 1_000_000L);
    }
  }

  @Test
  void anAddressThatIsNoneIsRefused() {
    for (String wrong :
        List.of(
            "http://bucket/x",
            "s3:///x",
            "s3://key:secret@bucket/x",
            "s3://bucket/x?secret=1",
            "gs://bucket/x?region=1",
            "az://container/x")) {
      assertThatThrownBy(() -> BlobStores.open(URI.create(wrong), folder, 1))
          .as(wrong)
          .isInstanceOf(StorageException.class);
    }
    assertThatThrownBy(
            () -> BlobStores.open(URI.create("s3://bucket/x"), folder, 1, Map.of("password", "x")))
        .hasMessageContaining("not an option");
    assertThat(BlobStores.open(folder.toUri(), folder, 1)).isInstanceOf(LocalBlobStore.class);
  }
}
