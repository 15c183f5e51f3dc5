package org.descant.catalog;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.EnumSet;
import java.util.SplittableRandom;
import org.descant.catalog.ErnMessage.SoundRecording;
import org.descant.catalog.ErnMessage.UseType;
import org.descant.rights.Use;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ErnReaderTest {
  @TempDir Path folder;

  @ParameterizedTest
  @CsvSource({
    "1-Audio.xml, Audio, 21, 22, 1",
    "4-SimpleAudioSingle.xml, SimpleAudioSingle, 1, 1, 1",
    "8-DjMix.xml, DjMix, 9, 1, 1",
    "Variant-Classical.xml, Audio, 12, 13, 1"
  })
  void realMessagesOfEveryProfileComeIn(
      String name, String profile, int recordings, int releases, int others) {
    ErnMessage message = ErnReader.read(Ddex.sample(name));

    assertThat(message.version()).isEqualTo(ErnMessage.Version.ERN_4_3);
    assertThat(message.profile()).isEqualTo(profile);
    assertThat(message.recordings()).hasSize(recordings);
    assertThat(message.releases()).hasSize(releases);
    assertThat(message.others()).hasSize(others);
    for (SoundRecording recording : message.recordings()) {
      assertThat(recording.title()).isNotEmpty();
      assertThat(recording.displayArtist()).isNotEmpty();
      assertThat(recording.seconds()).isPositive();
      assertThat(recording.contributions()).isNotEmpty();
      if (!recording.supplemental()) {
        assertThat(recording.isrc()).matches("[A-Z]{2}[A-Z0-9]{3}[0-9]{7}");
        assertThat(recording.files()).hasSize(1);
        assertThat(recording.pLine()).isNotEmpty();
        assertThat(message.dealsOf(recording.reference())).isNotEmpty();
      }
    }
  }

  @Test
  void aRealSingleIsReadToTheLastField() {
    ErnMessage message = ErnReader.read(Ddex.sample("4-SimpleAudioSingle.xml"));

    SoundRecording recording = message.recordings().getFirst();
    assertThat(recording.isrc()).isEqualTo("GBAYC1700598");
    assertThat(recording.title()).isEqualTo("I Love You");
    assertThat(recording.seconds()).isEqualTo(263.583);
    assertThat(recording.files().getFirst().uri())
        .isEqualTo("resources/190295810726_00001_LL.flac");
    assertThat(recording.files().getFirst().hashAlgorithm()).isEqualTo("MD5");
    assertThat(message.sender().name()).isEqualTo("Warner Music Group");
    assertThat(message.deals().getFirst().from()).isEqualTo(LocalDate.of(2017, 4, 25));
    assertThat(message.deals()).allMatch(deal -> deal.uses().isEmpty());
  }

  @ParameterizedTest
  @CsvSource({
    "http://ddex.net/xml/ern/382, 3.8.2",
    "http://ddex.net/xml/ern/38, 3.8",
    "http://ddex.net/xml/ern/41, 4.1",
    "http://ddex.net/xml/ern/411, 4.1.1",
    "http://ddex.net/xml/ern/42, 4.2",
    "http://ddex.net/xml/ern/431, 4.3.1",
    "http://ddex.net/xml/2010/ern-main/32, 3.2"
  })
  void anotherVersionIsRefusedByItsName(String namespace, String version) {
    String xml =
        "<e:NewReleaseMessage xmlns:e='%s'><a/></e:NewReleaseMessage>".formatted(namespace);

    assertThatThrownBy(() -> read(xml))
        .isInstanceOf(CatalogException.class)
        .hasMessage(
            "m.xml is an ERN %s message; Descant reads ERN 4.3 and 4.3.2: ask the sender for one of"
                + " these.",
            version);
  }

  @Test
  void whatIsNoMessageIsRefusedInOneSentence() throws IOException {
    assertThatThrownBy(() -> read("RIFF....WAVE")).hasMessageContaining("is not XML");
    assertThatThrownBy(() -> read("")).hasMessageContaining("is not XML");
    assertThatThrownBy(() -> read("<a><b></a>")).hasMessageContaining("no DDEX ERN message");
    assertThatThrownBy(
            () -> read("<e:NewReleaseMessage xmlns:e='http://ddex.net/xml/ern/43'><a></e>"))
        .hasMessageContaining("is not XML that can be read: line 1");
    assertThatThrownBy(() -> read("<html><body/></html>"))
        .hasMessageContaining("its root is html without a namespace");
    assertThatThrownBy(() -> read("<x:PurgeReleaseMessage xmlns:x='http://ddex.net/xml/ern/43'/>"))
        .hasMessageContaining("is an ERN 4.3 PurgeReleaseMessage");
    Path empty = Files.createFile(folder.resolve("empty.xml"));
    assertThatThrownBy(() -> ErnReader.read(empty)).hasMessageContaining("is empty");
    assertThatThrownBy(() -> ErnReader.read(folder)).isInstanceOf(CatalogException.class);
    assertThatThrownBy(() -> ErnReader.read(folder.resolve("none.xml")))
        .isInstanceOf(CatalogException.class);
  }

  @Test
  void nothingIsFetchedOrExpandedForAStranger() throws IOException {
    Path secret = Files.writeString(folder.resolve("secret.txt"), "the secret");
    String[] attacks = {
      "<!DOCTYPE a [<!ENTITY x SYSTEM '%s'>]><e:NewReleaseMessage xmlns:e='http://ddex.net/xml/ern/43'><MessageHeader><MessageId>&x;</MessageId></MessageHeader></e:NewReleaseMessage>"
          .formatted(secret.toUri()),
      "<!DOCTYPE a [<!ENTITY x 'ha'><!ENTITY y '&x;&x;&x;'>]><e:NewReleaseMessage"
          + " xmlns:e='http://ddex.net/xml/ern/43'><a>&y;</a></e:NewReleaseMessage>",
      "<!DOCTYPE a SYSTEM '%s'><e:NewReleaseMessage xmlns:e='http://ddex.net/xml/ern/43'/>"
          .formatted(secret.toUri())
    };
    for (String attack : attacks) {
      assertThatThrownBy(() -> read(attack))
          .isInstanceOf(CatalogException.class)
          .hasMessageNotContaining("the secret");
    }
  }

  @Test
  void everyEncodingThatXmlDeclaresIsRead() {
    String xml =
        "<?xml version='1.0' encoding='%s'?><e:NewReleaseMessage"
            + " xmlns:e='http://ddex.net/xml/ern/43'>"
            + "<MessageHeader><MessageId>Bj\u00f6rk</MessageId></MessageHeader></e:NewReleaseMessage>";
    for (String name : new String[] {"UTF-8", "ISO-8859-1", "UTF-16", "UTF-16LE", "UTF-16BE"}) {
      byte[] bytes = xml.formatted(name).getBytes(java.nio.charset.Charset.forName(name));
      assertThat(ErnReader.read(new ByteArrayInputStream(bytes), "m.xml").messageId())
          .as(name)
          .isEqualTo("Bj\u00f6rk");
    }
    byte[] marked = ("\ufeff" + xml.formatted("UTF-8")).getBytes(StandardCharsets.UTF_8);
    assertThat(ErnReader.read(new ByteArrayInputStream(marked), "m.xml").messageId())
        .isEqualTo("Bj\u00f6rk");
    byte[] wrong = xml.formatted("UTF-8").getBytes(StandardCharsets.ISO_8859_1);
    assertThatThrownBy(() -> ErnReader.read(new ByteArrayInputStream(wrong), "m.xml"))
        .hasMessageContaining("its bytes are not UTF-8 text");
    assertThatThrownBy(() -> read(xml.formatted("KLINGON")))
        .hasMessageContaining("its bytes are not KLINGON text");
  }

  @Test
  void limitsAreSaid() {
    String deep = "<a>".repeat(100) + "</a>".repeat(100);
    assertThatThrownBy(() -> read(wrapped(deep))).hasMessageContaining("nested deeper than 64");
    String longText = "<a>" + "x".repeat(200_000) + "</a>";
    assertThatThrownBy(() -> read(wrapped(longText)))
        .hasMessageContaining("text of more than 100000 characters");
  }

  @Test
  void trainingIsDdexsWordAndTheRestIsOurs() {
    assertThat(new UseType("UseForTrainingGenerativeAI", "", "").grants()).isEqualTo(Use.TRAIN);
    assertThat(new UseType("UseForTrainingNonGenerativeAI", "", "").grants()).isNull();
    assertThat(new UseType("UserDefined", "org.descant", "STYLE").grants()).isEqualTo(Use.STYLE);
    assertThat(new UseType("UserDefined", "org.elsewhere", "STYLE").grants()).isNull();
    assertThat(new UseType("Stream", "", "").grants()).isNull();
    for (Use use : EnumSet.allOf(Use.class)) {
      assertThat(UseType.of(use).grants()).isEqualTo(use);
    }
  }

  /** A small change anywhere gives a message or one sentence, never another exception. */
  @Test
  void everyMutationIsReadOrRefused() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    ErnWriter.write(
        Messages.of(
            Messages.recording(1, "ZZDSC2600001", "T9990000016", Messages.file("a.wav")),
            Messages.stem(2, "A1", "drums", Messages.file("b.wav"))),
        bytes);
    byte[] whole = bytes.toByteArray();
    SplittableRandom random = new SplittableRandom(20260601);
    int read = 0;
    for (int round = 0; round < 4000; round++) {
      byte[] mutant = mutate(whole, random);
      try {
        ErnReader.read(new ByteArrayInputStream(mutant), "mutant");
        read++;
      } catch (CatalogException e) {
        assertThat(e.getMessage()).startsWith("mutant ").doesNotContain("\n");
      }
    }
    assertThat(read).isBetween(100, 3900);
  }

  static byte[] mutate(byte[] whole, SplittableRandom random) {
    byte[] mutant = whole.clone();
    int changes = random.nextInt(1, 4);
    for (int i = 0; i < changes; i++) {
      int at = random.nextInt(mutant.length);
      switch (random.nextInt(4)) {
        case 0 -> mutant[at] = (byte) random.nextInt(32, 127);
        case 1 -> mutant[at] ^= (byte) (1 << random.nextInt(8));
        case 2 -> {
          byte[] cut = new byte[mutant.length - Math.min(mutant.length - 1, random.nextInt(40))];
          System.arraycopy(mutant, 0, cut, 0, Math.min(at, cut.length));
          int rest = cut.length - Math.min(at, cut.length);
          System.arraycopy(mutant, mutant.length - rest, cut, Math.min(at, cut.length), rest);
          mutant = cut;
        }
        default -> {
          int from = random.nextInt(mutant.length);
          int count = Math.min(30, mutant.length - Math.max(from, at));
          System.arraycopy(mutant.clone(), from, mutant, at, count);
        }
      }
    }
    return mutant;
  }

  private static String wrapped(String inner) {
    return "<e:NewReleaseMessage xmlns:e='http://ddex.net/xml/ern/432'>"
        + inner
        + "</e:NewReleaseMessage>";
  }

  private static ErnMessage read(String xml) {
    return ErnReader.read(new ByteArrayInputStream(xml.getBytes(StandardCharsets.UTF_8)), "m.xml");
  }
}
