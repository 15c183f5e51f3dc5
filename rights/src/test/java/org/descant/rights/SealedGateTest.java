package org.descant.rights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.OutputStream;
import java.io.Serializable;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Modifier;
import java.net.URI;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.stream.Stream;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Nobody but this package makes a {@link ClearedRecording}. */
class SealedGateTest {
  private static final String FORGE =
      """
      package org.descant.rights;

      public final class Forge {
        public static Object forge() {
          Decision decision =
              new Decision("decision:forged", Use.TRAIN, Isrc.of("XXABC2600001"), true,
                  java.util.List.of(), "", java.time.LocalDate.EPOCH, java.time.Instant.EPOCH,
                  "Worldwide");
          return new ClearedRecording(decision, "");
        }
      }
      """;

  @TempDir Path folder;

  @Test
  void theTypeGivesNoOtherWayIn() {
    assertThat(Modifier.isFinal(ClearedRecording.class.getModifiers())).isTrue();
    assertThat(Serializable.class.isAssignableFrom(ClearedRecording.class)).isFalse();
    assertThat(Cloneable.class.isAssignableFrom(ClearedRecording.class)).isFalse();
    for (Constructor<?> constructor : ClearedRecording.class.getDeclaredConstructors()) {
      assertThat(constructor.getModifiers() & (Modifier.PUBLIC | Modifier.PROTECTED)).isZero();
    }
    assertThat(ClearedRecording.class.getMethods())
        .filteredOn(method -> Modifier.isStatic(method.getModifiers()))
        .isEmpty();
  }

  @Test
  void codeOfAnotherPackageDoesNotCompile() throws Exception {
    String elsewhere = FORGE.replace("package org.descant.rights;", "import org.descant.rights.*;");
    assertThatThrownBy(() -> compile(elsewhere))
        .hasMessageContaining("cannot be accessed from outside package");
  }

  @Test
  void aPackageOfTheSameNameInAnotherJarIsKeptOutByTheSeal() throws Exception {
    Path forged = jar("forge.jar", compile(FORGE), false);
    Path real = real();
    Path sealed = Files.isDirectory(real) ? jar("rights.jar", real, true) : real;

    assertThatThrownBy(() -> forge(sealed, forged))
        .isInstanceOf(SecurityException.class)
        .hasMessageContaining("sealing violation");
    assertThatThrownBy(() -> forge(forged, sealed)).isInstanceOf(SecurityException.class);

    Path open = jar("open.jar", real, false);
    assertThatCode(() -> forge(open, forged))
        .as("without the seal the forgery would work, so the test can fail")
        .doesNotThrowAnyException();
  }

  /** Runs the forgery with two jars, and whatever else the real one needs, in this order. */
  private static void forge(Path first, Path second) throws Exception {
    List<URL> path = new ArrayList<>(List.of(first.toUri().toURL(), second.toUri().toURL()));
    try (URLClassLoader loader =
        new URLClassLoader(path.toArray(URL[]::new), ClassLoader.getPlatformClassLoader())) {
      loader.loadClass("org.descant.rights.Forge").getMethod("forge").invoke(null);
    } catch (InvocationTargetException e) {
      if (e.getCause() instanceof SecurityException refused) {
        throw refused;
      }
      throw e;
    }
  }

  /** Where the real classes are: a folder while building, a jar when installed. */
  private static Path real() {
    try {
      return Path.of(
          ClearedRecording.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    } catch (java.net.URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  private Path compile(String source) throws IOException {
    Path classes = Files.createDirectories(folder.resolve("classes"));
    JavaFileObject file =
        new SimpleJavaFileObject(
            URI.create("string:///org/descant/rights/Forge.java"), JavaFileObject.Kind.SOURCE) {
          @Override
          public CharSequence getCharContent(boolean ignoreEncodingErrors) {
            return source;
          }
        };
    java.io.StringWriter messages = new java.io.StringWriter();
    boolean compiled =
        ToolProvider.getSystemJavaCompiler()
            .getTask(
                messages,
                null,
                null,
                List.of("-proc:none", "-d", classes.toString(), "-cp", real().toString()),
                null,
                List.of(file))
            .call();
    if (!compiled) {
      throw new IllegalArgumentException(messages.toString());
    }
    return classes;
  }

  private Path jar(String name, Path classes, boolean seal) throws IOException {
    Manifest manifest = new Manifest();
    manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
    if (seal) {
      manifest.getMainAttributes().put(Attributes.Name.SEALED, "true");
    }
    Path jar = folder.resolve(name);
    try (OutputStream file = Files.newOutputStream(jar);
        JarOutputStream out = new JarOutputStream(file, manifest);
        Stream<Path> paths = Files.walk(classes)) {
      for (Path path : paths.filter(Files::isRegularFile).sorted().toList()) {
        out.putNextEntry(new JarEntry(classes.relativize(path).toString()));
        Files.copy(path, out);
        out.closeEntry();
      }
    }
    return jar;
  }
}
