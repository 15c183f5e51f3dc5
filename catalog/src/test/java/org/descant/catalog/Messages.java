package org.descant.catalog;

import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.descant.catalog.ErnMessage.Contribution;
import org.descant.catalog.ErnMessage.Control;
import org.descant.catalog.ErnMessage.Deal;
import org.descant.catalog.ErnMessage.DeliveredFile;
import org.descant.catalog.ErnMessage.Party;
import org.descant.catalog.ErnMessage.ProprietaryId;
import org.descant.catalog.ErnMessage.Relation;
import org.descant.catalog.ErnMessage.Release;
import org.descant.catalog.ErnMessage.Sender;
import org.descant.catalog.ErnMessage.SoundRecording;
import org.descant.catalog.ErnMessage.UseType;
import org.descant.rights.Use;

/** Small ERN messages for tests: one label, one artist, one writer. */
final class Messages {
  static final String LABEL_DPID = "PADPIDA0000020001T";
  static final Sender LABEL = new Sender(LABEL_DPID, "Test Label (fictional)");

  private Messages() {}

  static ErnMessage of(SoundRecording... recordings) {
    return of("test-1", "2026-01-01T09:00:00Z", List.of(worldwide(null)), recordings);
  }

  static Deal worldwide(LocalDate to) {
    return new Deal(
        List.of("R0"),
        List.of("Worldwide"),
        false,
        LocalDate.of(2026, 1, 1),
        to,
        List.of("SubscriptionModel"),
        List.of(UseType.of(Use.TRAIN), UseType.of(Use.STYLE)),
        "");
  }

  static ErnMessage of(String id, String created, List<Deal> deals, SoundRecording... recordings) {
    List<String> resources = new ArrayList<>();
    for (SoundRecording recording : recordings) {
      if (!recording.supplemental()) {
        resources.add(recording.reference());
      }
    }
    return new ErnMessage(
        ErnMessage.Version.ERN_4_3_2,
        "Audio",
        "",
        false,
        id,
        created,
        LABEL,
        null,
        new Sender("PADPIDA0000020002T", "Descant"),
        List.of(
            new Party("PLabel", "Test Label (fictional)", "", LABEL_DPID, "", "", List.of()),
            new Party(
                "PArtist",
                "The Example \"Quartet\" & Sons",
                "",
                "",
                "",
                "",
                List.of(new ProprietaryId("org.descant", "example-quartet"))),
            new Party("PWriter", "Wilma Writer", "0000000121032683", "", "", "", List.of())),
        List.of(recordings),
        List.of(),
        List.of(
            new Release(
                "R0",
                false,
                "Album",
                Identifiers.icpn("200000000099"),
                "",
                List.of(),
                "Album <one>",
                "Various Artists",
                List.of("PLabel"),
                "Jazz",
                "",
                "calm, late night",
                "An album.",
                resources)),
        deals);
  }

  static SoundRecording recording(int number, String isrc, String iswc, DeliveredFile... files) {
    return new SoundRecording(
        "A" + number,
        "MusicalWorkSoundRecording",
        false,
        isrc,
        List.of(),
        "Tune " + number,
        "",
        "The Example \"Quartet\" & Sons",
        List.of(
            new Contribution("PArtist", "MainArtist", true),
            new Contribution("PWriter", "Composer", false),
            new Contribution("PArtist", "Musician", false)),
        iswc.isEmpty() ? List.of() : List.of(iswc),
        List.of(new Control("PLabel", List.of("RightsController"), 100.0)),
        List.of(),
        "2026 Test Label (fictional)",
        2.0,
        "None",
        List.of(files),
        List.of());
  }

  static SoundRecording stem(int number, String of, String name, DeliveredFile file) {
    return new SoundRecording(
        "A" + number,
        "AudioStem",
        true,
        "",
        List.of(new ProprietaryId("org.descant", "stem-" + number)),
        name,
        "",
        "The Example \"Quartet\" & Sons",
        List.of(new Contribution("PArtist", "MainArtist", true)),
        List.of(),
        List.of(),
        List.of(),
        "",
        2.0,
        "",
        List.of(file),
        List.of(new Relation("IsPartOf", of)));
  }

  static DeliveredFile file(String uri) {
    return new DeliveredFile(uri, "", "");
  }

  static Set<Use> granted() {
    return Set.of(Use.TRAIN, Use.STYLE);
  }
}
