package org.descant.training;

import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.CodeSource;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Names the code that runs: SHA-256 over the names and bytes of the class files of the given
 * classes' modules, sorted by name; the same from a folder of classes and from a jar. Stateless.
 */
public final class CodeTree {
  private CodeTree() {}

  /** Lower-case hex hash of all class files that lie beside the given classes. */
  public static String of(List<Class<?>> classes) {
    var hashByName = new TreeMap<String, byte[]>();
    try {
      for (Class<?> type : classes) {
        CodeSource source = type.getProtectionDomain().getCodeSource();
        if (source == null) {
          throw new TrainingException("the code of " + type.getName() + " has no place on disk");
        }
        Path place = Path.of(source.getLocation().toURI());
        if (Files.isDirectory(place)) {
          collect(place, hashByName);
        } else {
          try (var jar = FileSystems.newFileSystem(URI.create("jar:" + place.toUri()), Map.of())) {
            collect(jar.getPath("/"), hashByName);
          }
        }
      }
    } catch (IOException | URISyntaxException e) {
      throw new TrainingException("cannot read the code that runs: " + e.getMessage(), e);
    }
    MessageDigest digest = sha256();
    hashByName.forEach((name, hash) -> {
      digest.update((name + "\n").getBytes(java.nio.charset.StandardCharsets.UTF_8));
      digest.update(hash);
    });
    return HexFormat.of().formatHex(digest.digest());
  }

  private static void collect(Path root, Map<String, byte[]> hashByName) throws IOException {
    try (var tree = Files.walk(root)) {
      for (Path file : tree.toList()) {
        if (file.toString().endsWith(".class")) {
          MessageDigest digest = sha256();
          try (InputStream in = Files.newInputStream(file)) {
            digest.update(in.readAllBytes());
          }
          hashByName.put(root.relativize(file).toString(), digest.digest());
        }
      }
    }
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }
}
