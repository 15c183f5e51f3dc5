package org.descant.cli.platform;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.descant.attribution.Attributor;
import org.descant.catalog.Catalog;
import org.descant.database.Database;
import org.descant.engine.Engine;
import org.descant.ledger.Ledger;
import org.descant.models.ModelCard;
import org.descant.models.hub.PulledModel;
import org.descant.models.published.TunedModel;
import org.descant.provenance.Lineage;
import org.descant.provenance.SigningKey;
import org.descant.provenance.TransparencyLog;
import org.descant.rights.Clearance;
import org.descant.rights.Rights;
import org.descant.serving.Delivery;
import org.descant.serving.House;
import org.descant.serving.RefusedException;
import org.descant.storage.LocalBlobStore;

/**
 * A home (state folder) opened: its database and the services that live on it. Cheap services are
 * made at once; what costs is made by those who need it.
 */
public final class Platform implements AutoCloseable {
  private final Path home;
  private final Database database;
  private final Rights rights;

  private Platform(Path home, Database database) {
    this.home = home;
    this.database = database;
    this.rights = Rights.open(database);
  }

  /**
   * Opens a home; made on first use.
   *
   * @throws UsageException if the folder cannot be made or written
   */
  public static Platform open(Path home) {
    try {
      Files.createDirectories(home);
    } catch (IOException e) {
      throw new UsageException(
          "The state folder "
              + home
              + " cannot be made ("
              + e.getClass().getSimpleName()
              + "); name a writable one with --home.");
    }
    if (!Files.isWritable(home)) {
      throw new UsageException(
          "The state folder "
              + home
              + " is read-only; make it writable or name another with --home.");
    }
    return new Platform(home, Database.open(home));
  }

  public Path home() {
    return home;
  }

  public Database database() {
    return database;
  }

  public Rights rights() {
    return rights;
  }

  public Clearance clearance() {
    return rights.clearance();
  }

  public LocalBlobStore blobs() {
    return new LocalBlobStore(home.resolve("blobs"));
  }

  public Catalog catalog() {
    return Catalog.open(database, blobs());
  }

  public Ledger ledger() {
    return Ledger.open(database);
  }

  public Lineage lineage() {
    return Lineage.open(database);
  }

  public TransparencyLog log() {
    return TransparencyLog.open(home, signingKey());
  }

  public SigningKey signingKey() {
    return SigningKey.loadOrCreate(home);
  }

  /** A model on the stage, with its one door. */
  public record Player(House house, Delivery delivery) implements AutoCloseable {
    @Override
    public void close() {
      delivery.close();
      house.engine().close();
    }
  }

  /**
   * Opens a model for playing. One that ships joins the thread when its dataset is one of this
   * home's; any other is there already, by its run, or is not played: a card in a folder proves
   * nothing.
   *
   * @throws RefusedException when it may not be played to anybody
   */
  public Player player(String model) {
    Path folder = Steps.modelFolder(home, model);
    if (PulledModel.isPulled(folder)) {
      throw RefusedException.ofPulledModel(PulledModel.read(folder).name());
    }
    if (TunedModel.isTuned(folder)) {
      TunedModel tuned = TunedModel.read(folder);
      throw RefusedException.ofTunedModel(tuned.name(), tuned.base().name());
    }
    ModelCard card = ModelCard.read(folder);
    Steps.recordShipped(this, folder, card);
    Steps.requireAttributionIndex(home, folder, card);
    int threads = Runtime.getRuntime().availableProcessors();
    Engine engine = Engine.open(folder, threads);
    Attributor attributor = Attributor.open(folder);
    House house =
        new House(
            database,
            rights,
            catalog(),
            ledger(),
            lineage(),
            log(),
            signingKey(),
            engine,
            attributor,
            home.resolve("clips"));
    try {
      return new Player(house, new Delivery(house));
    } catch (RuntimeException e) {
      engine.close();
      throw e;
    }
  }

  @Override
  public void close() {
    database.close();
  }
}
