package org.descant.catalog;

import java.nio.file.Path;
import org.descant.database.Database;
import org.descant.rights.Rights;
import org.descant.storage.LocalBlobStore;

/** A process that imports a delivery and says so when all audio is opened; made to be killed. */
final class KilledImport {
  private KilledImport() {}

  public static void main(String[] arguments) {
    Path home = Path.of(arguments[0]);
    try (Database database = Database.open(home)) {
      Catalog catalog = Catalog.open(database, new LocalBlobStore(home.resolve("blobs")));
      Ingest ingest = new Ingest(catalog, Rights.open(database));
      ingest.importPath(
          Path.of(arguments[1]),
          ImportOptions.defaults()
              .withThreads(1)
              .withProgress((what, done, total) -> System.out.println(done + "/" + total)));
      System.out.println("finished");
    }
  }
}
