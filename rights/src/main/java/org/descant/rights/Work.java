package org.descant.rights;

import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * A musical work: what was written, whoever recorded it.
 *
 * @param id its ISWC, which is checked and kept compact, or an id of the deliverer's own
 * @param contributors its writers, in the order of their credit
 * @param shares who owns it: shares of {@link RightType#PUBLISHING} only
 */
public record Work(String id, String title, List<Contributor> contributors, List<Share> shares)
    implements Fact {
  /** A work has at most this many writers, and owners: the longest real list known is below 100. */
  public static final int PEOPLE_MAX = 1_000;

  private static final Pattern LIKE_ISWC = Pattern.compile("[Tt][-.0-9]{10,}");

  /** Checks every part. */
  public Work {
    id = normalId(id);
    Text.requireName(title, "work's title");
    contributors = List.copyOf(contributors);
    shares = List.copyOf(shares);
    Recording.requireShares(shares, RightType.PUBLISHING, "work " + id);
    Recording.requireCount(contributors.size(), PEOPLE_MAX, "contributors", "work " + id);
  }

  /**
   * The id as it is kept: an ISWC without punctuation, any other as it is.
   *
   * @throws RightsException when it looks like an ISWC and its check digit is wrong
   */
  public static String normalId(String id) {
    return LIKE_ISWC.matcher(id.strip()).matches()
        ? Iswc.of(id).value()
        : Text.requireId(id.strip(), "work");
  }

  /** The ISWC, when the id is one. */
  public Optional<Iswc> iswc() {
    return LIKE_ISWC.matcher(id).matches() ? Optional.of(Iswc.of(id)) : Optional.empty();
  }
}
