package org.descant.rights;

import org.jspecify.annotations.Nullable;

/**
 * A person, group or company.
 *
 * @param id how this home names it; the same in every home that received the same delivery
 * @param fictional whether it was made up, for a demonstration or a test
 * @param isni its ISNI, when it has one
 */
public record Party(String id, String name, boolean fictional, @Nullable Isni isni)
    implements Fact {
  /** Checks id and name. */
  public Party {
    Text.requireId(id, "party");
    Text.requireName(name, "party's name");
  }

  /** A party without an ISNI. */
  public Party(String id, String name, boolean fictional) {
    this(id, name, fictional, null);
  }
}
