package org.descant.storage;

import java.util.regex.Pattern;

/**
 * The name of a blob: {@code sha256:} and the 64 lower-case hexadecimal digits of the SHA-256 of
 * its bytes.
 */
public record BlobId(String value) implements Comparable<BlobId> {
  private static final String PREFIX = "sha256:";
  private static final Pattern SYNTAX = Pattern.compile("sha256:[0-9a-f]{64}");

  public BlobId {
    if (!SYNTAX.matcher(value).matches()) {
      throw new StorageException(
          "'"
              + value.substring(0, Math.min(value.length(), 80))
              + "' is not a blob id; it should read sha256: and 64 hexadecimal digits.");
    }
  }

  public static BlobId ofSha256(String hex) {
    return new BlobId(PREFIX + hex);
  }

  /** The 64 digits without the prefix. */
  public String hex() {
    return value.substring(PREFIX.length());
  }

  @Override
  public int compareTo(BlobId other) {
    return value.compareTo(other.value);
  }

  @Override
  public String toString() {
    return value;
  }
}
