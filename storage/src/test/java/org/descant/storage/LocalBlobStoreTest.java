package org.descant.storage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LocalBlobStoreTest {
  private static final String ABC =
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

  @TempDir Path folder;

  @Test
  void aBlobIsNamedByTheSha256OfItsBytes() {
    BlobStore store = new LocalBlobStore(folder);

    BlobId id = store.put(stream("abc"));

    assertThat(id.value())
        .isEqualTo("sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assertThat(store.contains(id)).isTrue();
    assertThat(store.size(id)).isEqualTo(3);
  }

  @Test
  void whatWentInComesOutWholeAndInRanges() throws IOException {
    BlobStore store = new LocalBlobStore(folder);
    SplittableRandom random = new SplittableRandom(7);
    for (int round = 0; round < 40; round++) {
      byte[] bytes = new byte[random.nextInt(0, 600_000)];
      random.nextBytes(bytes);
      BlobId id = store.put(new ByteArrayInputStream(bytes));

      try (InputStream in = store.open(id)) {
        assertThat(in.readAllBytes()).isEqualTo(bytes);
      }
      int from = random.nextInt(0, bytes.length + 1);
      int length = random.nextInt(0, bytes.length - from + 1);
      try (InputStream in = store.open(id, from, length)) {
        assertThat(in.readAllBytes())
            .isEqualTo(java.util.Arrays.copyOfRange(bytes, from, from + length));
      }
      store.verify(id);
    }
  }

  @Test
  void aFileIsTakenInWithoutACopyOnlyUnderItsOwnHash() throws IOException {
    LocalBlobStore store = new LocalBlobStore(folder.resolve("store"));
    BlobId abc = new BlobId("sha256:" + ABC);
    Path right = Files.writeString(folder.resolve("right"), "abc");
    Path wrong = Files.writeString(folder.resolve("wrong"), "abd");
    Object inode = Files.getAttribute(right, "unix:ino");

    assertThat(store.adopt(wrong, abc)).isFalse();
    assertThat(wrong).hasContent("abd");
    assertThat(store.contains(abc)).isFalse();
    assertThat(store.adopt(right, abc)).isTrue();
    assertThat(right).doesNotExist();
    assertThat(Files.getAttribute(store.localPath(abc), "unix:ino")).isEqualTo(inode);
    store.verify(abc);

    Path again = Files.writeString(folder.resolve("again"), "abc");
    assertThat(store.adopt(again, abc)).isTrue();
    assertThat(again).doesNotExist();
    store.verify(abc);
    assertThatThrownBy(() -> store.adopt(folder.resolve("absent"), abc))
        .isInstanceOf(StorageException.class);
  }

  @Test
  void aDeletedBlobIsGoneAndMayComeAgain() {
    LocalBlobStore store = new LocalBlobStore(folder);
    BlobId id = store.put(stream("abc"));

    assertThat(store.delete(id)).isTrue();
    assertThat(store.delete(id)).isFalse();
    assertThat(store.contains(id)).isFalse();
    assertThatThrownBy(() -> store.open(id)).isInstanceOf(StorageException.class);
    store.verify(store.put(stream("abc")));
  }

  @Test
  void aRangeBeyondTheEndIsRefused() {
    BlobStore store = new LocalBlobStore(folder);
    BlobId id = store.put(stream("abc"));

    for (long[] range : new long[][] {{-1, 1}, {0, 4}, {3, 1}, {0, -1}, {Long.MAX_VALUE, 2}}) {
      assertThatThrownBy(() -> store.open(id, range[0], range[1]))
          .isInstanceOf(StorageException.class)
          .hasMessageContaining("has 3 bytes");
    }
  }

  @Test
  void theSameBytesTwiceKeepOneCopyAndNothingAside() throws IOException {
    BlobStore store = new LocalBlobStore(folder);

    assertThat(store.put(stream("twice"))).isEqualTo(store.put(stream("twice")));

    assertThat(files()).hasSize(1);
  }

  @Test
  void aFailedWriteLeavesNothing() throws IOException {
    BlobStore store = new LocalBlobStore(folder);
    InputStream broken =
        new InputStream() {
          private int given;

          @Override
          public int read() throws IOException {
            if (given++ > 1000) {
              throw new IOException("the cable was pulled");
            }
            return 'x';
          }
        };

    assertThatThrownBy(() -> store.put(broken)).hasMessageContaining("the cable was pulled");

    assertThat(files()).isEmpty();
  }

  @Test
  void manyThreadsWithTheSameBytesEndWithOneCopy() throws Exception {
    BlobStore store = new LocalBlobStore(folder);
    try (var pool = Executors.newFixedThreadPool(8)) {
      List<Future<BlobId>> ids = new ArrayList<>();
      for (int i = 0; i < 64; i++) {
        Callable<BlobId> put = () -> store.put(stream("race".repeat(10_000)));
        ids.add(pool.submit(put));
      }
      for (Future<BlobId> id : ids) {
        store.verify(id.get());
      }
    }
    assertThat(files()).hasSize(1);
  }

  @Test
  void damagedBytesAreFoundAndHealedByPuttingTheFileAgain() throws IOException {
    BlobStore store = new LocalBlobStore(folder);
    BlobId id = store.put(stream("whole"));
    Files.writeString(store.localPath(id), "holes");
    assertThatThrownBy(() -> store.verify(id)).hasMessageContaining("damaged");

    Files.writeString(store.localPath(id), "cut");
    store.put(stream("whole"));

    store.verify(id);
  }

  @Test
  void whatIsNotThereIsSaidInOneSentence() {
    BlobStore store = new LocalBlobStore(folder);
    BlobId unknown = BlobId.ofSha256("0".repeat(64));

    assertThat(store.contains(unknown)).isFalse();
    assertThatThrownBy(() -> store.open(unknown))
        .hasMessageContaining("import the recording again");
    assertThatThrownBy(() -> store.localPath(unknown)).isInstanceOf(StorageException.class);
    assertThatThrownBy(() -> store.put(folder)).hasMessageContaining("not a regular file");
    assertThatThrownBy(() -> store.put(folder.resolve("none")))
        .hasMessageContaining("does not exist");
    assertThatThrownBy(() -> new BlobId("sha256:XYZ")).hasMessageContaining("not a blob id");
  }

  @Test
  void aPlaceThatCannotBeWrittenIsRefusedWithAReason() throws IOException {
    assertThatThrownBy(() -> new LocalBlobStore(Path.of("/proc/descant")))
        .isInstanceOf(StorageException.class);
    Path file = Files.writeString(folder.resolve("file"), "x");
    assertThatThrownBy(() -> new LocalBlobStore(file.resolve("store")))
        .isInstanceOf(StorageException.class)
        .hasMessageContaining("a file stands where a folder should be");
  }

  @Test
  void aDiskWithoutRoomIsASentenceBeforeTheWrite() {
    DiskSpace.require(folder, 1, "a byte");
    assertThatThrownBy(() -> DiskSpace.require(folder, 1L << 60, "the demo delivery"))
        .isInstanceOf(StorageException.class)
        .hasMessageStartingWith("There is no room for the demo delivery: it needs 1152921504.7 GB");
  }

  @Test
  void writeAsideKeepsTheOldFileWhenTheNewOneFails() throws IOException {
    Path file = folder.resolve("deep/er/note.txt");
    WriteAside.write(file, "old");

    assertThatThrownBy(() ->
            WriteAside.write(
                file,
                out -> {
                  out.write('n');
                  throw new IOException("No space left on device");
                }))
        .hasMessageContaining("the disk is full");

    assertThat(file).hasContent("old");
    try (Stream<Path> siblings = Files.list(file.getParent())) {
      assertThat(siblings).containsExactly(file);
    }
  }

  private List<Path> files() throws IOException {
    try (Stream<Path> all = Files.walk(folder)) {
      return all.filter(Files::isRegularFile).toList();
    }
  }

  private static InputStream stream(String text) {
    return new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8));
  }
}
