package org.descant.rights;

import java.time.LocalDate;

/**
 * What somebody behind the music wants, whether they own anything of it or not. A no refuses; a yes
 * grants nothing by itself, it only takes back the same party's earlier no of the same use and
 * scope. A party's yes to one recording does not undo its no to everything: the strictest wins.
 *
 * @param from the first day on which it holds
 */
public record Choice(String partyId, Use use, Scope scope, boolean allowed, LocalDate from)
    implements Fact {
  /** Checks id and date. */
  public Choice {
    Text.requireId(partyId, "party");
    Dates.require(from);
  }

  /** A name made of the content alone, the same in every home: {@code choice:} and 16 digits. */
  public String id() {
    return "choice:" + Canonical.hash(Canonical.of(this)).substring(0, 16);
  }
}
