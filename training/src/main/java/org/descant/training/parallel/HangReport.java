package org.descant.training.parallel;

import java.nio.file.Path;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.descant.training.parallel.CollectiveRing.Entry;
import org.descant.training.parallel.CollectiveRing.State;
import org.jspecify.annotations.Nullable;

/**
 * Why a run stands still, from what its ranks wrote down: the first collective that not all of them
 * have ended, who never came to it, and what those were doing instead.
 *
 * @param found whether some rank waits for another
 * @param number of the collective; 0 when none was found
 * @param operation of it, as the ranks that wait know it
 * @param missing ranks that never entered it
 * @param waiting ranks that entered it and have not left it
 * @param sentences for a person, the conclusion first
 */
public record HangReport(
    boolean found,
    long number,
    String operation,
    List<Integer> missing,
    List<Integer> waiting,
    List<String> sentences) {
  private static final DateTimeFormatter TIME =
      DateTimeFormatter.ofPattern("HH:mm:ss", Locale.ROOT);

  /** Frames of a missing rank's stack that are worth showing. */
  private static final int FRAMES_SHOWN = 6;

  public HangReport {
    missing = List.copyOf(missing);
    waiting = List.copyOf(waiting);
    sentences = List.copyOf(sentences);
  }

  /**
   * Reads the rings that a run's ranks left.
   *
   * @param run its folder
   * @throws ParallelException when there are none, or one cannot be read
   */
  public static HangReport of(Path run) {
    List<RankDump> dumps = RankDump.latest(run);
    if (dumps.isEmpty()) {
      throw new ParallelException(
          run
              + " holds no rings of collectives: its ranks write them when nothing moves for ten"
              + " seconds, or when they end badly");
    }
    return of(dumps);
  }

  private static HangReport of(List<RankDump> dumps) {
    int size = dumps.getFirst().size();
    var silent = new ArrayList<Integer>();
    for (int rank = 0; rank < size; rank++) {
      if (find(dumps, rank).isEmpty()) {
        silent.add(rank);
      }
    }
    var sentences = new ArrayList<String>();
    @Nullable Entry stuck = null;
    for (RankDump dump : dumps) {
      for (Entry entry : dump.collectives()) {
        if (entry.state() != State.ENDED && (stuck == null || entry.number() < stuck.number())) {
          stuck = entry;
        }
      }
    }
    if (stuck == null) {
      sentences.add(
          silent.isEmpty()
              ? "No rank waits in a collective: every one that was started has ended."
              : "No rank waits in a collective, but %s left no ring: killed, or on a machine whose"
                      .formatted(ranks(silent))
                  + " run folder is another.");
      dumps.forEach(dump -> sentences.add(where(dump)));
      return new HangReport(false, 0, "", silent, List.of(), sentences);
    }
    var missing = new ArrayList<Integer>(silent);
    var waiting = new ArrayList<Integer>();
    var kinds = new TreeSet<String>();
    Instant since = Instant.MAX;
    for (RankDump dump : dumps) {
      @Nullable Entry own = entry(dump, stuck.number());
      if (own == null && last(dump) < stuck.number()) {
        missing.add(dump.rank());
      } else if (own != null) {
        kinds.add(kind(own));
        if (own.state() != State.ENDED) {
          waiting.add(dump.rank());
          since = own.startedAt().isBefore(since) ? own.startedAt() : since;
        }
      }
    }
    missing.sort(null);
    String what = named(stuck);
    if (kinds.size() > 1) {
      sentences.add(
          "The ranks took different paths: collective #%d is %s."
              .formatted(stuck.number(), String.join(" on one rank and ", kinds)));
    } else if (missing.isEmpty()) {
      sentences.add(
          "Every rank entered %s; %s wait%s in it since %s: look at the network, or at a rank that"
                  .formatted(what, ranks(waiting), waiting.size() == 1 ? "s" : "", time(since))
              + " died in it.");
    } else {
      sentences.add(
          "%s never entered %s; %s wait%s since %s."
              .formatted(
                  ranks(missing),
                  what,
                  ranks(waiting),
                  waiting.size() == 1 ? "s" : "",
                  time(since)));
    }
    for (int rank : missing) {
      sentences.add(
          find(dumps, rank)
              .map(HangReport::where)
              .orElse(
                  "rank %d left no ring: it was killed, or writes to another run folder"
                      .formatted(rank)));
    }
    if (missing.isEmpty() || kinds.size() > 1) {
      dumps.forEach(dump -> sentences.add(where(dump)));
    }
    return new HangReport(true, stuck.number(), stuck.operation(), missing, waiting, sentences);
  }

  private static Optional<RankDump> find(List<RankDump> dumps, int rank) {
    return dumps.stream().filter(dump -> dump.rank() == rank).findFirst();
  }

  private static @Nullable Entry entry(RankDump dump, long number) {
    return dump.collectives().stream()
        .filter(entry -> entry.number() == number)
        .findFirst()
        .orElse(null);
  }

  private static long last(RankDump dump) {
    return dump.collectives().isEmpty() ? 0 : dump.collectives().getLast().number();
  }

  private static String kind(Entry entry) {
    return "%s of %d × %s".formatted(entry.operation(), entry.elements(), entry.type());
  }

  private static String named(Entry entry) {
    return "%s #%d (%s, %s, step %d)"
        .formatted(
            entry.operation(), entry.number(), entry.purpose(), size(entry.bytes()), entry.step());
  }

  /** Where a rank is: its last collective and the innermost calls of its training thread. */
  private static String where(RankDump dump) {
    String last =
        dump.collectives().isEmpty()
            ? "it has entered none"
            : "its last was %s, %s"
                .formatted(
                    named(dump.collectives().getLast()),
                    dump.collectives().getLast().state().name().toLowerCase(Locale.ROOT));
    String stack =
        dump.stack().stream()
            .limit(FRAMES_SHOWN)
            .map(frame -> "\n    at " + frame)
            .collect(Collectors.joining());
    return "rank %d (%s, process %d, step %d, at %s: %s): %s%s"
        .formatted(
            dump.rank(),
            dump.host(),
            dump.pid(),
            dump.step(),
            time(dump.at()),
            dump.reason(),
            last,
            stack);
  }

  private static String ranks(List<Integer> ranks) {
    String names = ranks.stream().map(String::valueOf).collect(Collectors.joining(", "));
    return (ranks.size() == 1 ? "rank " : "ranks ") + names;
  }

  private static String time(Instant instant) {
    return TIME.format(instant.atZone(ZoneId.systemDefault()));
  }

  private static String size(long bytes) {
    return bytes < 1_000
        ? bytes + " bytes"
        : bytes < 1_000_000
            ? String.format(Locale.ROOT, "%.1f kB", bytes / 1e3)
            : String.format(Locale.ROOT, "%.1f MB", bytes / 1e6);
  }
}
