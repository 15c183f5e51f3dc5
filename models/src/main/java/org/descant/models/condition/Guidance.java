package org.descant.models.condition;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;
import org.descant.models.ModelException;
import org.descant.models.condition.Conditioning.Group;

/**
 * Classifier-free guidance (Ho and Salimans 2022) with one scale per set of conditions (as Brooks
 * et al. 2023): {@code logits = full + Σ (scale_i − 1) · (full − without_i)}, where {@code
 * without_i} comes from a row of the batch that sees everything but the groups of term i. A single
 * term over all groups is the usual {@code uncond + scale · (cond − uncond)}.
 *
 * @param terms 0 to 3 terms; each costs one more row per clip
 */
public record Guidance(List<Term> terms) {
  private static final int TERMS_MAX = 3;
  private static final float SCALE_MAX = 20;

  private static final Set<Group> MUSIC =
      Set.of(Group.RHYTHM, Group.HARMONY, Group.FORM, Group.MELODY);
  private static final Set<Group> CHARACTER = Set.of(Group.TAGS, Group.TEXT, Group.STYLE);

  /** No guidance: one row per clip. */
  public static final Guidance NONE = new Guidance(List.of());

  /** Guidance of these groups by this scale (1 changes nothing). */
  public record Term(Set<Group> groups, float scale) {
    public Term {
      if (groups.isEmpty()) {
        throw new ModelException("A guidance term needs at least one group of conditions");
      }
      if (!(scale >= 0 && scale <= SCALE_MAX)) {
        throw new ModelException("A guidance scale is from 0 to " + SCALE_MAX + ", was " + scale);
      }
      groups = Set.copyOf(groups);
    }
  }

  public Guidance {
    if (terms.size() > TERMS_MAX) {
      throw new ModelException("At most " + TERMS_MAX + " guidance terms, got " + terms.size());
    }
    terms = List.copyOf(terms);
  }

  /** One term over all conditions. */
  public static Guidance all(float scale) {
    return scale == 1f ? NONE : new Guidance(List.of(new Term(EnumSet.allOf(Group.class), scale)));
  }

  /** Independent scales for the music's frame (rhythm, harmony, form, melody) and for its style. */
  public static Guidance of(float musicScale, float styleScale) {
    return new Guidance(List.of(new Term(MUSIC, musicScale), new Term(CHARACTER, styleScale)));
  }

  /**
   * Reads scales such as {@code 2} (all conditions together) or {@code all=2,melody=3,text=1.5}:
   * names of {@link Group} in any case, {@code music} (rhythm, harmony, form, melody), {@code
   * character} (tags, text, style) or {@code all}. A scale of 1 changes nothing and has no term.
   *
   * @throws ModelException for a name or number that is none, and for more than three terms
   */
  public static Guidance parse(String text) {
    List<Term> terms = new ArrayList<>();
    Set<String> named = new HashSet<>();
    for (String part : text.split(",", -1)) {
      int equals = part.indexOf('=');
      String name = equals < 0 ? "all" : part.substring(0, equals).strip().toLowerCase(Locale.ROOT);
      float scale = scale(part, part.substring(equals + 1).strip());
      if (!named.add(name)) {
        throw new ModelException("Guidance names '" + name + "' twice; keep one of them");
      }
      Set<Group> groups = groups(name);
      if (scale != 1) {
        terms.add(new Term(groups, scale));
      }
    }
    return new Guidance(terms);
  }

  private static float scale(String part, String number) {
    try {
      return Float.parseFloat(number);
    } catch (NumberFormatException e) {
      throw new ModelException(
          "'" + part + "' is no guidance; write a number, or names as in style=2,melody=3", e);
    }
  }

  private static Set<Group> groups(String name) {
    return switch (name) {
      case "all" -> EnumSet.allOf(Group.class);
      case "music" -> MUSIC;
      case "character" -> CHARACTER;
      default -> {
        for (Group group : Group.values()) {
          if (group.name().toLowerCase(Locale.ROOT).equals(name)) {
            yield EnumSet.of(group);
          }
        }
        throw new ModelException(
            "There is no condition '"
                + name
                + "' to guide; there are all, music, character, "
                + Arrays.stream(Group.values())
                    .map(group -> group.name().toLowerCase(Locale.ROOT))
                    .collect(Collectors.joining(", ")));
      }
    };
  }

  /** Rows of the batch that one clip takes. */
  public int rows() {
    return 1 + terms.size();
  }

  /**
   * Combines the logits of one clip.
   *
   * @param rows the full row, then one row per term, each of the same length
   * @param out receives the guided logits
   */
  public void combine(float[][] rows, float[] out) {
    System.arraycopy(rows[0], 0, out, 0, out.length);
    for (int i = 0; i < terms.size(); i++) {
      float pull = terms.get(i).scale() - 1;
      float[] without = rows[i + 1];
      for (int v = 0; v < out.length; v++) {
        out[v] += pull * (rows[0][v] - without[v]);
      }
    }
  }
}
