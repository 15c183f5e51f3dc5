package org.descant.models.published;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.descant.tensor.Safetensors;
import org.descant.tensor.SafetensorsWriter;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;

/** Our golden fixtures, made by bench/peers/published.py, and changed copies of them. */
public final class Fixtures {
  private Fixtures() {}

  public static Path golden(String name) {
    return golden().resolve(name);
  }

  public static Path golden() {
    try {
      return Path.of(
          Objects.requireNonNull(Fixtures.class.getResource("/published"), "/published").toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  public static List<Path> folders(Path parent) {
    try (Stream<Path> children = Files.list(parent)) {
      return children.filter(Files::isDirectory).sorted().toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A copy of a golden fixture under another folder. */
  public static Path copy(String name, Path target) throws IOException {
    Files.createDirectories(target);
    try (Stream<Path> files = Files.list(golden(name))) {
      for (Path file : files.toList()) {
        Files.copy(file, target.resolve(file.getFileName().toString()));
      }
    }
    return target;
  }

  /** Rewrites a text file. */
  public static void edit(Path file, UnaryOperator<String> change) throws IOException {
    Files.writeString(file, change.apply(Files.readString(file)));
  }

  /** Rewrites a safetensors file after its tensors were changed. */
  public static void editTensors(Path file, Consumer<Map<String, Tensor>> change) {
    try (Scope scope = Scope.open()) {
      Map<String, Tensor> tensors = new TreeMap<>();
      try (Safetensors read = Safetensors.open(file)) {
        for (String name : read.names()) {
          tensors.put(name, read.tensor(name));
        }
      }
      change.accept(tensors);
      SafetensorsWriter.write(file, tensors, Map.of());
    }
  }
}
