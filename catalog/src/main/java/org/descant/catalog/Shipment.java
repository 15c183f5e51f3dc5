package org.descant.catalog;

import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.descant.rights.Agreement;
import org.descant.rights.Choice;
import org.descant.rights.Contributor;
import org.descant.rights.Isrc;
import org.descant.rights.Party;
import org.descant.rights.Share;
import org.descant.rights.Work;
import org.jspecify.annotations.Nullable;

/**
 * A delivery as a door has read it, before any audio was opened: the same for DDEX and for CSV.
 *
 * @param parties registered as they are; {@code hearsay} only where nobody is known by the id yet
 * @param works the deliverer's own word; replaces what was known
 * @param items decided at the door already
 * @param rightsDigest hash of the rights file, "" when there is none
 * @param message the ERN message, null for other doors
 */
record Shipment(
    String source,
    String kind,
    List<Candidate> candidates,
    List<ImportReport.Item> items,
    List<String> notes,
    List<Party> parties,
    List<Party> hearsay,
    List<Work> works,
    List<Agreement> agreements,
    List<Choice> choices,
    String rightsDigest,
    @Nullable Message message,
    List<ReleaseRow> releases) {

  Shipment {
    candidates = List.copyOf(candidates);
    items = List.copyOf(items);
    notes = List.copyOf(notes);
    parties = List.copyOf(parties);
    hearsay = List.copyOf(hearsay);
    works = List.copyOf(works);
    agreements = List.copyOf(agreements);
    choices = List.copyOf(choices);
    releases = List.copyOf(releases);
  }

  /** Who sent an ERN message when; {@code deals} says whether its deals may be heard. */
  record Message(String sender, String messageId, Instant createdAt, boolean deals) {}

  /** A release as the catalogue keeps it. */
  record ReleaseRow(
      String id,
      String title,
      String artist,
      String label,
      String icpn,
      String grid,
      List<String> isrcs) {
    ReleaseRow {
      isrcs = List.copyOf(isrcs);
    }
  }

  /**
   * One recording to be.
   *
   * @param name what the delivery calls it
   * @param isrc null to derive a local one from the content
   * @param block why it is blocked whatever its audio is like, "" when nothing speaks against it
   * @param audio null when its audio is the sum of its stems
   * @param missing why there is no audio to open, "" when there is
   * @param behind who is behind it, once its ISRC is known
   */
  record Candidate(
      String name,
      @Nullable Isrc isrc,
      String title,
      String versionTitle,
      String artist,
      double statedSeconds,
      String block,
      @Nullable AudioSource audio,
      String missing,
      List<StemSource> stems,
      @Nullable Path jams,
      String genre,
      List<String> tags,
      String description,
      @Nullable Double bpm,
      @Nullable String key,
      String licence,
      Map<String, String> extra,
      Function<Isrc, Behind> behind) {
    Candidate {
      stems = List.copyOf(stems);
      tags = List.copyOf(tags);
      extra = Map.copyOf(extra);
    }
  }

  /** A file with the hash that its sender gave. */
  record AudioSource(Path file, String hashAlgorithm, String hash) {}

  record StemSource(String name, AudioSource source) {}

  /**
   * Who is behind a recording.
   *
   * @param works hearsay on its works: registered only where nobody is known by the id yet
   * @param agreements over this recording, in the order of the delivery
   */
  record Behind(
      List<String> workIds,
      List<Contributor> contributors,
      List<Share> shares,
      List<Work> works,
      List<Agreement> agreements) {
    Behind {
      workIds = List.copyOf(workIds);
      contributors = List.copyOf(contributors);
      shares = List.copyOf(shares);
      works = List.copyOf(works);
      agreements = List.copyOf(agreements);
    }
  }
}
