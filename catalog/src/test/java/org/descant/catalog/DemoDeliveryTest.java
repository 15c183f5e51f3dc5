package org.descant.catalog;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.descant.audio.AudioFile;
import org.descant.audio.Pcm;
import org.descant.catalog.DemoDelivery.Case;
import org.descant.catalog.ImportReport.Status;
import org.descant.database.Database;
import org.descant.rights.Decision;
import org.descant.rights.DecisionContext;
import org.descant.rights.Isrc;
import org.descant.rights.ReasonCode;
import org.descant.rights.Rights;
import org.descant.rights.Use;
import org.descant.storage.LocalBlobStore;
import org.descant.synth.DemoCatalogue;
import org.descant.synth.DemoTrack;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DemoDeliveryTest {
  @TempDir Path folder;

  @Test
  void everyCaseOfRightsIsThereAndEnoughStays() {
    Map<Case, Long> tracks =
        DemoCatalogue.tracks().stream()
            .collect(Collectors.groupingBy(DemoDelivery::caseOf, Collectors.counting()));

    assertThat(tracks.keySet()).containsExactlyInAnyOrder(Case.values());
    assertThat(tracks.get(Case.ARTIST_REFUSES_ALL)).isEqualTo(3);
    assertThat(tracks.get(Case.ARTIST_REFUSES_STYLE)).isEqualTo(3);
    assertThat(tracks.get(Case.CO_WRITER_REFUSES)).isEqualTo(1);
    assertThat(tracks.get(Case.AGREEMENT_ENDED)).isEqualTo(1);
    assertThat(tracks.get(Case.CHOICE_TAKEN_BACK)).isEqualTo(1);
    assertThat(tracks.get(Case.NOBODY_HAS_A_RIGHT)).isEqualTo(1);
    assertThat(DemoCatalogue.tracks()).extracting(DemoDelivery::isrc).doesNotHaveDuplicates();
    assertThat(DemoCatalogue.tracks().stream().filter(t -> trains(DemoDelivery.caseOf(t))).count())
        .isGreaterThanOrEqualTo(22);
  }

  /**
   * Two tracks, the whole way: written, valid, imported, decided; written again without rendering.
   */
  @Test
  void twoTracksGoFromScoreToDecision() throws Exception {
    DemoTrack open = first(Case.EVERYBODY_AGREES);
    DemoTrack refused = first(Case.ARTIST_REFUSES_ALL);
    Path delivery = folder.resolve("delivery");
    List<String> heard = new ArrayList<>();

    List<Isrc> isrcs =
        DemoDelivery.write(
            delivery,
            track -> track.equals(open) || track.equals(refused),
            (what, done, total) -> heard.add(what));

    assertThat(isrcs).hasSize(2);
    assertThat(heard).hasSize(2);
    assertThat(Ddex.faults(Files.readAllBytes(delivery.resolve("ern.xml")))).isEmpty();
    assertThat(mixIsTheSumOfItsStems(delivery, isrcs.getFirst())).isTrue();

    byte[] before = Files.readAllBytes(delivery.resolve("ern.xml"));
    DemoDelivery.write(
        delivery,
        track -> track.equals(open) || track.equals(refused),
        (what, done, total) -> heard.add(what));
    assertThat(heard).hasSize(2);
    assertThat(Files.readAllBytes(delivery.resolve("ern.xml"))).isEqualTo(before);

    try (Database database = Database.temporary()) {
      Rights rights = Rights.open(database);
      Catalog catalog = Catalog.open(database, new LocalBlobStore(folder.resolve("blobs")));
      ImportReport report =
          new Ingest(catalog, rights).importPath(delivery, ImportOptions.defaults());

      assertThat(report.complete()).as(report.toString()).isTrue();
      assertThat(report.count(Status.IMPORTED)).isEqualTo(2);
      CatalogEntry entry = catalog.show(DemoDelivery.isrc(open).value());
      assertThat(entry.annotated()).isTrue();
      assertThat(entry.bpm()).isEqualTo(open.tempoBpm());
      assertThat(entry.key()).isEqualTo(open.key().toString());
      assertThat(entry.tags()).containsExactlyElementsOf(open.tags());
      assertThat(entry.description()).isEqualTo(open.description());
      assertThat(entry.stems()).isNotEmpty();
      assertThat(catalog.annotations(entry.isrc()).orElseThrow().beats()).isNotEmpty();
      assertThat(rights.parties())
          .filteredOn(party -> !party.id().startsWith("dpid:"))
          .allMatch(party -> party.fictional());
      assertThat(decide(rights, Use.TRAIN, open).allowed()).isTrue();
      assertThat(decide(rights, Use.STYLE, open).allowed()).isTrue();
      assertThat(decide(rights, Use.VOICE, open).allowed()).isFalse();
      assertThat(decide(rights, Use.TRAIN, refused).reasons())
          .anyMatch(reason -> reason.code() == ReasonCode.CHOICE_NO);
    }
  }

  /** All thirty: minutes of rendering, so only on demand. */
  @Test
  @Tag("slow")
  void theWholeCatalogueIsDecidedAsItsCasesSay() throws Exception {
    Path delivery = folder.resolve("delivery");
    DemoDelivery.write(delivery, Progress.NONE);
    try (Database database = Database.temporary()) {
      Rights rights = Rights.open(database);
      Catalog catalog = Catalog.open(database, new LocalBlobStore(folder.resolve("blobs")));
      ImportReport report =
          new Ingest(catalog, rights).importPath(delivery, ImportOptions.defaults());

      assertThat(report.complete()).as(report.toString()).isTrue();
      double seconds = 0;
      for (DemoTrack track : DemoCatalogue.tracks()) {
        Case is = DemoDelivery.caseOf(track);
        boolean trained = decide(rights, Use.TRAIN, track).allowed();
        assertThat(trained).as("%s %s", track.slug(), is).isEqualTo(trains(is));
        assertThat(decide(rights, Use.STYLE, track).allowed())
            .as("style of %s", track.slug())
            .isEqualTo(
                is == Case.CHOICE_TAKEN_BACK || (trains(is) && is != Case.ARTIST_REFUSES_STYLE));
        seconds += trained ? catalog.show(DemoDelivery.isrc(track).value()).seconds() : 0;
      }
      assertThat(seconds).isGreaterThanOrEqualTo(18 * 60);
    }
  }

  private static boolean trains(Case is) {
    return !Set.of(
            Case.ARTIST_REFUSES_ALL,
            Case.CO_WRITER_REFUSES,
            Case.AGREEMENT_ENDED,
            Case.CHOICE_TAKEN_BACK,
            Case.NOBODY_HAS_A_RIGHT)
        .contains(is);
  }

  private static DemoTrack first(Case wanted) {
    Function<DemoTrack, Case> is = DemoDelivery::caseOf;
    return DemoCatalogue.tracks().stream()
        .filter(track -> is.apply(track) == wanted)
        .findFirst()
        .orElseThrow();
  }

  private static Decision decide(Rights rights, Use use, DemoTrack track) {
    return rights
        .clearance()
        .decide(use, DemoDelivery.isrc(track), DecisionContext.at(DemoDelivery.VALID_AT));
  }

  private static boolean mixIsTheSumOfItsStems(Path delivery, Isrc isrc) throws IOException {
    Pcm mix = AudioFile.decode(delivery.resolve(isrc + ".wav"));
    long[][] sum = new long[mix.channelCount()][mix.frames()];
    try (var stems = Files.list(delivery.resolve("stems").resolve(isrc.value()))) {
      for (Path stem : stems.toList()) {
        Pcm pcm = AudioFile.decode(stem);
        for (int c = 0; c < sum.length; c++) {
          for (int i = 0; i < pcm.frames(); i++) {
            sum[c][i] += Math.round(pcm.channel(c)[i] * 32768);
          }
        }
      }
    }
    for (int c = 0; c < sum.length; c++) {
      for (int i = 0; i < sum[c].length; i++) {
        if (sum[c][i] != Math.round(mix.channel(c)[i] * 32768)) {
          return false;
        }
      }
    }
    return true;
  }
}
