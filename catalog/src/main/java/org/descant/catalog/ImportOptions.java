package org.descant.catalog;

/**
 * How to take a delivery.
 *
 * @param metadataOnly take recordings whose audio is not in the delivery without calling that a
 *     failure: they wait, blocked, until it comes. Audio that is there is taken all the same
 * @param threads files to decode at once, 1 to {@value #THREADS_MAX}; each needs the memory of a
 *     whole recording
 * @param progress hears of each recording
 */
public record ImportOptions(boolean metadataOnly, int threads, Progress progress) {
  /** More files at once than this would need more memory than a machine has to spare. */
  public static final int THREADS_MAX = 64;

  public ImportOptions {
    if (threads < 1 || threads > THREADS_MAX) {
      throw new CatalogException(
          "An import may use 1 to %d threads, was %d.".formatted(THREADS_MAX, threads));
    }
  }

  /** All audio must be there; one thread a core, at most 8; progress is told to nobody. */
  public static ImportOptions defaults() {
    int cores = Runtime.getRuntime().availableProcessors();
    return new ImportOptions(false, Math.clamp(cores, 1, 8), Progress.NONE);
  }

  public ImportOptions withMetadataOnly(boolean metadataOnly) {
    return new ImportOptions(metadataOnly, threads, progress);
  }

  public ImportOptions withThreads(int threads) {
    return new ImportOptions(metadataOnly, threads, progress);
  }

  public ImportOptions withProgress(Progress progress) {
    return new ImportOptions(metadataOnly, threads, progress);
  }
}
