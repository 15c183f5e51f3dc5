package org.descant.catalog;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.descant.audio.AudioWriter;
import org.descant.catalog.ErnMessage.SoundRecording;
import org.descant.catalog.ImportReport.Status;
import org.descant.database.Database;
import org.descant.rights.Rights;
import org.descant.storage.LocalBlobStore;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KilledImportTest {
  private static final int RECORDINGS = 12;

  @TempDir Path folder;

  /** SIGKILL as soon as the audio is open, which is while the facts and rows are written. */
  @Test
  void aKilledImportLeavesNothingHalfDoneAndCanBeRepeated() throws Exception {
    Path delivery = Files.createDirectories(folder.resolve("delivery"));
    List<SoundRecording> recordings = new ArrayList<>();
    for (int i = 1; i <= RECORDINGS; i++) {
      AudioWriter.wav16(Sounds.tune(100 + i, 4), delivery.resolve(i + ".wav"));
      recordings.add(
          Messages.recording(i, "ZZTST26%05d".formatted(i), "", Messages.file(i + ".wav")));
    }
    ErnWriter.write(
        Messages.of(recordings.toArray(SoundRecording[]::new)), delivery.resolve("ern.xml"));
    Path home = folder.resolve("home");

    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                KilledImport.class.getName(),
                home.toString(),
                delivery.toString())
            .redirectErrorStream(true)
            .start();
    List<String> said = new ArrayList<>();
    try (BufferedReader out =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      for (String line = out.readLine(); line != null; line = out.readLine()) {
        said.add(line);
        if (line.equals(RECORDINGS + "/" + RECORDINGS)) {
          process.toHandle().destroyForcibly();
        }
      }
    }
    process.waitFor();
    assertThat(said).contains(RECORDINGS + "/" + RECORDINGS);

    try (Database database = Database.open(home)) {
      LocalBlobStore blobs = new LocalBlobStore(home.resolve("blobs"));
      Catalog catalog = Catalog.open(database, blobs);
      Rights rights = Rights.open(database);
      assertThat(catalog.list().size()).isIn(0, RECORDINGS);

      ImportReport report =
          new Ingest(catalog, rights).importPath(delivery, ImportOptions.defaults());

      assertThat(report.complete()).isTrue();
      assertThat(report.count(Status.IMPORTED) + report.count(Status.ALREADY_THERE))
          .isEqualTo(RECORDINGS);
      assertThat(catalog.list()).hasSize(RECORDINGS);
      for (CatalogEntry entry : catalog.list()) {
        blobs.verify(entry.audio());
        assertThat(rights.recording(entry.isrc()).orElseThrow().pcmHash())
            .isEqualTo(entry.pcmHash());
      }
    }
    assertThat(leftovers(home.resolve("blobs/incoming"))).isEmpty();
  }

  private static List<Path> leftovers(Path incoming) throws IOException {
    try (Stream<Path> files = Files.list(incoming)) {
      return files.toList();
    }
  }
}
