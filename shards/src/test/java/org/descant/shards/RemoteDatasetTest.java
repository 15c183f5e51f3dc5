package org.descant.shards;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.descant.audio.Pcm;
import org.descant.database.Database;
import org.descant.rights.Rights;
import org.descant.rights.Use;
import org.descant.storage.BucketBlobStore;
import org.descant.storage.StorageException;
import org.descant.storage.testing.CuttingProxy;
import org.descant.storage.testing.S3Server;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A dataset's way to a real S3 server and back. */
class RemoteDatasetTest {
  private static final long CACHE_BYTES = 100_000_000;

  @TempDir Path home;

  private static URI address(int port, String id) {
    return URI.create(
        "s3://%s/team/%s?endpoint=http://127.0.0.1:%d".formatted(S3Server.BUCKET, id, port));
  }

  private BucketBlobStore store(int port, String cache) {
    return RemoteDataset.place(
        URI.create("s3://%s/team?endpoint=http://127.0.0.1:%d".formatted(S3Server.BUCKET, port)),
        home.resolve(cache),
        CACHE_BYTES,
        S3Server.CREDENTIALS);
  }

  @Test
  void aDatasetComesBackWholeWithItsFieldsAndItsWithdrawals() throws Exception {
    try (Database database = Database.temporary();
        S3Server server = new S3Server(Files.createDirectory(home.resolve("s3")))) {
      Rights rights = Rights.open(database);
      var catalog = new TestCatalog(rights);
      var sounds = new ArrayList<Pcm>();
      var sources = new ArrayList<DatasetSource>();
      for (int i = 0; i < 3; i++) {
        sounds.add(ShardFileTest.noise(2, 200_000, i));
        catalog.register(i, sounds.get(i), true);
        sources.add(catalog.source(i, sounds.get(i)));
      }
      Path folder = home.resolve("demo");
      DatasetWriter.write(
          folder, "demo", Use.TRAIN, sources, List.of(), rights.clearance(), Packing.FLAC);
      String id;
      try (BucketBlobStore store = store(server.port(), "push")) {
        id = RemoteDataset.push(folder, store);
        assertThat(RemoteDataset.push(folder, store)).isEqualTo(id);
      }

      Path cache = home.resolve("cache");
      try (var proxy = new CuttingProxy(server.port(), 3, 500_000);
          Dataset dataset =
              RemoteDataset.open(
                  address(proxy.port(), id), cache, CACHE_BYTES, S3Server.CREDENTIALS)) {
        assertThat(proxy.cuts()).isPositive();
        assertThat(dataset.manifest()).isEqualTo(Manifest.read(folder));
        for (int i = 0; i < 3; i++) {
          assertThat(dataset.read(i)).isEqualTo(sounds.get(i));
        }
        dataset.verify();
      }

      var spec = new FieldSpec("captions", FieldType.TEXT, 1, "by hand");
      try (Dataset dataset = Dataset.open(folder)) {
        var writer = new FieldWriter(dataset, spec, home.resolve("made"));
        for (int i = 0; i < 3; i++) {
          writer.put(i, "caption " + i);
        }
        writer.finish();
      }
      Dataset.withdraw(folder, catalog.refuse(1));
      try (BucketBlobStore store = store(server.port(), "push")) {
        RemoteDataset.push(folder, store);
      }
      // Withdrawn here and not there: what is known here stays.
      Path fetched = cache.resolve("datasets").resolve(id);
      try (var proxy = new CuttingProxy(server.port(), 0, 0);
          Dataset dataset =
              RemoteDataset.open(
                  address(proxy.port(), id), cache, CACHE_BYTES, S3Server.CREDENTIALS)) {
        assertThat(dataset.withdrawn(1)).isTrue();
        assertThat(proxy.bytesDown()).as("the sound is not fetched again").isLessThan(100_000);
        try (FieldFile captions = dataset.field(spec)) {
          assertThat(captions.text(2)).isEqualTo("caption 2");
        }
      }
      Dataset.withdraw(fetched, catalog.refuse(2));
      try (Dataset dataset =
          RemoteDataset.open(
              address(server.port(), id), cache, CACHE_BYTES, S3Server.CREDENTIALS)) {
        assertThat(dataset.tombstones()).hasSize(2);
      }

      // A folder that lost its withdrawals cannot undo them for the others.
      Files.delete(folder.resolve("tombstones.jsonl"));
      try (BucketBlobStore store = store(server.port(), "push")) {
        assertThatThrownBy(() -> RemoteDataset.push(folder, store))
            .isInstanceOf(ShardException.class)
            .hasMessageContaining("knows withdrawals");
        assertThatThrownBy(() -> RemoteDataset.fetch("nothing-here", store, home.resolve("x")))
            .isInstanceOf(ShardException.class)
            .hasMessageContaining("dataset push");

        // An index that lists another file for a shard, or a place outside.
        String key = "datasets/" + id + ".json";
        String index = new String(store.bucket().read(key), StandardCharsets.UTF_8);
        String shard = Manifest.read(folder).shards().getFirst().sha256();
        String fields = Manifest.read(folder).shards().getFirst().fieldsSha256();
        store.bucket().write(key, index.replace(shard, fields).getBytes(StandardCharsets.UTF_8));
        assertThatThrownBy(() -> RemoteDataset.fetch(id, store, home.resolve("y")))
            .isInstanceOf(ShardException.class)
            .hasMessageContaining("not those of its manifest");
        assertThat(home.resolve("y/manifest.json")).doesNotExist();
        store
            .bucket()
            .write(
                key,
                index.replace("shard-00000.dsc", "../outside").getBytes(StandardCharsets.UTF_8));
        assertThatThrownBy(() -> RemoteDataset.fetch(id, store, home.resolve("z")))
            .isInstanceOf(ShardException.class)
            .hasMessageContaining("../outside");
        store.bucket().write(key, index.getBytes(StandardCharsets.UTF_8));
      }

      // Half a shard in the bucket is found, whatever its index says.
      try (BucketBlobStore store = store(server.port(), "half")) {
        String hex = Manifest.read(folder).shards().getFirst().sha256();
        store
            .bucket()
            .write("sha256/" + hex.substring(0, 2) + "/" + hex.substring(2), new byte[1000]);
        assertThatThrownBy(() -> RemoteDataset.fetch(id, store, home.resolve("half-demo")))
            .isInstanceOf(StorageException.class)
            .hasMessageContaining("damaged");
      }
    }
  }
}
