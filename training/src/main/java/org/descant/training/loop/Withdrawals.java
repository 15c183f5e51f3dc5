package org.descant.training.loop;

import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.descant.shards.Dataset;
import org.descant.shards.Tombstone;
import org.descant.training.TrainingException;
import org.descant.training.parallel.Replicas;

/**
 * Which recordings a run does without since they were withdrawn, and from which step on.
 *
 * <p>The dataset's tombstones are looked at when a stage begins or goes on and after each regular
 * checkpoint. What is new there counts from the next step on, on all processes alike: the one that
 * sees the most decides. A checkpoint keeps one number for each such moment, so a run that was cut
 * off, and during whose absence a recording was withdrawn, goes on as one does that was told right
 * after that checkpoint. Belongs to the training thread.
 */
public final class Withdrawals {
  /** An event's name; its facts are {@code isrcs} and {@code from}, the first step without them. */
  public static final String EVENT = "data.withdrawn";

  private static final String MOMENT = "withdrawn.";

  private final Dataset dataset;

  /** How many tombstones were in force from which step on, over the whole run. */
  private final TreeMap<Integer, Long> moments = new TreeMap<>();

  /** Of an open dataset, which stays the caller's. */
  public Withdrawals(Dataset dataset) {
    this.dataset = dataset;
  }

  /** Whether a recording of the dataset may not be read any more. */
  public boolean withdrawn(int recording) {
    return dataset.withdrawn(recording);
  }

  /** ISRCs of what the run does without, with the first step over the whole run without it. */
  public SortedMap<String, Long> steps() {
    var steps = new TreeMap<String, Long>();
    int from = 0;
    for (var moment : moments.entrySet()) {
      for (Tombstone tombstone : dataset.tombstones().subList(from, moment.getKey())) {
        steps.put(tombstone.isrc(), moment.getValue());
      }
      from = moment.getKey();
    }
    return Collections.unmodifiableSortedMap(steps);
  }

  /**
   * Has all processes know the same tombstones, whose recordings none of them reads from now on.
   * Collective.
   */
  public void refresh(Replicas replicas) {
    dataset.learnOf(Math.toIntExact(replicas.largest(dataset.withdrawals())));
  }

  /**
   * Refreshes, and counts what is new from a step on. Collective.
   *
   * @param next step that no process has made a lasting batch of, over the whole run
   * @return ISRCs that the run does without from this step on and did not before
   */
  List<String> look(Replicas replicas, long next) {
    refresh(replicas);
    int known = known();
    int now = dataset.tombstones().size();
    if (now == known) {
      return List.of();
    }
    moments.put(now, next);
    return dataset.tombstones().subList(known, now).stream().map(Tombstone::isrc).toList();
  }

  private int known() {
    return moments.isEmpty() ? 0 : moments.lastKey();
  }

  /** Adds what a checkpoint must hold to its numbers. */
  public void saveTo(Map<String, Double> numbers) {
    moments.forEach((count, step) -> numbers.put(MOMENT + count, (double) step));
  }

  /**
   * Goes on from {@link #saveTo}; other numbers in the map are left alone.
   *
   * @throws TrainingException when the dataset has lost tombstones that the checkpoint knows
   */
  public void restore(Map<String, Double> numbers) {
    moments.clear();
    numbers.forEach((name, step) -> {
      if (name.startsWith(MOMENT)) {
        moments.put(Integer.parseInt(name.substring(MOMENT.length())), step.longValue());
      }
    });
    if (known() > dataset.withdrawals()) {
      throw new TrainingException(
          "the run knows %d withdrawals from dataset %s and %s holds %d; restore its tombstones"
              .formatted(
                  known(), dataset.manifest().id(), dataset.folder(), dataset.withdrawals()));
    }
    dataset.learnOf(known());
  }
}
