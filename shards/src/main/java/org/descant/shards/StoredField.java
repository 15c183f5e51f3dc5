package org.descant.shards;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A field as it lies beside a dataset's sound.
 *
 * @param bytes of its file
 * @param spec what it is; null when its file is damaged or newer than this build
 */
public record StoredField(String name, long bytes, @Nullable FieldSpec spec) {

  /**
   * The fields in a dataset's folder, by name; only their indexes are read.
   *
   * @throws ShardException when the folder cannot be listed
   */
  public static List<StoredField> in(Path dataset) {
    var fields = new ArrayList<StoredField>();
    for (Path file : FieldFile.all(dataset)) {
      String name = FieldFile.nameOf(file);
      try {
        fields.add(new StoredField(name, Files.size(file), spec(file, name)));
      } catch (IOException e) {
        throw new ShardException("cannot look at " + file + ": " + e.getMessage(), e);
      }
    }
    return fields;
  }

  private static @Nullable FieldSpec spec(Path file, String name) {
    try {
      FieldSpec spec = FieldFile.specOf(file);
      return spec.name().equals(name) ? spec : null;
    } catch (ShardException unreadable) {
      return null;
    }
  }
}
