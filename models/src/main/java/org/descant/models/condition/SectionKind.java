package org.descant.models.condition;

import java.util.Locale;

/** Parts of a song's form. */
public enum SectionKind {
  NONE,
  INTRO,
  VERSE,
  CHORUS,
  BRIDGE,
  SOLO,
  OUTRO,
  OTHER;

  /**
   * Reads a label such as {@code "Verse 2"}; unknown words are {@link #OTHER}, blank is {@link
   * #NONE}.
   */
  public static SectionKind parse(String label) {
    String text = label.strip().toLowerCase(Locale.ROOT);
    if (text.isEmpty()) {
      return NONE;
    }
    for (SectionKind kind : values()) {
      if (kind != NONE && text.startsWith(kind.name().toLowerCase(Locale.ROOT))) {
        return kind;
      }
    }
    return OTHER;
  }
}
