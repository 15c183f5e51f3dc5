package org.descant.shards;

import java.util.regex.Pattern;

/**
 * What a field is, the same for every recording. Its {@link #name} follows from all of it, so a
 * field that was made in another way is another field, and one name always has the same values.
 *
 * @param kind a word: small letters
 * @param type of every value
 * @param width values in a row: codec tokens of 8 codebooks have 8, a text has 1
 * @param madeBy all that the values depend on beside the recordings: hashes of weights and code,
 *     versions, settings
 */
public record FieldSpec(String kind, FieldType type, int width, String madeBy) {
  private static final Pattern KIND = Pattern.compile("[a-z]{1,16}");
  private static final int WIDTH_MAX = 1 << 20;
  private static final int NAME_HASH_DIGITS = 40;

  public FieldSpec {
    if (!KIND.matcher(kind).matches()) {
      throw new ShardException(
          "a field's kind is a word of up to 16 small letters, was '%s'".formatted(kind));
    }
    if (width < 1 || width > WIDTH_MAX || (type == FieldType.TEXT && width != 1)) {
      throw new ShardException(
          "field '%s' has %d values of %s in a row; there can be 1 to %d, in a text 1"
              .formatted(kind, width, type, WIDTH_MAX));
    }
  }

  /** Kind and hash: what the file is called. */
  public String name() {
    String all = "descant-field/1\t%s\t%s\t%d\n%s".formatted(kind, type, width, madeBy);
    return kind + "-" + Hashes.hexOf(all).substring(0, NAME_HASH_DIGITS);
  }

  /** Bytes of one row. */
  int rowBytes() {
    return width * type.bytes();
  }
}
