package org.descant.catalog;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What became of a delivery, item by item.
 *
 * @param source the folder or file
 * @param kind "ERN 4.3.2 Audio", "CSV" and so on
 * @param items in the order of the delivery
 * @param notes what was left unread or taken with a grain of salt, one sentence each
 * @param agreements agreements that are new with this delivery; choices likewise
 */
public record ImportReport(
    String source, String kind, List<Item> items, List<String> notes, int agreements, int choices) {

  public ImportReport {
    items = List.copyOf(items);
    notes = List.copyOf(notes);
  }

  /** What became of one item. */
  public enum Status {
    /** In the catalogue, with its audio, since now. */
    IMPORTED,
    /** Was in the catalogue with the same audio. */
    ALREADY_THERE,
    /** Registered, but the same recording as another one and so not used beside it. */
    DUPLICATE,
    /** Registered without its audio, as was asked for. */
    WAITING,
    /** Not usable; the message says why. Makes the import a failure. */
    BLOCKED,
    /** No recording of this delivery, so nothing was done. */
    SKIPPED
  }

  /**
   * One recording, resource or row of the delivery.
   *
   * @param name what the delivery calls it: a reference and title, or a file
   * @param isrc null when it has none that is one
   * @param message one sentence for all but {@link Status#IMPORTED}, where it may be ""
   * @param duplicateOf the ISRC of the recording that this one is the same as
   */
  public record Item(
      Status status,
      String name,
      @Nullable String isrc,
      String title,
      String artist,
      double seconds,
      String message,
      @Nullable String duplicateOf) {

    static Item skipped(String name, String message) {
      return new Item(Status.SKIPPED, name, null, "", "", 0, message, null);
    }

    static Item blocked(String name, @Nullable String isrc, String message) {
      return new Item(Status.BLOCKED, name, isrc, "", "", 0, message, null);
    }
  }

  /** Whether nothing is blocked; a command exits with 0 exactly then. */
  public boolean complete() {
    return count(Status.BLOCKED) == 0;
  }

  public int count(Status status) {
    return (int) items.stream().filter(item -> item.status() == status).count();
  }

  /** Items of one status. */
  public List<Item> items(Status status) {
    return items.stream().filter(item -> item.status() == status).toList();
  }

  /** One sentence: how many of each. */
  public String summary() {
    List<String> parts = new ArrayList<>();
    for (Status status : Status.values()) {
      int count = count(status);
      if (count > 0) {
        parts.add(
            "%d %s"
                .formatted(
                    count,
                    switch (status) {
                      case IMPORTED -> "imported";
                      case ALREADY_THERE -> "already there";
                      case DUPLICATE -> "the same as another recording";
                      case WAITING -> "waiting for audio";
                      case BLOCKED -> "blocked";
                      case SKIPPED -> "left aside";
                    }));
      }
    }
    return "%s (%s): %s."
        .formatted(source, kind, parts.isEmpty() ? "nothing in it" : String.join(", ", parts));
  }

  /** Several deliveries of one folder as one report. */
  static ImportReport merged(String source, List<ImportReport> reports) {
    if (reports.size() == 1) {
      return reports.getFirst();
    }
    return new ImportReport(
        source,
        reports.size() + " deliveries",
        reports.stream().flatMap(report -> report.items.stream()).toList(),
        reports.stream().flatMap(report -> report.notes.stream()).toList(),
        reports.stream().mapToInt(ImportReport::agreements).sum(),
        reports.stream().mapToInt(ImportReport::choices).sum());
  }
}
