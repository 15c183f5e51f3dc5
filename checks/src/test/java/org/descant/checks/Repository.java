package org.descant.checks;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/** The checkout that these tests read. */
final class Repository {
  private static final Set<String> TEXT_ENDINGS =
      Set.of("java", "xml", "md", "json", "mjs", "js", "html", "css", "sql", "sh", "yaml", "score");

  private Repository() {}

  static Path root() {
    Path here = Path.of("").toAbsolutePath();
    while (!Files.exists(here.resolve("descant")) || !Files.isDirectory(here.resolve("checks"))) {
      here = here.getParent();
      if (here == null) {
        throw new IllegalStateException("run inside the Descant checkout");
      }
    }
    return here;
  }

  static List<Path> javaFiles() throws IOException {
    try (Stream<Path> files = ownFiles()) {
      return files.filter(f -> f.toString().endsWith(".java")).sorted().toList();
    }
  }

  static Stream<Path> textFiles() throws IOException {
    return ownFiles().filter(f -> TEXT_ENDINGS.contains(ending(f)));
  }

  private static Stream<Path> ownFiles() throws IOException {
    Path root = root();
    return Files.walk(root)
        .filter(Files::isRegularFile)
        .filter(f -> {
          String path = root.relativize(f).toString();
          return !path.contains("target/")
              && !path.contains("node_modules/")
              && !path.startsWith(".git/")
              && !path.startsWith("shared/");
        });
  }

  private static String ending(Path file) {
    String name = file.getFileName().toString();
    return name.substring(name.lastIndexOf('.') + 1);
  }
}
