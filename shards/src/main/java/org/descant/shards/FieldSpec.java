package org.descant.shards;

import java.util.List;
import java.util.regex.Pattern;

/**
 * What a field is: declared once in its file, the same for every recording.
 *
 * @param name small letters, digits and dashes
 * @param type of every value
 * @param shape of one row, empty for a single value: codec tokens of 8 codebooks have {@code [8]}
 * @param rowsPerSecond of sound, such as the codec's frame rate; 0 when rows do not follow time
 */
public record FieldSpec(String name, FieldType type, List<Integer> shape, double rowsPerSecond) {
  private static final Pattern NAME = Pattern.compile("[a-z0-9][a-z0-9-]{0,63}");
  private static final int ROW_VALUES_MAX = 1 << 20;

  public FieldSpec {
    shape = List.copyOf(shape);
    if (!NAME.matcher(name).matches()) {
      throw new ShardException(
          "a field's name is up to 64 small letters, digits and dashes, was '%s'".formatted(name));
    }
    long values = 1;
    for (int side : shape) {
      values = side < 1 ? 0 : Math.min(values * side, ROW_VALUES_MAX + 1L);
    }
    if (values < 1 || values > ROW_VALUES_MAX || (type == FieldType.TEXT && !shape.isEmpty())) {
      throw new ShardException(
          "field '%s' has rows of shape %s; a row has 1 to %d values, text has none"
              .formatted(name, shape, ROW_VALUES_MAX));
    }
    if (!(rowsPerSecond >= 0 && rowsPerSecond < Double.POSITIVE_INFINITY)) {
      throw new ShardException(
          "field '%s' has %s rows a second; 0 or more are needed".formatted(name, rowsPerSecond));
    }
  }

  /** One text a recording, such as a caption. */
  public static FieldSpec text(String name) {
    return new FieldSpec(name, FieldType.TEXT, List.of(), 0);
  }

  /** Values in one row. */
  public int rowValues() {
    int values = 1;
    for (int side : shape) {
      values *= side;
    }
    return values;
  }

  /** Bytes of one row. */
  public int rowBytes() {
    return rowValues() * type.bytes();
  }
}
