package org.descant.models.hub;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The hash by which a hub knows a file's content: SHA-256 of the bytes for large files (Git LFS),
 * Git's blob hash for small ones, which is SHA-1 of {@code "blob " length NUL bytes}.
 *
 * @param hex lower case
 */
public record ContentHash(Kind kind, String hex) {
  /** Which hash. */
  public enum Kind {
    SHA256,
    GIT_BLOB
  }

  private static final int BUFFER_BYTES = 1 << 18;
  private static final Pattern SHA256_HEX = Pattern.compile("[0-9a-f]{64}");
  private static final Pattern SHA1_HEX = Pattern.compile("[0-9a-f]{40}");

  /** The hash that 64 or 40 hexadecimal digits stand for; null for anything else. */
  static @Nullable ContentHash ofHex(String hex) {
    if (SHA256_HEX.matcher(hex).matches()) {
      return new ContentHash(Kind.SHA256, hex);
    }
    return SHA1_HEX.matcher(hex).matches() ? new ContentHash(Kind.GIT_BLOB, hex) : null;
  }

  /** The same kind of hash, of a file's bytes. */
  ContentHash of(Path file) throws IOException {
    return of(kind, file);
  }

  static ContentHash of(Kind kind, Path file) throws IOException {
    MessageDigest digest;
    try {
      digest =
          switch (kind) {
            case SHA256 -> MessageDigest.getInstance("SHA-256");
            case GIT_BLOB -> MessageDigest.getInstance("SHA-1");
          };
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-1 and SHA-256", e);
    }
    if (kind == Kind.GIT_BLOB) {
      digest.update(("blob " + Files.size(file) + "\0").getBytes(StandardCharsets.US_ASCII));
    }
    byte[] buffer = new byte[BUFFER_BYTES];
    try (InputStream in = Files.newInputStream(file)) {
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        digest.update(buffer, 0, n);
      }
    }
    return new ContentHash(kind, HexFormat.of().formatHex(digest.digest()));
  }

  @Override
  public String toString() {
    return (kind == Kind.SHA256 ? "sha256:" : "git:") + hex;
  }
}
