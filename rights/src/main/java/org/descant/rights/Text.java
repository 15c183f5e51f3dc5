package org.descant.rights;

import java.util.regex.Pattern;

/** What every text that comes in from outside must be, and how a message shows it. */
final class Text {
  static final int ID_CHARS_MAX = 128;
  static final int NAME_CHARS_MAX = 1_000;
  private static final int SHOWN_CHARS_MAX = 60;
  private static final Pattern ID = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._:/+-]*");

  private Text() {}

  /** Returns the id, or throws: letters, digits and {@code . _ : / + -}, at most 128. */
  static String requireId(String id, String what) {
    if (id.length() > ID_CHARS_MAX || !ID.matcher(id).matches()) {
      throw new RightsException(
          "'%s' is not an id of a %s: use up to %d letters, digits and . _ : / + -"
              .formatted(shown(id), what, ID_CHARS_MAX));
    }
    return id;
  }

  /** Returns the name, or throws when it is blank, too long or holds control characters. */
  static String requireName(String name, String what) {
    if (name.isBlank() || name.length() > NAME_CHARS_MAX) {
      throw new RightsException(
          "A %s must have 1 to %d characters, has %d"
              .formatted(what, NAME_CHARS_MAX, name.strip().length()));
    }
    if (name.chars().anyMatch(Character::isISOControl)) {
      throw new RightsException(
          "The %s '%s' holds control characters: remove them".formatted(what, shown(name)));
    }
    return name;
  }

  /** The text as a message may show it: short, and on one line. */
  static String shown(String text) {
    String line = text.replaceAll("\\p{Cntrl}", " ");
    return line.length() <= SHOWN_CHARS_MAX ? line : line.substring(0, SHOWN_CHARS_MAX) + "…";
  }
}
