package org.descant.models.hub;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.descant.models.ModelException;
import org.descant.storage.BlobId;
import org.descant.storage.DiskSpace;
import org.descant.storage.LocalBlobStore;
import org.descant.storage.WriteAside;
import org.jspecify.annotations.Nullable;

/**
 * Pulls a model onto the shelf: lists it, fetches what is not there yet, publishes its folder.
 *
 * <p>What is there is known by content: the same file in another revision or another model takes no
 * bytes again. A pull of what is already whole only asks for the listing.
 */
public final class ModelPull {
  private static final long PROGRESS_NANOS = 1_000_000_000;
  private static final double RATE_SECONDS = 5;

  private final HubClient client;
  private final PulledModels shelf;
  private final PullListener listener;

  public ModelPull(HubClient client, PulledModels shelf, PullListener listener) {
    this.client = client;
    this.shelf = shelf;
    this.listener = listener;
  }

  /**
   * What a pull did.
   *
   * @param bytesFetched over the wire for files, those of vain tries too
   * @param refused paths of files that could run code
   * @param left paths of files that are of no use here
   */
  public record Result(
      PulledModel model, Path folder, long bytesFetched, List<String> refused, List<String> left) {}

  /**
   * Pulls.
   *
   * @throws ModelException when the model cannot be had or is not what the hub says; what came
   *     whole stays for the next pull
   * @throws org.descant.storage.StorageException when the disk does not take it
   */
  public Result pull(HubReference model) {
    try (HeldLock mine =
        HeldLock.take(
            shelf.lockOf(model.folderName()),
            client.timings().lockWaitMax(),
            () -> listener.waiting(model + " is being pulled by another process; waiting for it"),
            model + " is still being pulled by another process; run the same command later.")) {
      HubListing listing = client.list(model, listener::waiting);
      return pull(model, listing);
    }
  }

  private Result pull(HubReference model, HubListing listing) {
    Path incoming = shelf.incoming(model);
    LocalBlobStore blobs = shelf.blobs();
    Known known = new Known(shelf.list().models(), blobs);
    long here = 0;
    for (HubFile file : listing.files()) {
      here += known.entry(file) == null ? partBytes(incoming, listing, file) : file.bytes();
    }
    DiskSpace.require(incoming, Math.max(0, listing.bytes() - here), model.toString());
    Meter meter = new Meter(listing.bytes(), here);
    long fetched = 0;
    List<PulledModel.Entry> entries = new ArrayList<>();
    for (HubFile file : listing.files()) {
      PulledModel.Entry entry = known.entry(file);
      long came = 0;
      if (entry == null) {
        Path part = part(incoming, listing, file);
        long before = partBytes(incoming, listing, file);
        Download.Result result =
            new Download(
                    client,
                    model,
                    listing.commit(),
                    file,
                    part,
                    listener::waiting,
                    at -> meter.at(file.path(), at - before))
                .run(blobs);
        meter.done(result.bytes() - before);
        came = result.fetched();
        entry = entry(file, result);
      }
      fetched += came;
      entries.add(entry);
      listener.file(file.path(), entry.bytes(), came);
    }
    PulledModel pulled = publish(model, listing, entries, incoming);
    return new Result(pulled, shelf.folder(pulled), fetched, listing.pickles(), listing.left());
  }

  private static PulledModel.Entry entry(HubFile file, Download.Result result) {
    ContentHash hash = result.hash();
    return new PulledModel.Entry(
        file.path(),
        result.bytes(),
        result.blob().hex(),
        hash == null ? result.blob().value() : hash.toString());
  }

  private PulledModel publish(
      HubReference model, HubListing listing, List<PulledModel.Entry> entries, Path incoming) {
    PulledModel pulled =
        new PulledModel(
            model.repo(),
            model.revision(),
            listing.commit(),
            client.endpoint().toString(),
            Instant.now().truncatedTo(ChronoUnit.SECONDS).toString(),
            listing.licence(),
            entries,
            listing.pickles());
    PulledModel before = before(pulled);
    if (before != null) {
      pulled = before.withRevision(model.revision());
    }
    if (!pulled.equals(before)) {
      shelf.publish(pulled, incoming.resolve("folder-" + UUID.randomUUID()));
    }
    try {
      Folders.delete(incoming); // parts of what is not listed any more
    } catch (IOException e) {
      throw WriteAside.refusal("clear", incoming, e);
    }
    return pulled;
  }

  /** The same commit as it lies on the shelf, when it is whole. */
  private @Nullable PulledModel before(PulledModel pulled) {
    Path folder = shelf.folder(pulled);
    if (!PulledModel.isPulled(folder)) {
      return null;
    }
    try {
      PulledModel before = PulledModel.read(folder);
      boolean same = before.files().equals(pulled.files()) && shelf.folder(before).equals(folder);
      return same && PulledModels.damaged(before, shelf.folder(before), false).isEmpty()
          ? before
          : null;
    } catch (ModelException unreadable) {
      return null;
    }
  }

  /** A part is named by what it will hold, so that another content never goes on with it. */
  private static Path part(Path incoming, HubListing listing, HubFile file) {
    ContentHash hash = file.hash();
    String name =
        hash != null
            ? hash.hex()
            : UUID.nameUUIDFromBytes(
                    (listing.commit() + "/" + file.path()).getBytes(StandardCharsets.UTF_8))
                .toString();
    return incoming.resolve(name + ".part");
  }

  private static long partBytes(Path incoming, HubListing listing, HubFile file) {
    Path part = part(incoming, listing, file);
    try {
      return Files.exists(part) ? Files.size(part) : 0;
    } catch (IOException e) {
      throw WriteAside.refusal("read", part, e);
    }
  }

  /** Contents that are in the store, by the hash and size that a hub lists. */
  private static final class Known {
    private final Map<String, PulledModel.Entry> byHubHash = new HashMap<>();
    private final LocalBlobStore blobs;

    Known(List<PulledModel> models, LocalBlobStore blobs) {
      this.blobs = blobs;
      models.forEach(model -> model.files().forEach(file -> byHubHash.put(file.hubHash(), file)));
    }

    PulledModel.@Nullable Entry entry(HubFile file) {
      ContentHash hash = file.hash();
      if (hash == null) {
        return null;
      }
      PulledModel.Entry same = byHubHash.get(hash.toString());
      String sha256 =
          hash.kind() == ContentHash.Kind.SHA256 ? hash.hex() : same == null ? null : same.sha256();
      if (sha256 == null) {
        return null;
      }
      BlobId blob = BlobId.ofSha256(sha256);
      if (!blobs.contains(blob) || (file.bytes() >= 0 && blobs.size(blob) != file.bytes())) {
        return null;
      }
      return new PulledModel.Entry(file.path(), blobs.size(blob), sha256, hash.toString());
    }
  }

  /** Turns bytes into a rate, and tells the listener now and then. */
  private final class Meter {
    private final long total;
    private long whole;
    private long told = System.nanoTime();
    private long rateFrom = told;
    private long rateBytes;
    private double rate;

    Meter(long total, long whole) {
      this.total = total;
      this.whole = whole;
      this.rateBytes = whole;
    }

    /**
     * @param more bytes of the file beyond those that were here when the pull began
     */
    void at(String path, long more) {
      long now = System.nanoTime();
      if (now - told < PROGRESS_NANOS) {
        return;
      }
      told = now;
      long done = Math.max(0, whole + more);
      double seconds = (now - rateFrom) / 1e9;
      double measured = Math.max(0, done - rateBytes) / seconds;
      double weight = rate == 0 ? 1 : Math.min(1, seconds / RATE_SECONDS);
      rate += weight * (measured - rate);
      rateFrom = now;
      rateBytes = done;
      listener.progress(new PullProgress(path, done, total, rate));
    }

    void done(long more) {
      whole += more;
    }
  }
}
