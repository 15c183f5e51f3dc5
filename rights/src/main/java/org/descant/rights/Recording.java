package org.descant.rights;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A sound recording, and who is behind it.
 *
 * @param displayArtist the artist's name as the deliverer writes it on the cover
 * @param seconds its length; 0 while there is no file
 * @param pcmHash hash of its sound (64 hexadecimal digits), null while there is no file
 * @param workIds the works that it records; none means that nobody knows who wrote it
 * @param contributors who made the recording, in the order of their credit
 * @param shares who owns it: shares of {@link RightType#MASTER} only
 * @param blockedReason why it must wait, such as "its file a.flac was not delivered"; null when it
 *     need not
 */
public record Recording(
    Isrc isrc,
    String title,
    String displayArtist,
    double seconds,
    @Nullable String pcmHash,
    List<String> workIds,
    List<Contributor> contributors,
    List<Share> shares,
    @Nullable String blockedReason)
    implements Fact {
  /** A medley of more works than this is not one recording. */
  public static final int WORKS_MAX = 100;

  private static final Pattern HASH = Pattern.compile("[0-9a-f]{64}");

  /** Checks every part. */
  public Recording {
    Text.requireName(title, "recording's title");
    Text.requireName(displayArtist, "recording's artist");
    if (!(seconds >= 0) || seconds > 1e6) {
      throw new RightsException(
          "The length of %s must be 0 to 1,000,000 s, was %s".formatted(isrc, seconds));
    }
    if (pcmHash != null && !HASH.matcher(pcmHash).matches()) {
      throw new RightsException(
          "The sound hash of %s must be 64 hexadecimal digits, was '%s'"
              .formatted(isrc, Text.shown(pcmHash)));
    }
    if (pcmHash == null && blockedReason == null) {
      throw new RightsException(
          "The recording %s has no sound: block it with a reason until its file is here"
              .formatted(isrc));
    }
    if (blockedReason != null) {
      Text.requireName(blockedReason, "reason for blocking " + isrc);
    }
    workIds = workIds.stream().map(Work::normalId).distinct().toList();
    contributors = List.copyOf(contributors);
    shares = List.copyOf(shares);
    requireCount(workIds.size(), WORKS_MAX, "works", "recording " + isrc);
    requireCount(contributors.size(), Work.PEOPLE_MAX, "contributors", "recording " + isrc);
    requireShares(shares, RightType.MASTER, "recording " + isrc);
  }

  /** Whether it must wait and so is refused for every use. */
  public boolean blocked() {
    return blockedReason != null;
  }

  static void requireShares(List<Share> shares, RightType type, String of) {
    requireCount(shares.size(), Work.PEOPLE_MAX, "owners", of);
    Set<String> owners = new HashSet<>();
    long sum = 0;
    for (Share share : shares) {
      if (share.type() != type) {
        throw new RightsException(
            "The %s has %s shares only, but that of %s is %s"
                .formatted(of, type, share.partyId(), share.type()));
      }
      if (!owners.add(share.partyId())) {
        throw new RightsException(
            "The %s lists the owner %s twice: add the two shares up"
                .formatted(of, share.partyId()));
      }
      sum += share.basisPoints();
    }
    if (sum > Share.WHOLE) {
      throw new RightsException(
          "The shares of the %s add up to %d.%02d %%, more than the whole: correct them"
              .formatted(of, sum / 100, sum % 100));
    }
  }

  static void requireCount(int count, int max, String what, String of) {
    if (count > max) {
      throw new RightsException(
          "The %s has %d %s, at most %d are allowed".formatted(of, count, what, max));
    }
  }
}
