package org.descant.audio;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;

/** Where real songs and published vectors lie beside a checkout; tests without them are skipped. */
public final class RealMusic {
  private RealMusic() {}

  /** The folder of songs. */
  public static Path folder() {
    return shared("music");
  }

  /** A folder of the shared data. */
  public static Path shared(String name) {
    String root = System.getProperty("descant.shared", "../../shared");
    Path folder = Path.of(root, "data", name);
    Assumptions.assumeTrue(Files.isDirectory(folder), () -> "skipped: there is no " + folder);
    return folder;
  }
}
