package org.descant.catalog;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.descant.audio.AudioWriter;
import org.descant.audio.Pcm;
import org.descant.catalog.ErnMessage.DeliveredFile;
import org.descant.catalog.ErnMessage.SoundRecording;
import org.descant.catalog.ImportReport.Item;
import org.descant.catalog.ImportReport.Status;
import org.descant.database.Database;
import org.descant.rights.Choice;
import org.descant.rights.Decision;
import org.descant.rights.DecisionContext;
import org.descant.rights.Isrc;
import org.descant.rights.ReasonCode;
import org.descant.rights.Rights;
import org.descant.rights.Scope;
import org.descant.rights.Use;
import org.descant.storage.LocalBlobStore;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class IngestTest {
  private static final ImportOptions OPTIONS = ImportOptions.defaults().withThreads(2);
  private static final LocalDate DAY = LocalDate.of(2026, 6, 1);

  private static Database database;

  @TempDir Path folder;
  private Rights rights;
  private Catalog catalog;
  private Ingest ingest;

  @BeforeAll
  static void start() {
    database = Database.temporary();
  }

  @AfterAll
  static void stop() {
    database.close();
  }

  /** Rights are append-only by trigger; a test may look away to begin with nothing. */
  @BeforeEach
  void empty() {
    rights = Rights.open(database);
    catalog = Catalog.open(database, new LocalBlobStore(folder.resolve("blobs")));
    database
        .jdbi()
        .useTransaction(handle -> {
          List<String> tables =
              handle
                  .createQuery(
                      """
                      select schemaname || '.' || tablename from pg_tables
                      where schemaname in ('catalog', 'rights')
                        and tablename <> 'migration_history'
                      """)
                  .mapTo(String.class)
                  .list();
          handle.execute("set local session_replication_role = replica");
          handle.execute("truncate " + String.join(", ", tables) + " cascade");
        });
    ingest = new Ingest(catalog, rights);
  }

  // ERN: what comes in

  @Test
  void aDeliveryComesInWithAudioStemsPeopleAndReleases() throws IOException {
    wav("a.wav", 1);
    AudioWriter.flac(Sounds.tune(2, 4), delivery("stems/drums.flac"));
    ern(
        recording(1, "T9990000016", "a.wav"),
        Messages.stem(2, "A1", "drums", Messages.file("stems/drums.flac")));

    ImportReport report = importAll();

    assertThat(report.complete()).isTrue();
    assertThat(report.kind()).isEqualTo("ERN 4.3.2 Audio");
    CatalogEntry entry = catalog.show("ZZ-TST-26-00001");
    assertThat(entry.status()).isEqualTo(CatalogEntry.Status.READY);
    assertThat(entry.title()).isEqualTo("Tune 1");
    assertThat(entry.artist()).isEqualTo("The Example \"Quartet\" & Sons");
    assertThat(entry.genre()).isEqualTo("Jazz");
    assertThat(entry.tags()).containsExactly("calm", "late night");
    assertThat(entry.description()).isEqualTo("An album.");
    assertThat(entry.seconds()).isEqualTo(4);
    assertThat(entry.lufs()).isBetween(-40.0, -5.0);
    assertThat(entry.stems()).extracting(CatalogEntry.Stem::name).containsExactly("drums");
    assertThat(catalog.audio(entry.isrc())).isEqualTo(Sounds.tune(1, 4));
    assertThat(catalog.audio(entry.isrc()).hash()).isEqualTo(entry.pcmHash());
    assertThat(catalog.stems(entry.isrc())).containsKey("drums");
    var recording = rights.recording(entry.isrc()).orElseThrow();
    assertThat(recording.pcmHash()).isEqualTo(entry.pcmHash());
    assertThat(recording.workIds()).containsExactly("T9990000016");
    assertThat(recording.shares())
        .extracting(s -> s.partyId())
        .containsExactly("dpid:" + Messages.LABEL_DPID);
    assertThat(recording.contributors())
        .extracting(c -> c.partyId() + " " + c.role())
        .containsExactly("example-quartet MainArtist", "example-quartet Musician");
    assertThat(rights.work("T9990000016").orElseThrow().contributors())
        .extracting(c -> c.partyId() + " " + c.role())
        .containsExactly("isni:0000000121032683 Composer");
  }

  @Test
  void aDealSpeaksForTheMasterAndNeverForTheWork() throws IOException {
    wav("a.wav", 1);
    ern(recording(1, "T9990000016", "a.wav"));

    ImportReport report = importAll();

    assertThat(report.agreements()).isEqualTo(1);
    assertThat(rights.agreements().getFirst().uses()).isEqualTo(Messages.granted());
    Decision decision = decide(1);
    assertThat(decision.allowed()).isFalse();
    assertThat(decision.reasons())
        .extracting(reason -> reason.code())
        .contains(ReasonCode.SHARES_INCOMPLETE);
  }

  @Test
  void withTheWritersAgreementBesideItTheRecordingIsCleared() throws IOException {
    wav("a.wav", 1);
    ern(recording(1, "T9990000016", "a.wav"));
    rightsFile(GRANTED);

    ImportReport report = importAll();

    assertThat(report.agreements()).isEqualTo(2);
    assertThat(decide(1).allowed()).isTrue();
    assertThat(decide(Use.STYLE, 1).allowed()).isTrue();
    assertThat(decide(Use.VOICE, 1).allowed()).isFalse();
  }

  @Test
  void aRecordingWhoseMessageNamesNoWorkStaysRefused() throws IOException {
    wav("a.wav", 1);
    ern(recording(1, "", "a.wav"));

    importAll();

    assertThat(decide(1).allowed()).isFalse();
  }

  // ERN: what is blocked, one recording at a time

  @Test
  void aMissingFileBlocksItsRecordingByNameAndNoOther() throws IOException {
    wav("a.wav", 1);
    ern(recording(1, "", "a.wav"), recording(2, "", "b.wav"));

    ImportReport report = importAll();

    assertThat(report.complete()).isFalse();
    assertThat(statuses(report)).containsExactly(Status.IMPORTED, Status.BLOCKED);
    Item missing = report.items(Status.BLOCKED).getFirst();
    assertThat(missing.message()).isEqualTo("its file b.wav is not in the delivery");
    assertThat(missing.name()).isEqualTo("A2 \"Tune 2\"");
    assertThat(missing.isrc()).isEqualTo("ZZTST2600002");
    assertThat(rights.recording(isrc(2)).orElseThrow().blocked()).isTrue();
    assertThat(catalog.show("ZZTST2600002").status()).isEqualTo(CatalogEntry.Status.WAITING);
    assertThatThrownBy(() -> catalog.audio(isrc(2))).hasMessageContaining("has no audio");
  }

  @Test
  void metadataOnlyTakesTheRestAndTheFileMayComeLater() throws IOException {
    ern(recording(1, "", "a.wav"));

    ImportReport first = ingest.importPath(folder.resolve("d"), OPTIONS.withMetadataOnly(true));
    assertThat(first.complete()).isTrue();
    assertThat(statuses(first)).containsExactly(Status.WAITING);

    wav("a.wav", 1);
    assertThat(statuses(importAll())).containsExactly(Status.IMPORTED);
    assertThat(rights.recording(isrc(1)).orElseThrow().blocked()).isFalse();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "empty | is empty",
        "text | x.wav",
        "truncated | x.wav",
        "channels | 8 channels: deliver mono or stereo",
        "nan | not numbers",
        "folder | is a folder",
        "outside | points outside the delivery"
      })
  void aBadFileBlocksItsRecordingWithOneSentence(String kind, String sentence) throws IOException {
    String uri = kind.equals("outside") ? "../../secret.wav" : "x.wav";
    Path bad = delivery("x.wav");
    byte[] whole = AudioWriter.wav16Bytes(Sounds.tune(3, 4));
    switch (kind) {
      case "empty" -> Files.createFile(bad);
      case "text" -> Files.writeString(bad, "this is not music");
      case "truncated" -> Files.write(bad, Arrays.copyOf(whole, whole.length / 2));
      case "channels" -> Files.write(bad, floatWav(8, 0.1f));
      case "nan" -> Files.write(bad, floatWav(2, Float.NaN));
      case "folder" -> Files.createDirectory(bad);
      default -> Files.write(folder.resolve("secret.wav"), whole);
    }
    wav("a.wav", 1);
    ern(recording(1, "", uri), recording(2, "", "a.wav"));

    ImportReport report = importAll();

    assertThat(statuses(report)).containsExactly(Status.BLOCKED, Status.IMPORTED);
    assertThat(report.items().getFirst().message()).contains(sentence).doesNotContain("\n");
    assertThat(rights.recording(isrc(1)).orElseThrow().blocked()).isTrue();
  }

  @Test
  void aFileOfAnotherHashIsBlockedAndOneOfTheSameIsNot() throws IOException {
    wav("a.wav", 1);
    wav("b.wav", 2);
    String right = DeliveredFiles.sha256(delivery("b.wav"));
    ern(
        Messages.recording(
            1, "ZZTST2600001", "", new DeliveredFile("a.wav", "MD5", "00".repeat(16))),
        Messages.recording(2, "ZZTST2600002", "", new DeliveredFile("b.wav", "SHA-256", right)),
        Messages.recording(3, "ZZTST2600003", "", new DeliveredFile("b.wav", "MD4", "00")));

    ImportReport report = importAll();

    assertThat(statuses(report)).containsExactly(Status.BLOCKED, Status.IMPORTED, Status.BLOCKED);
    assertThat(report.items().getFirst().message())
        .contains("MD5 hash sum", "damaged or another one");
    assertThat(report.items().getLast().message()).contains("MD4, which cannot be checked");
  }

  @Test
  void aMalformedOrMissingIsrcLeavesThatRecordingOut() throws IOException {
    wav("a.wav", 1);
    ern(
        Messages.recording(1, "ZZ-TST-26-1", "", Messages.file("a.wav")),
        Messages.recording(2, "", "", Messages.file("a.wav")),
        recording(3, "", "a.wav"));

    ImportReport report = importAll();

    assertThat(statuses(report)).containsExactly(Status.BLOCKED, Status.BLOCKED, Status.IMPORTED);
    assertThat(report.items().get(0).message()).contains("'ZZ-TST-26-1' is not an ISRC");
    assertThat(report.items().get(1).message()).contains("has no ISRC");
    assertThat(catalog.list()).hasSize(1);
  }

  @Test
  void aWrongIswcCheckDigitBlocksUntilItIsCorrected() throws IOException {
    wav("a.wav", 1);
    ern(recording(1, "T9990000010", "a.wav"));

    ImportReport report = importAll();
    assertThat(statuses(report)).containsExactly(Status.BLOCKED);
    assertThat(report.items().getFirst().message()).contains("check digit");

    ern(recording(1, "T9990000016", "a.wav"));
    assertThat(statuses(importAll())).containsExactly(Status.IMPORTED);
    assertThat(rights.recording(isrc(1)).orElseThrow().blocked()).isFalse();
  }

  @Test
  void aMixOfOtherRecordingsIsBlocked() throws IOException {
    wav("A1UCASE0000000001X_01_01.wav", 1);
    Files.copy(Ddex.sample("8-DjMix.xml"), delivery("mix.xml"));

    ImportReport report = importAll();

    assertThat(report.count(Status.SKIPPED)).isEqualTo(9);
    assertThat(report.items(Status.BLOCKED)).hasSize(1);
    assertThat(report.items(Status.BLOCKED).getFirst().message())
        .isEqualTo("it contains parts of 8 other recordings, which nobody has cleared here");
    assertThat(rights.recording(Isrc.of("USWE34255410")).orElseThrow().blocked()).isTrue();
  }

  @ParameterizedTest
  @CsvSource({"1-Audio.xml, 21", "4-SimpleAudioSingle.xml, 1", "Variant-Classical.xml, 12"})
  void realMessagesAreRegisteredWithoutTheirAudio(String name, int recordings) {
    ImportReport report = ingest.importPath(Ddex.sample(name), OPTIONS);
    assertThat(report.count(Status.BLOCKED)).isEqualTo(recordings);
    assertThat(report.items(Status.BLOCKED))
        .allMatch(item -> item.message().endsWith("is not in the delivery"));

    ImportReport again = ingest.importPath(Ddex.sample(name), OPTIONS.withMetadataOnly(true));
    assertThat(again.complete()).isTrue();
    assertThat(again.count(Status.WAITING)).isEqualTo(recordings);
    assertThat(rights.recordings()).hasSize(recordings).allMatch(r -> r.blocked());
    assertThat(again.agreements()).isZero();
  }

  @Test
  void aFolderWithOneTableOfAnyNameIsADelivery() throws IOException {
    Path delivery = Files.createDirectories(folder.resolve("songs"));
    Files.write(delivery.resolve("song.wav"), AudioWriter.wav16Bytes(Sounds.tune(1, 3)));
    String table = "file,artist,title,licence\nsong.wav,Imaginary Band,One,CC0-1.0\n";
    Files.writeString(delivery.resolve("songs.csv"), table);
    assertThat(ingest.importPath(delivery, OPTIONS).count(Status.IMPORTED)).isEqualTo(1);

    Files.writeString(delivery.resolve("other.csv"), table);
    assertThatThrownBy(() -> ingest.importPath(delivery, OPTIONS))
        .hasMessageContaining("holds 2 CSV tables");
  }

  // ERN: what is refused as a whole

  @Test
  void whatIsNoDeliveryIsRefusedInOneSentence() throws IOException {
    Path empty = Files.createDirectories(folder.resolve("empty"));
    assertThatThrownBy(() -> ingest.importPath(empty, OPTIONS))
        .hasMessageContaining("holds no delivery");
    assertThatThrownBy(() -> ingest.importPath(folder.resolve("none"), OPTIONS))
        .hasMessageContaining("does not exist");
    Path audio = Files.write(folder.resolve("song.wav"), AudioWriter.wav16Bytes(Sounds.tune(1, 1)));
    assertThatThrownBy(() -> ingest.importPath(audio, OPTIONS))
        .hasMessageContaining("neither XML nor a .csv table");
    Path hollow = Files.createFile(folder.resolve("hollow.xml"));
    assertThatThrownBy(() -> ingest.importPath(hollow, OPTIONS)).hasMessageContaining("is empty");
    Path text = Files.writeString(folder.resolve("message.xml"), "dear sirs");
    assertThatThrownBy(() -> ingest.importPath(text, OPTIONS)).hasMessageContaining("neither XML");
    Path old =
        Files.writeString(
            folder.resolve("old.xml"),
            "<a:NewReleaseMessage xmlns:a='http://ddex.net/xml/ern/382'/>");
    assertThatThrownBy(() -> ingest.importPath(old, OPTIONS))
        .hasMessageContaining("is an ERN 3.8.2 message");
  }

  @Test
  void aMessageWithoutSoundRecordingsIsRefused() throws IOException {
    ern(recording(1, "", "a.wav"));
    String xml = Files.readString(delivery("ern.xml"));
    String video =
        xml.replace("<SoundRecording>", "<Video>")
            .replace("</SoundRecording>", "</Video>")
            .replace("\"Audio\"", "\"Video\"");
    Files.writeString(delivery("ern.xml"), video);

    assertThatThrownBy(this::importAll)
        .hasMessageContaining("is an ERN 4.3.2 Video message without sound recordings");
  }

  @Test
  void aFaultInTheRightsFileRefusesTheDeliveryBeforeAnythingIsTaken() throws IOException {
    wav("a.wav", 1);
    ern(recording(1, "T9990000016", "a.wav"));
    rightsFile(GRANTED.replace("\"uses\"", "\"purposes\""));

    assertThatThrownBy(this::importAll)
        .isInstanceOf(CatalogException.class)
        .hasMessageContaining("agreements[0] has the unknown key 'purposes'");

    assertThat(catalog.list()).isEmpty();
    assertThat(rights.parties()).isEmpty();
  }

  @Test
  void aRightsFileThatNamesAStrangerIsRefusedWithNothingTaken() throws IOException {
    wav("a.wav", 1);
    ern(recording(1, "T9990000016", "a.wav"));
    rightsFile(GRANTED.replace("\"licensor\": \"wilma\"", "\"licensor\": \"nobody\""));

    assertThatThrownBy(this::importAll)
        .hasMessageContaining("cannot be taken")
        .hasMessageContaining("nobody");

    assertThat(catalog.list()).isEmpty();
    assertThat(rights.recordings()).isEmpty();
  }

  // Again and again

  @Test
  void theSameDeliveryTwiceSaysAlreadyThereAndUndoesNoChoice() throws IOException {
    wav("a.wav", 1);
    ern(recording(1, "T9990000016", "a.wav"));
    rightsFile(
        GRANTED.replace(
            "\"choices\": []",
            "\"choices\": [{\"party\": \"wilma\", \"use\": \"TRAIN\", \"scope\": \"all\","
                + " \"allowed\": true, \"from\": \"2026-01-01\"}]"));
    assertThat(importAll().choices()).isEqualTo(1);
    assertThat(decide(1).allowed()).isTrue();
    rights.choose(new Choice("wilma", Use.TRAIN, Scope.ALL, false, LocalDate.of(2026, 5, 1)));

    ImportReport second = importAll();

    assertThat(statuses(second)).containsExactly(Status.ALREADY_THERE);
    assertThat(second.agreements() + second.choices()).isZero();
    assertThat(decide(1).allowed()).isFalse();
    assertThat(catalog.list()).hasSize(1);
  }

  @Test
  void aLaterMessageWithoutTheDealEndsItAndAnEarlierOneDoesNotBringItBack() throws IOException {
    wav("a.wav", 1);
    SoundRecording recording = recording(1, "T9990000016", "a.wav");
    rightsFile(GRANTED);
    write(Messages.of("m-1", "2026-01-01T09:00:00Z", List.of(Messages.worldwide(null)), recording));
    importAll();
    assertThat(decide(1).allowed()).isTrue();

    write(Messages.of("m-2", "2026-05-01T09:00:00Z", List.of(), recording));
    importAll();
    assertThat(decide(1).allowed()).isFalse();
    assertThat(decide(Use.TRAIN, 1, LocalDate.of(2026, 4, 30)).allowed()).isTrue();

    write(Messages.of("m-1", "2026-01-01T09:00:00Z", List.of(Messages.worldwide(null)), recording));
    ImportReport old = importAll();
    assertThat(old.notes()).anyMatch(note -> note.contains("is older than m-2"));
    assertThat(decide(1).allowed()).isFalse();

    write(Messages.of("m-3", "2026-05-20T09:00:00Z", List.of(Messages.worldwide(null)), recording));
    importAll();
    assertThat(decide(1).allowed()).isTrue();
  }

  @Test
  void otherAudioUnderAKnownIsrcIsBlockedAndTheFirstStays() throws IOException {
    wav("a.wav", 1);
    ern(recording(1, "", "a.wav"));
    importAll();
    String before = catalog.show("ZZTST2600001").pcmHash();
    wav("a.wav", 2);

    ImportReport report = importAll();

    assertThat(statuses(report)).containsExactly(Status.BLOCKED);
    assertThat(report.items().getFirst().message()).contains("other audio, which stays");
    assertThat(catalog.show("ZZTST2600001").pcmHash()).isEqualTo(before);
  }

  @Test
  void theSameRecordingUnderTwoNamesIsFoundInWhateverCodec() throws IOException {
    Pcm tune = Sounds.tune(5, 12);
    AudioWriter.wav16(tune, delivery("a.wav"));
    AudioWriter.flac(tune, delivery("same.flac"));
    AudioWriter.opus(Sounds.louder(tune, 0.6), delivery("near.opus"), 64_000);
    AudioWriter.wav16(Sounds.tune(6, 12), delivery("other.wav"));
    ern(
        recording(1, "", "a.wav"),
        recording(2, "", "same.flac"),
        recording(3, "", "near.opus"),
        recording(4, "", "other.wav"));

    ImportReport report = importAll();

    assertThat(report.complete()).isTrue();
    assertThat(statuses(report))
        .containsExactly(Status.IMPORTED, Status.DUPLICATE, Status.DUPLICATE, Status.IMPORTED);
    assertThat(report.items(Status.DUPLICATE))
        .allMatch(item -> "ZZTST2600001".equals(item.duplicateOf()));
    assertThat(catalog.show("ZZTST2600003").duplicateOf()).isEqualTo(isrc(1));
    assertThat(rights.recording(isrc(2)).orElseThrow().blocked()).isTrue();
    assertThat(rights.recording(isrc(3)).orElseThrow().blocked()).isTrue();
  }

  @Test
  void onlyWhoDeliveredARecordingMayDeliverItAgain() throws IOException {
    wav("a.wav", 1);
    ern(recording(1, "T9990000016", "a.wav"));
    importAll();
    Files.delete(delivery("ern.xml"));
    csv("file,artist,title,isrc,licence", "a.wav,Eve,Mine,ZZTST2600001,CC0-1.0");

    ImportReport report = importAll();

    assertThat(statuses(report)).containsExactly(Status.BLOCKED);
    assertThat(report.items().getFirst().message())
        .contains("came from 'dpid:" + Messages.LABEL_DPID + "' before");
    assertThat(decide(1).allowed()).isFalse();
    assertThat(catalog.show("ZZTST2600001").title()).isEqualTo("Tune 1");
  }

  @Test
  void ofSeveralMessagesOneThatIsRefusedDoesNotStopTheOthers() throws IOException {
    wav("a.wav", 1);
    ErnWriter.write(Messages.of(recording(1, "", "a.wav")), delivery("one.xml"));
    Files.writeString(
        delivery("two.xml"), "<a:NewReleaseMessage xmlns:a='http://ddex.net/xml/ern/41'/>");
    Files.writeString(delivery("BatchComplete.xml"), "<batch/>");

    ImportReport report = importAll();

    assertThat(statuses(report)).containsExactly(Status.IMPORTED, Status.BLOCKED);
    assertThat(report.items().getLast().message()).contains("is an ERN 4.1 message");
  }

  @Test
  void anImportThatFailsHalfWayHasTakenNothingAndCanBeRepeated() throws IOException {
    wav("a.wav", 1);
    wav("b.wav", 2);
    ern(recording(1, "", "a.wav"), recording(2, "", "b.wav"));
    Progress pulled =
        (what, done, total) -> {
          throw new IllegalStateException("the plug was pulled");
        };

    assertThatThrownBy(() -> ingest.importPath(folder.resolve("d"), OPTIONS.withProgress(pulled)))
        .hasMessage("the plug was pulled");
    assertThat(catalog.list()).isEmpty();
    assertThat(rights.recordings()).isEmpty();

    assertThat(statuses(importAll())).containsExactly(Status.IMPORTED, Status.IMPORTED);
  }

  @Test
  void aTestMessageGrantsNothing() throws IOException {
    wav("a.wav", 1);
    ern(recording(1, "T9990000016", "a.wav"));
    rightsFile(GRANTED);
    Path file = delivery("ern.xml");
    Files.writeString(file, Files.readString(file).replace("LiveMessage", "TestMessage"));

    ImportReport report = importAll();

    assertThat(report.notes()).anyMatch(note -> note.contains("test message"));
    assertThat(decide(1).allowed()).isFalse();
  }

  // CSV

  @Test
  void stemsOfOneTitleBecomeTheirSum() throws IOException {
    Pcm bass = Sounds.tune(7, 5);
    Pcm lead = Sounds.tune(8, 4);
    AudioWriter.wav16(bass, delivery("bass.wav"));
    AudioWriter.wav16(lead, delivery("lead.wav"));
    csv(
        "file,artist,title,stem,bpm,key,licence,mood",
        "bass.wav,Ann Artist,Song,bass,120,Dm,CC0-1.0,blue",
        "lead.wav,Ann Artist,Song,lead,120,Dm,CC0-1.0,blue",
        "LICENSE,,,,,,CC0-1.0,");

    ImportReport report = importAll();

    assertThat(statuses(report)).containsExactly(Status.SKIPPED, Status.IMPORTED);
    CatalogEntry song = catalog.list().getFirst();
    assertThat(song.isrc().value()).startsWith("ZZL");
    assertThat(song.stems()).extracting(CatalogEntry.Stem::name).containsExactly("bass", "lead");
    assertThat(song.extra()).isEqualTo(Map.of("mood", "blue"));
    assertThat(song.key()).isEqualTo("D minor");
    assertThat(song.bpm()).isEqualTo(120);
    Pcm sum = catalog.audio(song.isrc());
    assertThat(sum.frames()).isEqualTo(bass.frames());
    for (int i = 0; i < sum.frames(); i++) {
      float expected = bass.channel(0)[i] + (i < lead.frames() ? lead.channel(0)[i] : 0);
      assertThat(sum.channel(0)[i]).isEqualTo(expected);
    }
    assertThat(rights.clearance().decide(Use.TRAIN, song.isrc(), DecisionContext.at(DAY)).allowed())
        .isTrue();
    assertThat(statuses(importAll())).containsExactly(Status.SKIPPED, Status.ALREADY_THERE);
  }

  @Test
  void aSumThatWouldClipIsLoweredAsAWhole() throws IOException {
    Pcm loud = Sounds.louder(Sounds.tune(9, 4), 3.5);
    for (String name : List.of("a", "b", "c")) {
      AudioWriter.wav16(loud, delivery(name + ".wav"));
    }
    csv(
        "file,artist,title,stem,licence",
        "a.wav,Ann,Loud,a,CC0",
        "b.wav,Ann,Loud,b,CC0",
        "c.wav,Ann,Loud,c,CC0");

    importAll();

    assertThat(catalog.list().getFirst().peak()).isBetween(0.88, 0.90);
  }

  @Test
  void whatACsvSaysWrongIsReportedByRow() throws IOException {
    wav("a.wav", 1);
    wav("b.wav", 2);
    wav("c.wav", 3);
    Files.copy(delivery("c.wav"), delivery("c2.wav"));
    csv(
        "File, Artist ,title,isrc,bpm,licence",
        "a.wav,Ann,One,NOT-AN-ISRC,120,CC0-1.0",
        "b.wav,Ann,Two,,9000,All rights reserved",
        "none.wav,Ann,Three,,,CC0-1.0",
        "none.wav,Ann,Four,ZZ-TST-26-00004,,CC0-1.0",
        "c.wav,,Five,,,CC0-1.0",
        "c.wav,Ann,Six,ZZTST2600006,,CC0-1.0",
        "c2.wav,Ann,Six again,,,CC0-1.0",
        "c.wav,Ann");

    ImportReport report = importAll();

    Map<String, Item> byTitle =
        report.items().stream()
            .filter(item -> !item.title().isEmpty())
            .collect(java.util.stream.Collectors.toMap(Item::title, item -> item));
    assertThat(byTitle.get("Two").status()).isEqualTo(Status.IMPORTED);
    assertThat(byTitle.get("Four").message()).contains("none.wav is not in the delivery");
    assertThat(byTitle.get("Six").status()).isEqualTo(Status.IMPORTED);
    assertThat(byTitle.get("Six again").duplicateOf()).isEqualTo("ZZTST2600006");
    assertThat(report.items(Status.BLOCKED))
        .extracting(Item::message)
        .anyMatch(message -> message.contains("'NOT-AN-ISRC' is not an ISRC"))
        .anyMatch(message -> message.contains("no ISRC to wait under"))
        .anyMatch(message -> message.contains("names no artist"))
        .anyMatch(message -> message.contains("2 cells where the header has 6"));
    assertThat(report.notes())
        .anyMatch(note -> note.contains("'All rights reserved' is no public-domain dedication"))
        .anyMatch(note -> note.contains("'9000' is no tempo"));
    Isrc two = Isrc.of(byTitle.get("Two").isrc());
    assertThat(rights.clearance().decide(Use.TRAIN, two, DecisionContext.at(DAY)).allowed())
        .isFalse();
  }

  @Test
  void realMusicComesInByItsManifest() {
    Path holizna = Ddex.data("music/holizna");
    List<String> lines =
        List.of(
            "file,artist,title,licence",
            "phonograph_album_holiznacc0_001-06-dangerous-voyage-music-box.ogg,HoliznaCC0,Voyage,CC0-1.0",
            "phonograph_album_holiznacc0_001-07-a-small-town-on-pluto-music-box.ogg,HoliznaCC0,Pluto,CC0-1.0",
            "phonograph_album_holiznacc0_001-04-creppy-piano-4.ogg,HoliznaCC0,Piano 4,CC0-1.0");
    try {
      for (String line : lines.subList(1, 4)) {
        String file = line.split(",")[0];
        Files.copy(holizna.resolve(file), delivery(file));
      }
      Files.write(delivery("MANIFEST.csv"), lines);
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }

    ImportReport report = importAll();

    assertThat(statuses(report))
        .containsExactly(Status.IMPORTED, Status.DUPLICATE, Status.IMPORTED);
  }

  // The facade

  @Test
  void theCatalogueListsSearchesAndShows() throws IOException {
    wav("a.wav", 1);
    wav("b.wav", 2);
    ern(recording(1, "", "a.wav"), recording(2, "", "b.wav"));
    importAll();

    assertThat(catalog.list()).extracting(CatalogEntry::title).containsExactly("Tune 1", "Tune 2");
    assertThat(catalog.search("quart TUNE")).hasSize(2);
    assertThat(catalog.search("tune 2")).extracting(CatalogEntry::title).containsExactly("Tune 2");
    assertThat(catalog.search("ZZ-TST-26-00002")).hasSize(1);
    assertThat(catalog.search("late nig")).hasSize(2);
    assertThat(catalog.search("accordion")).isEmpty();
    assertThat(catalog.search("'; drop table & | ! :* <->")).isEmpty();
    assertThat(catalog.search(" ")).isEmpty();
    assertThatThrownBy(() -> catalog.show("ZZTST2609999"))
        .hasMessageContaining("has no recording 'ZZTST2609999'");
    assertThatThrownBy(() -> catalog.show("nonsense")).hasMessageContaining("has no recording");
  }

  static final String GRANTED =
      """
      {"format": "descant-rights/1",
       "parties": [{"id": "wilma", "name": "Wilma Writer", "fictional": true}],
       "works": [{"id": "T9990000016", "title": "Tune 1",
                  "contributors": [{"party": "wilma", "role": "Composer"}],
                  "shares": [{"party": "wilma", "basisPoints": 10000}]}],
       "recordings": [{"isrc": "ZZTST2600001", "works": ["T-999.000.001-6"]}],
       "agreements": [{"id": "wilma-1", "kind": "LICENCE", "licensor": "wilma",
                       "uses": ["TRAIN", "STYLE"], "scope": "all", "from": "2026-01-01"}],
       "choices": []}
      """;

  private static Isrc isrc(int number) {
    return Isrc.of("ZZTST26%05d".formatted(number));
  }

  private static SoundRecording recording(int number, String iswc, String file) {
    return Messages.recording(number, isrc(number).value(), iswc, Messages.file(file));
  }

  private ImportReport importAll() {
    return ingest.importPath(folder.resolve("d"), OPTIONS);
  }

  private static List<Status> statuses(ImportReport report) {
    return report.items().stream().map(Item::status).toList();
  }

  private Decision decide(int number) {
    return decide(Use.TRAIN, number);
  }

  private Decision decide(Use use, int number) {
    return decide(use, number, DAY);
  }

  private Decision decide(Use use, int number, LocalDate day) {
    return rights.clearance().decide(use, isrc(number), DecisionContext.at(day));
  }

  private Path delivery(String name) throws IOException {
    Path path = folder.resolve("d").resolve(name);
    Files.createDirectories(path.getParent());
    return path;
  }

  private void wav(String name, long seed) throws IOException {
    AudioWriter.wav16(Sounds.tune(seed, 4), delivery(name));
  }

  private void ern(SoundRecording... recordings) throws IOException {
    write(Messages.of(recordings));
  }

  private void write(ErnMessage message) throws IOException {
    ErnWriter.write(message, delivery("ern.xml"));
  }

  private void rightsFile(String json) throws IOException {
    Files.writeString(delivery(RightsFile.NAME), json);
  }

  private void csv(String... lines) throws IOException {
    Files.write(delivery("MANIFEST.csv"), List.of(lines));
  }

  /** A WAV of 32-bit floats that are all the same. */
  private static byte[] floatWav(int channels, float value) {
    int frames = 2000;
    int data = frames * channels * 4;
    ByteBuffer wav = ByteBuffer.allocate(44 + data).order(ByteOrder.LITTLE_ENDIAN);
    wav.put("RIFF".getBytes(StandardCharsets.US_ASCII)).putInt(36 + data);
    wav.put("WAVEfmt ".getBytes(StandardCharsets.US_ASCII)).putInt(16).putShort((short) 3);
    wav.putShort((short) channels).putInt(44_100).putInt(44_100 * channels * 4);
    wav.putShort((short) (channels * 4)).putShort((short) 32);
    wav.put("data".getBytes(StandardCharsets.US_ASCII)).putInt(data);
    for (int i = 0; i < frames * channels; i++) {
      wav.putFloat(value);
    }
    return wav.array();
  }
}
