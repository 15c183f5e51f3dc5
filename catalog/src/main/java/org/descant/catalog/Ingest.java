package org.descant.catalog;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.descant.catalog.AudioIntake.Result;
import org.descant.catalog.ImportReport.Item;
import org.descant.catalog.Shipment.Candidate;
import org.descant.database.Database;
import org.descant.rights.Rights;
import org.descant.storage.BlobStore;

/**
 * Takes deliveries in: {@code descant catalog import PATH}.
 *
 * <p>In this order, so that a process that is killed anywhere has left nothing half-done and the
 * same import can be run again:
 *
 * <ol>
 *   <li>The door reads the message or table and refuses the whole with one sentence, or not.
 *   <li>Audio is opened file by file, on several threads; what is good is kept by content. A file
 *       that is refused blocks its recording only.
 *   <li>In one transaction each: rights learns of parties, works, recordings, choices and then
 *       agreements; the catalogue gets its rows. Until the last step a recording is nowhere to be
 *       found, and rights that know too much of it harm nobody.
 * </ol>
 *
 * <p>Thread-safe; imports on one database take turns at the third step.
 */
public final class Ingest {
  static final String CSV_NAME = "MANIFEST.csv";
  static final int MESSAGES_MAX = 10_000;

  /** What a recording of ten minutes, or a sum of stems of five, takes while it is measured. */
  private static final long THREAD_BYTES = 600L << 20;

  private static final int SNIFF_BYTES = 4096;

  private final Database database;
  private final Rights rights;
  private final BlobStore blobs;
  private final Catalog catalog;

  /** Takes deliveries into a catalogue, whose rights are those of the same database. */
  public Ingest(Catalog catalog, Rights rights) {
    this.catalog = catalog;
    this.database = catalog.database();
    this.blobs = catalog.blobs();
    this.rights = rights;
  }

  /**
   * Takes in a folder with an ERN message ({@code ern.xml}, or any XML), with a {@code
   * MANIFEST.csv} (or one CSV table of another name), or with folders of these; or one such file,
   * its audio beside it.
   *
   * @return what became of each item; {@link ImportReport#complete} says whether all is well. Of
   *     several messages, one that is refused is a blocked item and the others come in
   * @throws CatalogException in one sentence, before anything is taken, when the path is no
   *     delivery
   */
  public ImportReport importPath(Path path, ImportOptions options) {
    List<Path> deliveries = deliveries(path);
    if (deliveries.size() == 1) {
      return take(deliveries.getFirst(), options);
    }
    List<ImportReport> reports = new ArrayList<>();
    for (Path delivery : deliveries) {
      try {
        reports.add(take(delivery, options));
      } catch (CatalogException e) {
        Item refused =
            Item.blocked(delivery.getFileName().toString(), null, String.valueOf(e.getMessage()));
        reports.add(
            new ImportReport(delivery.toString(), "refused", List.of(refused), List.of(), 0, 0));
      }
    }
    return ImportReport.merged(path.toString(), reports);
  }

  private ImportReport take(Path delivery, ImportOptions options) {
    Shipment shipment =
        isCsv(delivery) ? CsvDoor.open(delivery) : ErnDoor.open(delivery, rights::work);
    return take(shipment, options);
  }

  private ImportReport take(Shipment shipment, ImportOptions options) {
    List<Result> results = open(shipment.candidates(), options);
    return new Registrar(database, rights, shipment, options.metadataOnly()).register(results);
  }

  /** As many as were asked for, as far as the heap has room for a long recording in each. */
  private static int threads(ImportOptions options) {
    long room = Runtime.getRuntime().maxMemory() / THREAD_BYTES;
    return Math.clamp(room, 1, options.threads());
  }

  /** Opens the audio of all candidates; the results are in their order. */
  private List<Result> open(List<Candidate> candidates, ImportOptions options) {
    AudioIntake intake = new AudioIntake(blobs);
    List<Result> results = new ArrayList<>();
    try (ExecutorService threads = Executors.newFixedThreadPool(threads(options))) {
      List<Future<Result>> futures = new ArrayList<>();
      for (Candidate candidate : candidates) {
        futures.add(threads.submit(() -> intake.take(candidate, catalog::find)));
      }
      try {
        for (Future<Result> future : futures) {
          results.add(future.get());
          options
              .progress()
              .tell(candidates.get(results.size() - 1).title(), results.size(), candidates.size());
        }
      } catch (ExecutionException e) {
        threads.shutdownNow();
        if (e.getCause() instanceof RuntimeException failure) {
          throw failure;
        }
        if (e.getCause() instanceof OutOfMemoryError) {
          throw new CatalogException(
              "The recordings are too long for the memory of this process; give Java more (-Xmx).",
              e);
        }
        throw new CatalogException("The import failed: " + e.getCause(), e.getCause());
      } catch (InterruptedException e) {
        threads.shutdownNow();
        Thread.currentThread().interrupt();
        throw new CatalogException("The import was interrupted; nothing is lost, run it again.", e);
      }
    }
    return results;
  }

  /** The messages and tables that a path leads to. */
  private static List<Path> deliveries(Path path) {
    if (!Files.exists(path)) {
      throw new CatalogException(
          path + " does not exist; name a delivery folder, an ERN message or a CSV table.");
    }
    if (!Files.isDirectory(path)) {
      return List.of(file(path));
    }
    List<Path> found = inFolder(path);
    if (found.isEmpty()) {
      for (Path folder : children(path, Files::isDirectory)) {
        found.addAll(inFolder(folder));
      }
    }
    if (found.isEmpty()) {
      throw new CatalogException(
          "%s holds no delivery: neither an ERN message (ern.xml) nor a table (%s), here or one folder deeper."
              .formatted(path, CSV_NAME));
    }
    if (found.size() > MESSAGES_MAX) {
      throw new CatalogException(
          "%s holds %d messages, more than %d; import folder by folder."
              .formatted(path, found.size(), MESSAGES_MAX));
    }
    return found;
  }

  private static Path file(Path path) {
    String start = start(path).strip();
    if (isCsv(path) || start.startsWith("<")) {
      return path;
    }
    if (start.isEmpty()) {
      throw new CatalogException(
          path + " is empty; name a delivery folder, an ERN message or a CSV table.");
    }
    throw new CatalogException(
        "%s is neither XML nor a .csv table; audio comes in beside an ERN message or a %s."
            .formatted(path, CSV_NAME));
  }

  /** The first characters, whatever the encoding: enough to see a tag. */
  private static String start(Path path) {
    try (InputStream in = Files.newInputStream(path)) {
      byte[] head = in.readNBytes(SNIFF_BYTES);
      String text = new String(head, StandardCharsets.ISO_8859_1);
      return text.replaceAll("[\\x00\\xEF\\xBB\\xBF\\xFE\\xFF]", "");
    } catch (IOException e) {
      throw new CatalogException("Cannot read %s: %s.".formatted(path, e.getMessage()), e);
    }
  }

  private static boolean isCsv(Path path) {
    return path.getFileName().toString().toLowerCase(Locale.ROOT).endsWith(".csv");
  }

  private static List<Path> inFolder(Path folder) {
    Path ern = folder.resolve("ern.xml");
    if (Files.isRegularFile(ern)) {
      return new ArrayList<>(List.of(ern));
    }
    Path csv = folder.resolve(CSV_NAME);
    if (Files.isRegularFile(csv)) {
      return new ArrayList<>(List.of(csv));
    }
    List<Path> xml =
        children(
            folder,
            child ->
                Files.isRegularFile(child)
                    && child.getFileName().toString().toLowerCase(Locale.ROOT).endsWith(".xml"));
    // Beside messages, batches have manifests and acknowledgements of their own.
    List<Path> messages = new ArrayList<>(xml);
    messages.removeIf(file -> !start(file).matches("(?s).*ddex\\.net/xml/(\\d+/)?ern.*"));
    if (!xml.isEmpty()) {
      return messages.isEmpty() ? xml : messages;
    }
    List<Path> tables = children(folder, child -> Files.isRegularFile(child) && isCsv(child));
    if (tables.size() > 1) {
      throw new CatalogException(
          "%s holds %d CSV tables and none of them is called %s; name the one to import."
              .formatted(folder, tables.size(), CSV_NAME));
    }
    return tables;
  }

  private static List<Path> children(Path folder, Predicate<Path> filter) {
    try (Stream<Path> children = Files.list(folder)) {
      return new ArrayList<>(children.filter(filter).sorted().toList());
    } catch (IOException e) {
      throw new CatalogException("Cannot read %s: %s.".formatted(folder, e.getMessage()), e);
    }
  }
}
