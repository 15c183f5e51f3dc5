package org.descant.catalog;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.time.LocalDate;
import java.util.List;
import org.descant.catalog.ErnMessage.DeliveredFile;
import org.junit.jupiter.api.Test;

class ErnWriterTest {
  private static final ErnMessage MESSAGE =
      Messages.of(
          "test-7",
          "2026-01-01T09:00:00Z",
          List.of(Messages.worldwide(null), Messages.worldwide(LocalDate.of(2026, 3, 31))),
          Messages.recording(
              1,
              "ZZDSC2600001",
              "T-999.000.001-6",
              new DeliveredFile("a.wav", "SHA-256", "ab".repeat(32))),
          Messages.stem(2, "A1", "drums", Messages.file("stems/drums.flac")),
          Messages.recording(3, "ZZDSC2600003", "", Messages.file("c.wav")));

  @Test
  void whatIsWrittenIsReadBackEqual() {
    ErnMessage read = ErnReader.read(new ByteArrayInputStream(bytes()), "message");

    assertThat(read).isEqualTo(MESSAGE);
  }

  @Test
  void theSameMessageGivesTheSameBytes() {
    assertThat(bytes()).isEqualTo(bytes());
  }

  @Test
  void theSchemaOf432AcceptsIt() throws Exception {
    assertThat(Ddex.faults(bytes())).isEmpty();
  }

  private static byte[] bytes() {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ErnWriter.write(MESSAGE, out);
    return out.toByteArray();
  }
}
