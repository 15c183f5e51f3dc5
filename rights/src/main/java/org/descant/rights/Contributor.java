package org.descant.rights;

import java.util.regex.Pattern;

/**
 * What somebody did for a recording or a work.
 *
 * @param partyId who
 * @param role a role of DDEX's allowed values, such as {@code MainArtist}, {@code FeaturedArtist},
 *     {@code Producer}, {@code Composer}, {@code Lyricist}
 */
public record Contributor(String partyId, String role) {
  private static final Pattern ROLE = Pattern.compile("[A-Za-z][A-Za-z0-9]{0,63}");

  /** Checks id and form of the role. */
  public Contributor {
    Text.requireId(partyId, "party");
    if (!ROLE.matcher(role).matches()) {
      throw new RightsException(
          "'%s' is not a contributor role: use a DDEX role such as MainArtist or Composer"
              .formatted(Text.shown(role)));
    }
  }
}
