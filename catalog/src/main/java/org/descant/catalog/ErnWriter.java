package org.descant.catalog;

import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import javax.xml.stream.XMLOutputFactory;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamWriter;
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
import org.descant.storage.WriteAside;
import org.jspecify.annotations.Nullable;

/**
 * Writes an {@link ErnMessage} as DDEX ERN 4.3.2, AVS 9, valid against the schema; {@link
 * ErnReader} reads back an equal message. The same message gives the same bytes.
 *
 * <p>The caller gives what the schema demands: references in DDEX's syntax, at least one release
 * with a label and a genre, ISO dates.
 */
public final class ErnWriter {
  private static final String AVS_VERSION = "9";
  private static final String LANGUAGE = "en";

  private final XMLStreamWriter xml;
  private int technicalDetails;
  private int depth;

  private ErnWriter(XMLStreamWriter xml) {
    this.xml = xml;
  }

  /** Writes the file aside and renames it. */
  public static void write(ErnMessage message, Path file) {
    WriteAside.write(file, out -> write(message, out));
  }

  /** Writes the message in UTF-8; does not close the stream. */
  public static void write(ErnMessage message, OutputStream out) {
    if (message.version() != ErnMessage.Version.ERN_4_3_2) {
      throw new IllegalArgumentException(
          "only ERN 4.3.2 is written, was " + message.version().number());
    }
    try {
      XMLStreamWriter xml =
          XMLOutputFactory.newDefaultFactory()
              .createXMLStreamWriter(out, StandardCharsets.UTF_8.name());
      new ErnWriter(xml).message(message);
      xml.flush();
    } catch (XMLStreamException e) {
      throw new CatalogException("Cannot write the ERN message: %s.".formatted(e.getMessage()), e);
    }
  }

  private void message(ErnMessage message) throws XMLStreamException {
    xml.writeStartDocument(StandardCharsets.UTF_8.name(), "1.0");
    newLine();
    xml.writeStartElement("ern", "NewReleaseMessage", message.version().namespace());
    xml.writeNamespace("ern", message.version().namespace());
    optionalAttribute("ReleaseProfileVersionId", message.profile());
    optionalAttribute("ReleaseProfileVariantVersionId", message.variant());
    xml.writeAttribute("LanguageAndScriptCode", LANGUAGE);
    xml.writeAttribute("AvsVersionId", AVS_VERSION);
    depth++;
    header(message);
    open("PartyList");
    for (Party party : message.parties()) {
      party(party);
    }
    close();
    open("ResourceList");
    for (SoundRecording recording : message.recordings()) {
      recording(recording);
    }
    close();
    open("ReleaseList");
    for (Release release : message.releases()) {
      if (!release.track()) {
        release(release);
      }
    }
    for (Release release : message.releases()) {
      if (release.track()) {
        trackRelease(release);
      }
    }
    close();
    if (!message.deals().isEmpty()) {
      open("DealList");
      for (Deal deal : message.deals()) {
        deal(deal);
      }
      close();
    }
    close();
    newLine();
    xml.writeEndDocument();
  }

  private void header(ErnMessage message) throws XMLStreamException {
    open("MessageHeader");
    text("MessageThreadId", message.messageId());
    text("MessageId", message.messageId());
    sender("MessageSender", message.sender());
    if (message.onBehalfOf() != null) {
      sender("SentOnBehalfOf", message.onBehalfOf());
    }
    sender("MessageRecipient", message.recipient());
    text("MessageCreatedDateTime", message.createdAt());
    text("MessageControlType", message.test() ? "TestMessage" : "LiveMessage");
    close();
  }

  private void sender(String role, Sender sender) throws XMLStreamException {
    open(role);
    text("PartyId", sender.dpid());
    open("PartyName");
    text("FullName", sender.name());
    close();
    close();
  }

  private void party(Party party) throws XMLStreamException {
    open("Party");
    text("PartyReference", party.reference());
    open("PartyName");
    text("FullName", party.name());
    close();
    open("PartyId");
    optionalText("ISNI", party.isni());
    optionalText("DPID", party.dpid());
    optionalText("IpiNameNumber", party.ipi());
    optionalText("IPN", party.ipn());
    proprietaryIds(party.proprietaryIds());
    close();
    close();
  }

  private void proprietaryIds(List<ProprietaryId> ids) throws XMLStreamException {
    for (ProprietaryId id : ids) {
      startLine();
      xml.writeStartElement("ProprietaryId");
      xml.writeAttribute("Namespace", id.namespace());
      xml.writeCharacters(id.value());
      xml.writeEndElement();
    }
  }

  private void recording(SoundRecording recording) throws XMLStreamException {
    open("SoundRecording");
    if (recording.supplemental()) {
      xml.writeAttribute("IsSupplemental", "true");
    }
    text("ResourceReference", recording.reference());
    text("Type", recording.type());
    edition(recording);
    for (String iswc : recording.iswcs()) {
      open("WorkId");
      text("ISWC", iswc);
      close();
    }
    titles(recording.title(), recording.versionTitle());
    text("DisplayArtistName", recording.displayArtist());
    contributions(recording.contributions());
    for (Control controller : recording.controllers()) {
      control("ResourceRightsController", controller);
    }
    for (Control controller : recording.workControllers()) {
      control("WorkRightsController", controller);
    }
    text("Duration", duration(recording.seconds()));
    for (Relation relation : recording.relations()) {
      open("RelatedResource");
      text("ResourceRelationshipType", relation.type());
      text("ResourceRelatedResourceReference", relation.resourceReference());
      close();
    }
    optionalText("ContainsAI", recording.containsAi());
    close();
  }

  private void edition(SoundRecording recording) throws XMLStreamException {
    open("SoundRecordingEdition");
    open("ResourceId");
    optionalText("ISRC", recording.isrc());
    proprietaryIds(recording.proprietaryIds());
    close();
    if (!recording.pLine().isEmpty()) {
      open("PLine");
      text("PLineText", recording.pLine());
      close();
    }
    if (!recording.files().isEmpty()) {
      open("TechnicalDetails");
      text("TechnicalResourceDetailsReference", "T" + ++technicalDetails);
      for (DeliveredFile file : recording.files()) {
        open("DeliveryFile");
        text("Type", "AudioFile");
        open("File");
        text("URI", file.uri());
        if (!file.hash().isEmpty()) {
          open("HashSum");
          text("Algorithm", file.hashAlgorithm());
          text("HashSumValue", file.hash());
          close();
        }
        close();
        close();
      }
      close();
    }
    close();
  }

  private void titles(String title, String version) throws XMLStreamException {
    text("DisplayTitleText", version.isEmpty() ? title : title + " (" + version + ")");
    startLine();
    xml.writeStartElement("DisplayTitle");
    xml.writeAttribute("ApplicableTerritoryCode", "Worldwide");
    xml.writeAttribute("IsDefault", "true");
    depth++;
    text("TitleText", title);
    optionalText("SubTitle", version);
    close();
  }

  /** Display artists first, as the schema has them; one contributor a party and role. */
  private void contributions(List<Contribution> contributions) throws XMLStreamException {
    int sequence = 0;
    for (Contribution artist : contributions) {
      if (artist.displayArtist()) {
        open("DisplayArtist");
        xml.writeAttribute("SequenceNumber", Integer.toString(++sequence));
        text("ArtistPartyReference", artist.partyReference());
        text("DisplayArtistRole", artist.role());
        close();
      }
    }
    sequence = 0;
    for (Contribution contributor : contributions) {
      if (!contributor.displayArtist()) {
        open("Contributor");
        xml.writeAttribute("SequenceNumber", Integer.toString(++sequence));
        text("ContributorPartyReference", contributor.partyReference());
        open("Role");
        text("Value", contributor.role());
        close();
        close();
      }
    }
  }

  private void control(String element, Control control) throws XMLStreamException {
    open(element);
    text("RightsControllerPartyReference", control.partyReference());
    for (String role : control.roles()) {
      text("RightsControlType", role);
    }
    Double percent = control.percent();
    if (percent == null) {
      text("RightShareUnknown", "true");
    } else {
      text("RightSharePercentage", decimal(percent));
    }
    close();
  }

  private void release(Release release) throws XMLStreamException {
    open("Release");
    text("ReleaseReference", release.reference());
    text("ReleaseType", release.type());
    releaseId(release);
    titles(release.title(), "");
    text("DisplayArtistName", release.displayArtist());
    open("DisplayArtist");
    xml.writeAttribute("SequenceNumber", "1");
    startLine();
    xml.writeStartElement("SpecialDisplayArtist");
    xml.writeCharacters("VariousArtists");
    xml.writeEndElement();
    close();
    labels(release);
    genre(release);
    text("IsMultiArtistCompilation", "true");
    open("ResourceGroup");
    int sequence = 0;
    for (String resource : release.resourceReferences()) {
      open("ResourceGroupContentItem");
      text("SequenceNumber", Integer.toString(++sequence));
      text("ReleaseResourceReference", resource);
      close();
    }
    close();
    optionalText("Keywords", release.keywords());
    optionalText("Synopsis", release.synopsis());
    close();
  }

  private void trackRelease(Release release) throws XMLStreamException {
    open("TrackRelease");
    text("ReleaseReference", release.reference());
    releaseId(release);
    if (!release.title().isEmpty()) {
      titles(release.title(), "");
    }
    text("ReleaseResourceReference", release.resourceReferences().getFirst());
    labels(release);
    genre(release);
    optionalText("Keywords", release.keywords());
    optionalText("Synopsis", release.synopsis());
    close();
  }

  private void releaseId(Release release) throws XMLStreamException {
    open("ReleaseId");
    optionalText("GRid", release.grid());
    optionalText("ICPN", release.icpn());
    proprietaryIds(release.proprietaryIds());
    close();
  }

  private void labels(Release release) throws XMLStreamException {
    for (String label : release.labelReferences()) {
      text("ReleaseLabelReference", label);
    }
  }

  private void genre(Release release) throws XMLStreamException {
    open("DisplayGenre");
    text("GenreText", release.genre());
    optionalText("SubGenre", release.subGenre());
    close();
  }

  private void deal(Deal deal) throws XMLStreamException {
    if (!deal.limit().isEmpty()) {
      throw new IllegalArgumentException("a deal that grants nothing is not written: " + deal);
    }
    open("ReleaseDeal");
    for (String release : deal.releaseReferences()) {
      text("DealReleaseReference", release);
    }
    open("Deal");
    open("DealTerms");
    for (String territory : deal.territories()) {
      text(deal.excluded() ? "ExcludedTerritoryCode" : "TerritoryCode", territory);
    }
    open("ValidityPeriod");
    text("StartDate", String.valueOf(deal.from()));
    if (deal.to() != null) {
      text("EndDate", deal.to().toString());
    }
    close();
    for (String model : deal.commercialModels()) {
      text("CommercialModelType", model);
    }
    for (UseType useType : deal.useTypes()) {
      startLine();
      xml.writeStartElement("UseType");
      optionalAttribute("Namespace", useType.namespace());
      optionalAttribute("UserDefinedValue", useType.userDefined());
      xml.writeCharacters(useType.value());
      xml.writeEndElement();
    }
    close();
    close();
    close();
  }

  /** {@code PT} minutes {@code M} seconds {@code S} on the millisecond grid, as DDEX writes it. */
  static String duration(double seconds) {
    long millis = Math.round(seconds * 1000);
    return "PT%dM%d.%03dS".formatted(millis / 60_000, millis / 1000 % 60, millis % 1000);
  }

  private static String decimal(double value) {
    return value == Math.rint(value) ? Long.toString((long) value) : Double.toString(value);
  }

  private void open(String name) throws XMLStreamException {
    startLine();
    xml.writeStartElement(name);
    depth++;
  }

  private void close() throws XMLStreamException {
    depth--;
    startLine();
    xml.writeEndElement();
  }

  private void text(String name, String text) throws XMLStreamException {
    startLine();
    xml.writeStartElement(name);
    xml.writeCharacters(text);
    xml.writeEndElement();
  }

  private void optionalText(String name, String text) throws XMLStreamException {
    if (!text.isEmpty()) {
      text(name, text);
    }
  }

  private void optionalAttribute(String name, @Nullable String value) throws XMLStreamException {
    if (value != null && !value.isEmpty()) {
      xml.writeAttribute(name, value);
    }
  }

  private void startLine() throws XMLStreamException {
    newLine();
    xml.writeCharacters("  ".repeat(depth));
  }

  private void newLine() throws XMLStreamException {
    xml.writeCharacters("\n");
  }
}
