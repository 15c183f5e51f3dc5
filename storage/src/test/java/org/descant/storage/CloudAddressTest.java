package org.descant.storage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.InputStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Base64;
import java.util.Map;
import java.util.SplittableRandom;
import org.descant.storage.testing.CloudServer;
import org.descant.storage.testing.CuttingProxy;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The protocols of Google Cloud Storage and Azure, as far as a local server can show them. */
class CloudAddressTest {
  @TempDir Path folder;

  @Test
  void googleCloudStorage() throws Exception {
    roundTrip(
        "gs://bucket/some/prefix?endpoint=http://127.0.0.1:%d",
        Map.of(
            "allow_anonymous", "true",
            "disable_vm_metadata", "true",
            "disable_config_load", "true"));
  }

  @Test
  void azureBlobStorage() throws Exception {
    byte[] key = "no secret".getBytes(StandardCharsets.UTF_8);
    roundTrip(
        "az://container/some/prefix?account=name&endpoint=http://127.0.0.1:%d",
        Map.of("account_key", Base64.getEncoder().encodeToString(key)));
  }

  private void roundTrip(String address, Map<String, String> options) throws Exception {
    byte[] large = new byte[2 * Bucket.PART_BYTES + 777];
    new SplittableRandom(1).nextBytes(large);
    Path file = Files.write(folder.resolve("large"), large);
    try (var server = new CloudServer();
        var proxy = new CuttingProxy(server.port(), 2, 1 << 20)) {
      BlobId id;
      URI direct = URI.create(address.formatted(server.port()));
      try (var store = (BucketBlobStore) BlobStores.open(direct, folder, 1 << 26, options)) {
        id = store.put(file);
        assertThat(store.contains(id)).isTrue();
        assertThat(store.contains(BlobId.ofSha256("ab".repeat(32)))).isFalse();
        try (InputStream in = store.open(id, 1_000, 50)) {
          assertThat(in.readAllBytes()).isEqualTo(Arrays.copyOfRange(large, 1_000, 1_050));
        }
        store.verify(id);
      }
      URI cut = URI.create(address.formatted(proxy.port()));
      try (var store = (BucketBlobStore) BlobStores.open(cut, folder, 1 << 26, options)) {
        assertThat(Files.readAllBytes(store.localPath(id))).isEqualTo(large);
        assertThat(proxy.cuts()).isEqualTo(2);
        String key = "sha256/" + id.hex().substring(0, 2) + "/" + id.hex().substring(2);
        store.bucket().delete(key);
        store.bucket().delete(key);
        assertThat(store.contains(id)).isFalse();
        assertThatThrownBy(() -> store.verify(id)).hasMessageContaining("is not in");
      }
    }
  }
}
