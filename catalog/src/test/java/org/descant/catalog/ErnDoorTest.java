package org.descant.catalog;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.LocalDate;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.regex.Matcher;
import org.descant.catalog.ErnMessage.Control;
import org.descant.catalog.ErnMessage.Deal;
import org.descant.catalog.ErnMessage.SoundRecording;
import org.descant.catalog.ErnMessage.UseType;
import org.descant.catalog.Shipment.Behind;
import org.descant.rights.Agreement;
import org.descant.rights.Isrc;
import org.descant.rights.Scope;
import org.descant.rights.Share;
import org.descant.rights.Terms;
import org.descant.rights.Use;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ErnDoorTest {
  private static final Isrc ISRC = Isrc.of("ZZTST2600001");
  private static final SoundRecording RECORDING =
      Messages.recording(1, ISRC.value(), "", Messages.file("a.wav"));

  @TempDir Path folder;

  @Test
  void dealsOfOneKindInManyTerritoriesAreOneAgreement() throws IOException {
    Behind behind =
        behind(List.of(deal(List.of("DE"), false), deal(List.of("FR", "AT"), false)), RECORDING);

    assertThat(behind.agreements()).hasSize(1);
    Agreement agreement = behind.agreements().getFirst();
    assertThat(agreement.territories()).containsExactly("AT", "DE", "FR");
    assertThat(agreement.uses()).isEqualTo(Set.of(Use.TRAIN));
    assertThat(agreement.licensor()).isEqualTo("dpid:" + Messages.LABEL_DPID);
    assertThat(agreement.terms()).isEqualTo(Terms.STANDARD);
  }

  @Test
  void excludedTerritoriesLeaveTheRestOfTheWorld() throws IOException {
    Behind behind = behind(List.of(deal(List.of("US", "DE"), true)), RECORDING);

    assertThat(behind.agreements().getFirst().territories())
        .hasSizeGreaterThan(200)
        .contains("FR")
        .doesNotContain("US", "DE", "Worldwide");
  }

  @Test
  void dealsThatCannotBeKeptGrantNothing() throws IOException {
    Deal backwards = ending(deal(List.of("DE"), false), LocalDate.of(2025, 1, 1));
    Deal nowhere = deal(List.of("CS-HH"), false);
    Deal unclear = deal(List.of("CS-HH", "DE"), true);
    assertThat(behind(List.of(backwards, nowhere, unclear), RECORDING).agreements()).isEmpty();

    Path file = write(message(List.of(deal(List.of("DE"), false)), RECORDING));
    String xml = Files.readString(file);
    for (String[] change :
        new String[][] {
          {"<StartDate>2026-01-01", "<StartDate>2026"},
          {"</ValidityPeriod>", "<EndDate>2027</EndDate></ValidityPeriod>"},
          {"</DealTerms>", "<NumberOfUsages>3</NumberOfUsages></DealTerms>"},
          {"</DealTerms>", "<DistributionChannel/></DealTerms>"},
          {"LiveMessage", "TestMessage"}
        }) {
      Files.writeString(file, xml.replace(change[0], change[1]));
      Shipment shipment = open(file);
      assertThat(shipment.candidates().getFirst().behind().apply(ISRC).agreements())
          .as(change[1])
          .isEmpty();
      assertThat(shipment.notes()).as(change[1]).isNotEmpty();
    }
  }

  @Test
  void severalOwnersAreGrantedForByTheSenderOnly() throws IOException {
    SoundRecording shared =
        controlled(
            new Control("PLabel", List.of("RightsController"), 50.0),
            new Control("PArtist", List.of("RightsController"), 50.0));

    Behind behind = behind(List.of(deal(List.of("Worldwide"), false)), shared);

    assertThat(behind.shares())
        .containsExactly(
            Share.master("dpid:" + Messages.LABEL_DPID, 5000),
            Share.master("example-quartet", 5000));
    assertThat(behind.agreements())
        .extracting(Agreement::licensor)
        .containsExactly("dpid:" + Messages.LABEL_DPID);
  }

  @Test
  void anOwnerWhoseShareNobodySaysOwnsNothing() throws IOException {
    SoundRecording vague =
        controlled(
            new Control("PLabel", List.of("RightsController"), null),
            new Control("PArtist", List.of("RightsController"), null));
    assertThat(behind(List.of(), vague).shares()).isEmpty();

    SoundRecording administered = controlled(new Control("PLabel", List.of("LocalPayee"), 100.0));
    assertThat(behind(List.of(), administered).shares()).isEmpty();
  }

  @Test
  void aDroppedAgreementEndsOnTheEveOrNeverHeld() {
    Agreement agreement =
        Agreement.licence(
            "a", "label", Set.of(Use.TRAIN), Scope.of(ISRC), LocalDate.of(2026, 1, 1), null);

    assertThat(ErnDoor.ended(agreement, Instant.parse("2026-05-01T09:00:00Z")).to())
        .isEqualTo(LocalDate.of(2026, 4, 30));
    Agreement never = ErnDoor.ended(agreement, Instant.parse("2025-12-01T09:00:00Z"));
    assertThat(never.inForceOn(LocalDate.of(2026, 1, 1))).isFalse();
    assertThat(never.inForceOn(LocalDate.of(2027, 1, 1))).isFalse();
  }

  @Test
  void aMessageWithoutSenderOrDateIsRefused() throws IOException {
    Path file = write(message(List.of(), RECORDING));
    String xml = Files.readString(file);

    Files.writeString(file, replaced(xml, "MessageCreatedDateTime", "soon"));
    assertThatThrownBy(() -> open(file))
        .hasMessageContaining("no MessageCreatedDateTime that is one ('soon')");

    Files.writeString(file, xml.replaceAll("(?s)<MessageSender>.*?</MessageSender>", ""));
    assertThatThrownBy(() -> open(file)).hasMessageContaining("does not say who sends it");
  }

  /** The door with everything behind it, on messages that are wrong somewhere. */
  @Test
  void everyMutationIsTakenOrRefused() throws IOException {
    Path file =
        write(
            message(
                List.of(Messages.worldwide(null)),
                RECORDING,
                Messages.stem(2, "A1", "drums", Messages.file("b.wav"))));
    byte[] whole = Files.readAllBytes(file);
    SplittableRandom random = new SplittableRandom(3);
    int taken = 0;
    for (int round = 0; round < 1500; round++) {
      Files.write(file, ErnReaderTest.mutate(whole, random));
      try {
        open(file).candidates().forEach(candidate -> candidate.behind().apply(ISRC));
        taken++;
      } catch (CatalogException e) {
        assertThat(e.getMessage()).doesNotContain("\n");
      }
    }
    assertThat(taken).isBetween(50, 1400);
  }

  /** Dates, numbers and identifiers that are none. */
  @Test
  void valuesThatAreNoneAreTakenOrRefused() throws IOException {
    Path file = write(message(List.of(Messages.worldwide(LocalDate.of(2026, 5, 5))), RECORDING));
    String xml = Files.readString(file, StandardCharsets.UTF_8);
    List<String> elements =
        List.of(
            "PartyId",
            "FullName",
            "ISNI",
            "ISRC",
            "ISWC",
            "ProprietaryId",
            "TitleText",
            "DisplayArtistName",
            "Value",
            "Duration",
            "RightSharePercentage",
            "StartDate",
            "EndDate",
            "TerritoryCode",
            "UseType",
            "URI",
            "ResourceReference",
            "PartyReference",
            "ReleaseReference",
            "ICPN",
            "MessageId",
            "MessageCreatedDateTime",
            "Keywords",
            "RightsControllerPartyReference",
            "ContributorPartyReference");
    List<String> values =
        List.of(
            "",
            " ",
            "-1",
            "0001-01-01",
            "9999-12-31",
            "99999999999999999999",
            "x".repeat(5000),
            "日本語",
            "A&amp;B",
            "..",
            "/",
            "PT1Y",
            "PT99999999999H",
            "NaN",
            "1e999");
    for (String element : elements) {
      for (String value : values) {
        Files.writeString(file, replaced(xml, element, value));
        try {
          open(file).candidates().forEach(candidate -> candidate.behind().apply(ISRC));
        } catch (CatalogException e) {
          assertThat(e.getMessage()).doesNotContain("\n").hasSizeLessThan(1000);
        }
      }
    }
  }

  private static String replaced(String xml, String element, String value) {
    return xml.replaceAll(
        "(<" + element + "[^>]*>)[^<]*<", "$1" + Matcher.quoteReplacement(value) + "<");
  }

  private static Deal deal(List<String> territories, boolean excluded) {
    return new Deal(
        List.of("R0"),
        territories,
        excluded,
        LocalDate.of(2026, 1, 1),
        null,
        List.of("SubscriptionModel"),
        List.of(UseType.of(Use.TRAIN), new UseType("Stream", "", "")),
        "");
  }

  private static Deal ending(Deal deal, LocalDate to) {
    return new Deal(
        deal.releaseReferences(),
        deal.territories(),
        deal.excluded(),
        deal.from(),
        to,
        deal.commercialModels(),
        deal.useTypes(),
        deal.limit());
  }

  private static SoundRecording controlled(Control... controls) {
    return new SoundRecording(
        RECORDING.reference(),
        RECORDING.type(),
        false,
        RECORDING.isrc(),
        List.of(),
        RECORDING.title(),
        "",
        RECORDING.displayArtist(),
        RECORDING.contributions(),
        List.of(),
        List.of(controls),
        List.of(),
        "",
        2,
        "",
        RECORDING.files(),
        List.of());
  }

  private static ErnMessage message(List<Deal> deals, SoundRecording... recordings) {
    return Messages.of("m", "2026-01-01T09:00:00Z", deals, recordings);
  }

  private Behind behind(List<Deal> deals, SoundRecording recording) throws IOException {
    return open(write(message(deals, recording))).candidates().getFirst().behind().apply(ISRC);
  }

  private Path write(ErnMessage message) throws IOException {
    Path file = folder.resolve("m.xml");
    ErnWriter.write(message, file);
    return file;
  }

  private static Shipment open(Path file) {
    return ErnDoor.open(file, id -> Optional.empty());
  }
}
