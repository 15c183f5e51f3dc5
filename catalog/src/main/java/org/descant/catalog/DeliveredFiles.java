package org.descant.catalog;

import java.io.IOException;
import java.io.InputStream;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Locale;
import java.util.zip.CRC32;
import org.jspecify.annotations.Nullable;

/** The files of one delivery: found by the name a message gives, and never outside its folder. */
final class DeliveredFiles {
  private final Path folder;

  DeliveredFiles(Path folder) {
    this.folder = folder;
  }

  /**
   * What a name in a message leads to: a regular file inside the delivery, or the reason why not.
   */
  record Found(@Nullable Path path, String problem, boolean missing) {
    static Found problem(String problem) {
      return new Found(null, problem, false);
    }
  }

  Found find(String name) {
    if (name.isEmpty()) {
      return Found.problem("it names no file");
    }
    String shown = Text.shorten(name, 120);
    if (name.matches("(?i)[a-z][a-z0-9+.-]+://.*")) {
      return Found.problem(
          "its file %s is an address, not a file of the delivery".formatted(shown));
    }
    for (String candidate : new String[] {name, decoded(name)}) {
      try {
        Path path = folder.resolve(candidate.replace('\\', '/')).normalize();
        if (!path.startsWith(folder.normalize())) {
          return Found.problem("its file %s points outside the delivery".formatted(shown));
        }
        if (Files.exists(path)) {
          if (!path.toRealPath().startsWith(folder.toRealPath())) {
            return Found.problem("its file %s leads outside the delivery".formatted(shown));
          }
          return Files.isRegularFile(path)
              ? new Found(path, "", false)
              : Found.problem("its file %s is a folder".formatted(shown));
        }
      } catch (InvalidPathException e) {
        return Found.problem("its file name %s is none".formatted(shown));
      } catch (IOException e) {
        return Found.problem(
            "its file %s cannot be read (%s)".formatted(shown, e.getClass().getSimpleName()));
      }
    }
    return new Found(null, "its file %s is not in the delivery".formatted(shown), true);
  }

  private static String decoded(String name) {
    try {
      return URLDecoder.decode(name.replace("+", "%2B"), StandardCharsets.UTF_8);
    } catch (IllegalArgumentException e) {
      return name;
    }
  }

  /** Lower-case hex SHA-256 of a file. */
  static String sha256(Path file) {
    return hex(file, Text.sha256());
  }

  /** Why a file does not have the hash its sender gave; "" when it has, or none was given. */
  static String hashProblem(Path file, String algorithm, String hash) {
    if (hash.isEmpty()) {
      return "";
    }
    String expected = hash.replaceAll("[\\s:-]", "").toLowerCase(Locale.ROOT);
    String found;
    if (algorithm.equalsIgnoreCase("CRC32")) {
      found = crc32(file);
    } else {
      String name = digestName(algorithm, expected.length());
      if (name == null) {
        return "its hash sum is of the kind %s, which cannot be checked; use SHA-256"
            .formatted(Text.shorten(algorithm, 40));
      }
      try {
        found = hex(file, MessageDigest.getInstance(name));
      } catch (NoSuchAlgorithmException e) {
        return "its hash sum is of the kind %s, which cannot be checked; use SHA-256"
            .formatted(name);
      }
    }
    return found.equals(expected)
        ? ""
        : "its %s hash sum is %s but the message says %s: the file is damaged or another one"
            .formatted(algorithm, found, Text.shorten(expected, 128));
  }

  private static @Nullable String digestName(String algorithm, int digits) {
    return switch (algorithm.toUpperCase(Locale.ROOT)) {
      case "MD2" -> "MD2";
      case "MD5" -> "MD5";
      case "SHA", "SHA1", "SHA-1" -> "SHA-1";
      case "SHA-224" -> "SHA-224";
      case "SHA-256", "SHA256" -> "SHA-256";
      case "SHA-384" -> "SHA-384";
      case "SHA-512", "SHA512" -> "SHA-512";
      case "SHA2" -> "SHA-" + digits * 4;
      case "SHA3" -> "SHA3-" + digits * 4;
      default -> null;
    };
  }

  private static String crc32(Path file) {
    CRC32 crc = new CRC32();
    each(file, (buffer, count) -> crc.update(buffer, 0, count));
    return "%08x".formatted(crc.getValue());
  }

  private static String hex(Path file, MessageDigest digest) {
    each(file, (buffer, count) -> digest.update(buffer, 0, count));
    return HexFormat.of().formatHex(digest.digest());
  }

  private interface Block {
    void take(byte[] buffer, int count);
  }

  private static void each(Path file, Block block) {
    byte[] buffer = new byte[1 << 18];
    try (InputStream in = Files.newInputStream(file)) {
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        block.take(buffer, n);
      }
    } catch (IOException e) {
      throw new CatalogException("Cannot read %s: %s.".formatted(file, e.getMessage()), e);
    }
  }
}
