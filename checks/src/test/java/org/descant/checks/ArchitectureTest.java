package org.descant.checks;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.library.Architectures.LayeredArchitecture;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The arrows of ARCHITECTURE.md, and the one door that each heavy library has. */
class ArchitectureTest {
  /** Module → the modules it may import. There are no other arrows. */
  private static final Map<String, List<String>> ARROWS =
      new TreeMap<>(
          Map.ofEntries(
              Map.entry("audio", List.of()),
              Map.entry("storage", List.of()),
              Map.entry("database", List.of()),
              Map.entry("tensor", List.of()),
              Map.entry("lab", List.of()),
              Map.entry("studio", List.of()),
              Map.entry("synth", List.of("audio")),
              Map.entry("rights", List.of("database")),
              Map.entry("catalog", List.of("audio", "synth", "rights", "database", "storage")),
              Map.entry("ledger", List.of("rights", "database")),
              Map.entry("provenance", List.of("rights", "audio", "database")),
              Map.entry("models", List.of("tensor", "storage")),
              Map.entry("shards", List.of("audio", "rights", "storage")),
              Map.entry(
                  "training", List.of("tensor", "models", "shards", "lab", "audio", "rights")),
              Map.entry("engine", List.of("tensor", "models", "audio", "rights")),
              Map.entry("attribution", List.of("tensor", "models", "shards", "rights", "audio")),
              Map.entry(
                  "evaluation",
                  List.of(
                      "training",
                      "engine",
                      "attribution",
                      "models",
                      "shards",
                      "tensor",
                      "audio",
                      "rights",
                      "lab")),
              Map.entry(
                  "serving",
                  List.of(
                      "engine",
                      "catalog",
                      "ledger",
                      "provenance",
                      "attribution",
                      "rights",
                      "audio",
                      "lab",
                      "database",
                      "studio"))));

  private static JavaClasses classes;

  @BeforeAll
  static void read() {
    classes =
        new ClassFileImporter()
            .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
            .importPackages("org.descant");
  }

  @Test
  void modulesImportOnlyWhatTheHouseAllows() {
    LayeredArchitecture house = layeredArchitecture().consideringOnlyDependenciesInLayers();
    for (String module : ARROWS.keySet()) {
      house = house.optionalLayer(module).definedBy("org.descant." + module + "..");
    }
    house = house.layer("cli").definedBy("org.descant.cli..");
    house = house.layer("bench").definedBy("org.descant.bench..");
    for (Map.Entry<String, List<String>> arrow : ARROWS.entrySet()) {
      house =
          arrow.getValue().isEmpty()
              ? house.whereLayer(arrow.getKey()).mayNotAccessAnyLayer()
              : house
                  .whereLayer(arrow.getKey())
                  .mayOnlyAccessLayers(arrow.getValue().toArray(String[]::new));
    }
    house
        .whereLayer("cli")
        .mayOnlyBeAccessedByLayers("bench")
        .whereLayer("bench")
        .mayNotBeAccessedByAnyLayer()
        .check(classes);
  }

  @Test
  void eachHeavyLibraryHasOneDoor() {
    onlyIn("tensor", "org.bytedeco.pytorch..", "org.bytedeco.openblas..");
    onlyIn("audio", "org.bytedeco.ffmpeg..", "org.jtransforms..");
    onlyIn("database", "org.postgresql..", "com.zaxxer..", "org.flywaydb..", "io.zonky..");
    onlyIn("serving", "org.eclipse.jetty..");
    onlyIn("cli", "picocli..");
    onlyIn("provenance", "org.bouncycastle..");
    onlyIn("storage", "org.apache.opendal..");
  }

  @Test
  void theRulesSeeTheWholeHouse() {
    for (String module : ARROWS.keySet()) {
      assertThat(classes.that(resideInAPackage("org.descant." + module + "..")))
          .as("classes of " + module)
          .satisfiesAnyOf(
              found -> assertThat(found).isNotEmpty(),
              found -> assertThat(module).isEqualTo("studio"));
    }
  }

  private static void onlyIn(String module, String... library) {
    noClasses()
        .that()
        .resideOutsideOfPackage("org.descant." + module + "..")
        .should()
        .dependOnClassesThat(resideInAnyPackage(library))
        .because("only " + module + " opens that door")
        .check(classes);
  }
}
