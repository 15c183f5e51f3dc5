package org.descant.serving;

import java.time.Instant;
import java.util.List;
import org.descant.ledger.Ledger;
import org.descant.ledger.Transfer;
import org.descant.ledger.Usage;
import org.descant.ledger.UsageState;

/**
 * How a clip ends: delivered when it is paid for, voided when it is not, once, in the process that
 * made it or in the next one. Thread-safe.
 */
final class Settlement {
  private final Ledger ledger;
  private final ClipStore clips;
  private final ClipFiles files;
  private final ClipLineage lineage;
  private final Credits credits;
  private final DoorLock door;

  Settlement(
      Ledger ledger,
      ClipStore clips,
      ClipFiles files,
      ClipLineage lineage,
      Credits credits,
      DoorLock door) {
    this.ledger = ledger;
    this.clips = clips;
    this.files = files;
    this.lineage = lineage;
    this.credits = credits;
    this.door = door;
  }

  /** What is paid for becomes a delivered clip; may be done again. */
  Clip deliver(Clip draft, Usage usage, List<Transfer> transfers) {
    try {
      files.publish(draft.id());
      Clip clip = draft.withTransfers(credits.transferLines(transfers));
      lineage.record(clip, usage, transfers);
      clips.delivered(clip);
      return clip;
    } catch (RuntimeException e) {
      throw new ServingException(
          "The clip "
              + draft.id()
              + " is made and paid for, but could not be recorded to its end; the next start"
              + " finishes it.",
          e);
    }
  }

  /**
   * Voids a clip and its usage and removes its files; what cannot be undone now is left to {@link
   * #recover}.
   *
   * @return {@code why}
   */
  RuntimeException voided(String clipId, String usageId, RuntimeException why) {
    boolean interrupted = Thread.interrupted(); // or the database would not hear us
    try {
      ledger.voided(usageId);
      files.remove(clipId);
      clips.voided(clipId, String.valueOf(why.getMessage()));
    } catch (RuntimeException unsettled) {
      why.addSuppressed(unsettled);
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
    return why;
  }

  /** See {@link Delivery#recover}. */
  int recover(Instant before) {
    int[] count = {0};
    for (ClipStore.Unfinished left : clips.unfinished(before)) {
      boolean gone =
          door.ifGone(
              left.door(),
              () -> {
                Usage usage = ledger.usage(left.usageId()).orElse(null);
                if (usage != null && ledger.state(usage.id()) == UsageState.POSTED) {
                  Clip draft = left.draft();
                  if (draft == null) {
                    throw new IllegalStateException("paid for without a draft: " + left.id());
                  }
                  deliver(draft, usage, ledger.transfers(usage.id()));
                  return;
                }
                if (usage != null) {
                  ledger.voided(usage.id());
                }
                files.remove(left.id());
                clips.voided(left.id(), "the process that made it ended before it was complete");
                count[0]++;
              });
      if (!gone) {
        System.getLogger(Settlement.class.getName())
            .log(
                System.Logger.Level.DEBUG,
                () -> "the clip " + left.id() + " is being made by another process");
      }
    }
    return count[0];
  }
}
