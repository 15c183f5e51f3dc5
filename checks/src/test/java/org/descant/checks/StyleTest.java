package org.descant.checks;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.googlejavaformat.java.Formatter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * Every Java file is as google-java-format writes it. {@code mvn -pl checks test -Dtest=StyleTest
 * -Dstyle=write} rewrites those that are not.
 */
class StyleTest {
  private static final Path ROOT = Repository.root();

  @Test
  void everyJavaFileIsFormatted() throws Exception {
    boolean write = "write".equals(System.getProperty("style"));
    Formatter formatter = new Formatter();
    List<String> wrong = new ArrayList<>();
    for (Path file : Repository.javaFiles()) {
      String source = Files.readString(file);
      String formatted = formatter.formatSourceAndFixImports(source);
      if (!formatted.equals(source)) {
        if (write) {
          Files.writeString(file, formatted);
        } else {
          wrong.add(ROOT.relativize(file).toString());
        }
      }
    }
    assertThat(wrong)
        .as("not formatted; `mvn -pl checks test -Dtest=StyleTest -Dstyle=write` rewrites them")
        .isEmpty();
  }

  @Test
  void everyPackageSaysWhatItIs() throws IOException {
    List<String> silent = new ArrayList<>();
    for (Path file : Repository.javaFiles()) {
      Path folder = file.getParent();
      if (folder.toString().contains("/src/main/java/")
          && !Files.exists(folder.resolve("package-info.java"))) {
        silent.add(ROOT.relativize(folder).toString());
      }
    }
    assertThat(silent.stream().distinct()).as("packages without package-info.java").isEmpty();
  }

  @Test
  void noFileNamesARegistryHostOrAMachinePath() throws IOException {
    // Spelled in pieces so that this file does not find itself.
    List<String> forbidden =
        List.of("repo." + "maven", "repo1." + "maven", "registry." + "npmjs", "pypi." + "org");
    List<String> found = new ArrayList<>();
    try (Stream<Path> files = Repository.textFiles()) {
      for (Path file : files.toList()) {
        String text = Files.readString(file);
        for (String host : forbidden) {
          if (text.contains(host)) {
            found.add(ROOT.relativize(file) + " names " + host);
          }
        }
      }
    }
    assertThat(found).isEmpty();
  }
}
