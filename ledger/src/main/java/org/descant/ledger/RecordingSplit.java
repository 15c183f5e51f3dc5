package org.descant.ledger;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import org.descant.rights.Clearance;
import org.descant.rights.Contributor;
import org.descant.rights.DecisionContext;
import org.descant.rights.Grant;
import org.descant.rights.Isrc;
import org.descant.rights.Recording;
import org.descant.rights.RecordingWeight;
import org.descant.rights.Rights;
import org.descant.rights.Use;

/**
 * A recording behind a clip, with all that decides how its part of the money is divided.
 *
 * @param weight how much it shaped the clip; only its part of the sum matters
 * @param grants each owner's share with the agreement that it is paid by
 * @param contributors the parties who made the recording: they share the contributor pool equally
 */
public record RecordingSplit(
    Isrc isrc, String title, double weight, List<Grant> grants, List<String> contributors) {
  /** Checks the weight, and puts owners and contributors in an order of their own. */
  public RecordingSplit {
    if (!(weight >= 0) || Double.isInfinite(weight)) {
      throw new LedgerException(
          "The weight of recording %s must be a number from 0 on, it is %s."
              .formatted(isrc, weight));
    }
    grants = List.copyOf(grants);
    contributors = List.copyOf(new TreeSet<>(contributors));
  }

  /**
   * Reads the splits of credited recordings from the agreements that held in this context. Give the
   * context in which the recordings were cleared: what was promised then is owed.
   *
   * @throws org.descant.rights.RightsException when a recording was not cleared in that context
   */
  public static List<RecordingSplit> read(
      Rights rights, Use use, List<RecordingWeight> weights, DecisionContext context) {
    Clearance clearance = rights.clearance();
    var splits = new ArrayList<RecordingSplit>();
    for (RecordingWeight weight : weights) {
      Recording recording =
          rights
              .recording(weight.isrc())
              .orElseThrow(() ->
                  new LedgerException(
                      "Recording %s is not registered: nobody can be paid for it."
                          .formatted(weight.isrc().formatted())));
      splits.add(
          new RecordingSplit(
              weight.isrc(),
              recording.title(),
              weight.weight(),
              clearance.grants(use, weight.isrc(), context),
              recording.contributors().stream().map(Contributor::partyId).toList()));
    }
    return splits;
  }
}
