package org.descant.rights;

import java.util.Arrays;
import java.util.Locale;

/**
 * What a recording may be used for. A choice, an agreement and a decision each speak of one use.
 */
public enum Use {
  /** Training a generative model on it. */
  TRAIN,
  /** Making new music in its manner, with it as a reference. */
  STYLE,
  /** Making new music out of the recording itself. */
  REMIX,
  /** Making a new recording of its work. */
  COVER,
  /** Making new music with the performer's voice. */
  VOICE,
  /** Taking it apart into its stems, and using those. */
  STEMS;

  /**
   * Reads a use in upper or lower case.
   *
   * @throws RightsException when it is none
   */
  public static Use parse(String text) {
    try {
      return valueOf(text.strip().toUpperCase(Locale.ROOT));
    } catch (IllegalArgumentException e) {
      throw new RightsException(
          "'%s' is not a use: choose one of %s"
              .formatted(Text.shown(text), Arrays.toString(values()).toLowerCase(Locale.ROOT)));
    }
  }

  /** The use as a sentence says it: "training", "style", and so on. */
  String inWords() {
    return switch (this) {
      case TRAIN -> "training";
      case STYLE -> "style";
      case REMIX -> "remixes";
      case COVER -> "covers";
      case VOICE -> "voice";
      case STEMS -> "stems";
    };
  }
}
