package org.descant.shards;

import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.descant.storage.BlobId;
import org.descant.storage.BlobStores;
import org.descant.storage.BucketBlobStore;
import org.descant.storage.StorageException;
import tools.jackson.core.JacksonException;

/**
 * Datasets in an object store: {@code ADDRESS/datasets/ID.json} lists the files of a dataset by the
 * hash of their content, and each file is a blob under {@code ADDRESS/sha256}, so that what two
 * datasets share is stored once.
 *
 * <p>A dataset comes here whole, through the local cache, as a folder of hard links: it is read as
 * fast as any other, and its blobs stay in the cache for as long as the folder does.
 */
public final class RemoteDataset {
  private static final int VERSION = 1;
  private static final Pattern ID = Pattern.compile("[a-z0-9][a-z0-9._-]{0,99}");
  private static final Pattern FILE_NAME =
      Pattern.compile("[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)?");

  private RemoteDataset() {}

  record Listed(String path, long bytes, String sha256) {}

  record Index(int version, String id, String root, List<Listed> files) {
    Index {
      files = List.copyOf(files);
      for (Listed file : files) {
        if (!FILE_NAME.matcher(file.path()).matches()) {
          throw new ShardException(
              "a dataset's index lists '%s', which is no name of a file in it"
                  .formatted(file.path()));
        }
      }
    }
  }

  /**
   * Uploads a dataset with its fields and withdrawals. What is there already is not sent again; the
   * index is written last, so that others see the dataset whole or not at all.
   *
   * @return the dataset's id, by which it is fetched
   * @throws ShardException when the place knows withdrawals that this folder does not
   * @throws StorageException when the network or the place fails
   */
  public static String push(Path folder, BucketBlobStore store) {
    Manifest manifest = Manifest.read(folder);
    var files = new ArrayList<Listed>();
    try {
      keepWithdrawals(folder, manifest, store);
      for (String name : filesOf(folder)) {
        Path file = folder.resolve(name);
        BlobId id = store.put(file);
        files.add(new Listed(name, Files.size(file), id.hex()));
      }
    } catch (IOException e) {
      throw new ShardException("cannot read dataset " + folder + ": " + e.getMessage(), e);
    }
    var index = new Index(VERSION, manifest.id(), manifest.root(), files);
    compare(index, manifest);
    store.bucket().write(key(manifest.id()), Json.MAPPER.writeValueAsBytes(index));
    return manifest.id();
  }

  /** Withdrawals only grow: the text there must be the beginning of the text here. */
  private static void keepWithdrawals(Path folder, Manifest manifest, BucketBlobStore store)
      throws IOException {
    if (store.bucket().size(key(manifest.id())).isEmpty()) {
      return;
    }
    for (Listed file : index(manifest.id(), store).files()) {
      if (file.path().equals(Tombstones.FILE)) {
        Path here = folder.resolve(Tombstones.FILE);
        String known = Files.exists(here) ? Files.readString(here) : "";
        String there = Files.readString(store.localPath(BlobId.ofSha256(file.sha256())));
        if (!known.startsWith(there)) {
          throw new ShardException(
              "%s knows withdrawals of dataset %s that %s does not; fetch it first"
                  .formatted(store.bucket().name(), manifest.id(), folder));
        }
      }
    }
  }

  private static List<String> filesOf(Path folder) throws IOException {
    try (Stream<Path> all = Files.walk(folder, 2)) {
      return all.filter(Files::isRegularFile)
          .map(file -> folder.relativize(file).toString().replace('\\', '/'))
          .filter(name -> FILE_NAME.matcher(name).matches())
          .sorted()
          .toList();
    }
  }

  /**
   * Brings a dataset here, or brings the folder of one up to date with its later fields and
   * withdrawals.
   *
   * @param folder that holds the dataset afterwards
   * @throws ShardException when there is no such dataset, or its files are not the manifest's
   * @throws StorageException when the network fails, a blob is damaged, or the cache is too small
   */
  public static void fetch(String id, BucketBlobStore store, Path folder) {
    Index index = index(id, store);
    try {
      Files.createDirectories(folder);
      // The manifest is linked last: without it the folder is no dataset.
      List<Listed> order =
          Stream.concat(
                  index.files().stream().filter(file -> !file.path().equals(Manifest.FILE)),
                  index.files().stream().filter(file -> file.path().equals(Manifest.FILE)))
              .toList();
      for (Listed file : order) {
        Path target = folder.resolve(file.path());
        if (file.path().equals(Tombstones.FILE) && Files.exists(target)) {
          takeWithdrawals(store.localPath(BlobId.ofSha256(file.sha256())), target);
        } else if (file.path().equals(Manifest.FILE) || !isThere(target, file)) {
          Path blob = store.localPath(BlobId.ofSha256(file.sha256()));
          if (file.path().equals(Manifest.FILE)) {
            compare(index, Manifest.parse(blob));
          }
          link(blob, target);
        }
      }
    } catch (IOException e) {
      throw new ShardException(
          "cannot bring dataset %s to %s: %s".formatted(id, folder, e.getMessage()), e);
    }
  }

  /** Of two lists of withdrawals the longer one holds, if it begins with the other. */
  private static void takeWithdrawals(Path there, Path here) throws IOException {
    String known = Files.readString(here);
    String other = Files.readString(there);
    if (other.startsWith(known)) {
      link(there, here);
    } else if (!known.startsWith(other)) {
      throw new ShardException(
          "%s holds other withdrawals than the dataset's place; move one away and withdraw again"
              .formatted(here));
    }
  }

  private static boolean isThere(Path target, Listed file) throws IOException {
    return Files.isRegularFile(target)
        && Files.size(target) == file.bytes()
        && Hashes.hexOf(target).equals(file.sha256());
  }

  /** A hard link costs nothing and keeps the blob; where it cannot be made, the file is copied. */
  private static void link(Path blob, Path target) throws IOException {
    Path aside =
        target.resolveSibling(
            ".%s.%d.tmp".formatted(target.getFileName(), ProcessHandle.current().pid()));
    Files.createDirectories(target.resolveSibling("."));
    Files.deleteIfExists(aside);
    try {
      Files.createLink(aside, blob);
    } catch (FileAlreadyExistsException e) {
      throw e;
    } catch (IOException | UnsupportedOperationException e) {
      Files.copy(blob, aside);
    }
    Files.move(aside, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    Files.deleteIfExists(aside); // Renaming onto another link of one file leaves both.
  }

  /** The files that the manifest hashes must be listed with those hashes. */
  private static void compare(Index index, Manifest manifest) {
    Map<String, String> listed =
        index.files().stream().collect(Collectors.toMap(Listed::path, Listed::sha256));
    boolean same = index.root().equals(manifest.root()) && index.id().equals(manifest.id());
    for (Manifest.ShardInfo shard : manifest.shards()) {
      same &= shard.sha256().equals(listed.get(shard.file()));
      same &= shard.fieldsSha256().equals(listed.get(shard.fieldsFile()));
    }
    if (!same) {
      throw new ShardException(
          "the files of dataset %s are not those of its manifest; build and push it again"
              .formatted(manifest.id()));
    }
  }

  private static Index index(String id, BucketBlobStore store) {
    if (!ID.matcher(id).matches()) {
      throw new ShardException("'%s' is no dataset's id".formatted(id));
    }
    if (store.bucket().size(key(id)).isEmpty()) {
      throw new ShardException(
          "there is no dataset %s in %s; 'descant dataset push' brings one there"
              .formatted(id, store.bucket().name()));
    }
    try {
      Index index =
          Json.MAPPER.readValue(
              new String(store.bucket().read(key(id)), StandardCharsets.UTF_8), Index.class);
      if (index.version() != VERSION) {
        throw new ShardException(
            "the index of dataset %s has version %d; this build reads version %d"
                .formatted(id, index.version(), VERSION));
      }
      return index;
    } catch (JacksonException e) {
      throw new ShardException(
          "the index of dataset %s cannot be read: %s".formatted(id, Json.problem(e)), e);
    }
  }

  private static String key(String id) {
    return "datasets/" + id + ".json";
  }

  /**
   * Opens a dataset by its address: {@code file:/…/ID}, {@code s3://bucket/prefix/ID}, {@code
   * gs://…} or {@code az://…}; one in an object store is fetched first, into {@code
   * cache/datasets/ID}.
   *
   * @param options as {@link BlobStores#open(URI, Path, long, Map)} takes them
   * @throws ShardException as {@link #fetch} and {@link Dataset#open}
   */
  public static Dataset open(
      URI address, Path cache, long cacheBytes, Map<String, String> options) {
    if ("file".equals(address.getScheme())) {
      return Dataset.open(Path.of(address));
    }
    String path = String.valueOf(address.getRawPath());
    int slash = path.lastIndexOf('/');
    String id = path.substring(slash + 1);
    String query = address.getRawQuery() == null ? "" : "?" + address.getRawQuery();
    URI place =
        URI.create(
            "%s://%s%s%s"
                .formatted(
                    address.getScheme(),
                    address.getRawAuthority(),
                    path.substring(0, Math.max(0, slash)),
                    query));
    Path folder = cache.resolve("datasets").resolve(id);
    try (BucketBlobStore store = place(place, cache, cacheBytes, options)) {
      fetch(id, store, folder);
    }
    return Dataset.open(folder);
  }

  /**
   * Opens a place in an object store that datasets are pushed to and fetched from.
   *
   * @throws ShardException when the address is a local folder, which needs neither
   * @throws StorageException when it is no address
   */
  public static BucketBlobStore place(
      URI address, Path cache, long cacheBytes, Map<String, String> options) {
    if (BlobStores.open(address, cache, cacheBytes, options) instanceof BucketBlobStore store) {
      return store;
    }
    throw new ShardException(
        "'%s' is no object store; copy the dataset's folder instead".formatted(address));
  }
}
