package org.descant.models.hub;

import java.io.IOException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import org.descant.models.ModelException;
import org.descant.storage.BlobId;
import org.descant.storage.LocalBlobStore;
import org.descant.storage.WriteAside;

/**
 * The pulled models of a home. Safe for many threads and processes.
 *
 * <pre>
 *   models/org--name/commit/        a model: links to blobs, and pull.json
 *   models/.hub/blobs/              their contents by SHA-256, each once
 *   models/.hub/incoming/org--name/ what a pull that was cut goes on with
 *   models/.hub/locks/              org--name.lock while it is pulled; shelf.lock while folders change
 *   models/.hub/trash/              what is being removed
 * </pre>
 */
public final class PulledModels {
  private static final Duration SHELF_WAIT_MAX = Duration.ofMinutes(1);
  private static final int COMMIT_CHARS_MIN = 7;

  private final Path models;
  private final Path hub;

  private PulledModels(Path models) {
    this.models = models;
    this.hub = models.resolve(".hub");
  }

  /**
   * @param models the home's folder of models
   */
  public static PulledModels in(Path models) {
    return new PulledModels(models.toAbsolutePath().normalize());
  }

  /**
   * What is on the shelf.
   *
   * @param models by name, the newest pull of each first
   * @param damaged folders whose record cannot be read
   */
  public record Shelf(List<PulledModel> models, List<Path> damaged) {}

  /** All pulled models. */
  public Shelf list() {
    List<PulledModel> found = new ArrayList<>();
    List<Path> damaged = new ArrayList<>();
    for (Path model : Folders.inside(models)) {
      for (Path commit : Folders.inside(model)) {
        if (PulledModel.isPulled(commit)) {
          try {
            PulledModel read = PulledModel.read(commit);
            boolean inPlace = folder(read).equals(commit);
            if (inPlace) {
              found.add(read);
            } else {
              damaged.add(commit);
            }
          } catch (ModelException unreadable) {
            damaged.add(commit);
          }
        }
      }
    }
    found.sort(
        Comparator.comparing(PulledModel::repo)
            .thenComparing(PulledModel::pulledAt, Comparator.reverseOrder()));
    return new Shelf(List.copyOf(found), List.copyOf(damaged));
  }

  /**
   * The model of a name: {@code [hf:]org/name} or {@code org--name}, each with {@code @revision} or
   * {@code @commit} (its first seven digits do). Of several, the newest pull.
   */
  public Optional<PulledModel> find(String name) {
    String bare = name.startsWith("hf:") ? name.substring(3) : name;
    int at = bare.indexOf('@');
    String repo = (at < 0 ? bare : bare.substring(0, at)).replaceFirst("--", "/");
    String revision = at < 0 ? "" : bare.substring(at + 1);
    if (!repo.contains("/")) {
      return Optional.empty();
    }
    return list().models().stream()
        .filter(model -> model.repo().equals(repo))
        .filter(model ->
            revision.isEmpty()
                || model.revision().equals(revision)
                || (revision.length() >= COMMIT_CHARS_MIN && model.commit().startsWith(revision)))
        .findFirst();
  }

  /** Where a model lies. */
  public Path folder(PulledModel model) {
    return models.resolve(model.folderName()).resolve(model.commit());
  }

  LocalBlobStore blobs() {
    return new LocalBlobStore(hub.resolve("blobs"));
  }

  Path incoming(HubReference model) {
    return WriteAside.createFolders(hub.resolve("incoming").resolve(model.folderName()));
  }

  Path lockOf(String folderName) {
    return hub.resolve("locks").resolve(folderName + ".lock");
  }

  /**
   * Whether a model is whole: every file there, with its size.
   *
   * @param folder where it lies
   * @param hashed also compares the contents with the record
   * @return the paths of those that are not
   */
  public static List<String> damaged(PulledModel model, Path folder, boolean hashed) {
    List<String> damaged = new ArrayList<>();
    for (PulledModel.Entry file : model.files()) {
      Path at = folder.resolve(file.path());
      try {
        if (!Files.isRegularFile(at)
            || Files.size(at) != file.bytes()
            || (hashed
                && !ContentHash.of(ContentHash.Kind.SHA256, at).hex().equals(file.sha256()))) {
          damaged.add(file.path());
        }
      } catch (IOException e) {
        damaged.add(file.path());
      }
    }
    return damaged;
  }

  /**
   * Puts a model on the shelf, in one step: its folder is made aside and renamed.
   *
   * @param aside a folder for it, which must not exist
   * @throws ModelException when a blob was removed meanwhile
   */
  void publish(PulledModel model, Path aside) {
    LocalBlobStore blobs = blobs();
    try (HeldLock shelf = shelf()) {
      emptyTrash();
      Path folder = folder(model);
      Files.createDirectories(aside);
      for (PulledModel.Entry file : model.files()) {
        BlobId blob = BlobId.ofSha256(file.sha256());
        if (!blobs.contains(blob)) {
          throw new ModelException(
              "%s was removed while %s was pulled; pull it again."
                  .formatted(file.path(), model.name()));
        }
        Path link = aside.resolve(file.path());
        Files.createDirectories(Folders.above(link));
        Files.createLink(link, blobs.localPath(blob));
      }
      model.write(aside);
      if (Files.exists(folder)) {
        toTrash(folder); // damaged, or the record of an older pull
      }
      Files.createDirectories(Folders.above(folder));
      Files.move(aside, folder, StandardCopyOption.ATOMIC_MOVE);
      emptyTrash();
    } catch (IOException e) {
      throw WriteAside.refusal("write", folder(model), e);
    } catch (UnsupportedOperationException e) {
      throw new ModelException(
          "The disk of " + models + " has no hard links; choose a home on another one.", e);
    }
  }

  /**
   * Takes a model from the shelf, and those of its contents that no other model has.
   *
   * @return bytes freed
   * @throws ModelException when it is being pulled just now
   */
  public long remove(PulledModel model) {
    try (HeldLock mine = notPulling(model.folderName(), model.name());
        HeldLock shelf = shelf()) {
      Path folder = folder(model);
      toTrash(folder);
      List<Path> others = Folders.inside(Folders.above(folder));
      long freed = 0;
      if (others.isEmpty()) {
        deleteIfEmpty(Folders.above(folder));
        Path parts = hub.resolve("incoming").resolve(model.folderName());
        freed += Folders.bytes(parts);
        if (Files.exists(parts)) {
          toTrash(parts);
        }
      }
      freed += forget(model);
      emptyTrash();
      return freed;
    } catch (IOException e) {
      throw WriteAside.refusal("remove", folder(model), e);
    }
  }

  /**
   * Takes what cut pulls of a model left behind.
   *
   * @return bytes freed
   * @throws ModelException when it is being pulled just now
   */
  public long removeParts(HubReference model) {
    try (HeldLock mine = notPulling(model.folderName(), model.toString())) {
      Path parts = hub.resolve("incoming").resolve(model.folderName());
      long freed = Folders.bytes(parts);
      Folders.delete(parts);
      return freed;
    } catch (IOException e) {
      throw WriteAside.refusal("remove", hub, e);
    }
  }

  /**
   * Takes a model that was not pulled, in one step: a folder right inside the home's models.
   *
   * @return bytes freed
   */
  public long removeFolder(Path folder) {
    if (!Folders.above(folder).equals(models) || PulledModel.isPulled(folder)) {
      throw new IllegalArgumentException(folder + " is not a model's folder in " + models);
    }
    try (HeldLock shelf = shelf()) {
      long freed = Folders.bytes(folder);
      toTrash(folder);
      emptyTrash();
      return freed;
    } catch (IOException e) {
      throw WriteAside.refusal("remove", folder, e);
    }
  }

  private HeldLock notPulling(String folderName, String shown) {
    return HeldLock.tryTake(lockOf(folderName))
        .orElseThrow(() ->
            new ModelException(shown + " is being pulled just now; wait for that, or end it."));
  }

  /** Deletes the blobs that only this model had. A record that cannot be read keeps them all. */
  private long forget(PulledModel model) {
    Shelf left = list();
    if (!left.damaged().isEmpty()) {
      return 0;
    }
    Set<String> needed = new HashSet<>();
    left.models().forEach(other -> other.files().forEach(file -> needed.add(file.sha256())));
    LocalBlobStore blobs = blobs();
    long freed = 0;
    for (PulledModel.Entry file : model.files()) {
      BlobId blob = BlobId.ofSha256(file.sha256());
      if (needed.add(file.sha256()) && blobs.delete(blob)) {
        freed += file.bytes();
      }
    }
    return freed;
  }

  private HeldLock shelf() {
    return HeldLock.take(
        hub.resolve("locks").resolve("shelf.lock"),
        SHELF_WAIT_MAX,
        () -> {},
        "Another process is changing the models in " + models + "; try again in a minute.");
  }

  /** What somebody else put there stays. */
  private static void deleteIfEmpty(Path folder) throws IOException {
    try {
      Files.deleteIfExists(folder);
    } catch (DirectoryNotEmptyException notOurs) {
      // The next pull uses it again.
    }
  }

  private void toTrash(Path folder) throws IOException {
    Path trash = WriteAside.createFolders(hub.resolve("trash"));
    Files.move(folder, trash.resolve(UUID.randomUUID().toString()), StandardCopyOption.ATOMIC_MOVE);
  }

  private void emptyTrash() throws IOException {
    Folders.delete(hub.resolve("trash"));
  }
}
