package org.descant.catalog;

import java.io.InputStream;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
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
import org.descant.catalog.ErnMessage.Version;
import org.jspecify.annotations.Nullable;

/**
 * Reads DDEX ERN 4.3 and 4.3.2 messages of any profile.
 *
 * <p>It reads what senders write rather than what the schema demands: a missing optional part is
 * "", a wrong identifier is kept as it is for {@link Ingest} to judge by recording. It refuses,
 * with one sentence, what is no XML, no {@code NewReleaseMessage} or of another version.
 */
public final class ErnReader {
  private static final Pattern DDEX_ERN =
      Pattern.compile("https?://(?:www\\.)?ddex\\.net/xml/(?:\\d{4}/)?ern(?:-main)?/(\\d{1,4})");
  private static final Pattern DATE = Pattern.compile("(\\d{4}-\\d{2}-\\d{2})(?:T.*)?");
  private static final int RELEASE_GROUP_DEPTH_MAX = 16;
  private static final double STATED_SECONDS_MAX = 24 * 60 * 60;

  private ErnReader() {}

  /**
   * Reads a message from a file.
   *
   * @throws CatalogException in one sentence when the file is no ERN 4.3 or 4.3.2 message
   */
  public static ErnMessage read(Path file) {
    return message(XmlElement.read(file, (ns, name) -> version(file.toString(), ns, name)));
  }

  /**
   * Reads a message from a stream, to its end; does not close it.
   *
   * @param what the name of the message in error sentences
   */
  public static ErnMessage read(InputStream in, String what) {
    return message(XmlElement.read(in, what, (ns, name) -> version(what, ns, name)));
  }

  private static Version version(String what, String namespace, String name) {
    for (Version version : Version.values()) {
      if (version.namespace().equals(namespace)) {
        if (name.equals("NewReleaseMessage")) {
          return version;
        }
        throw new CatalogException(
            "%s is an ERN %s %s; Descant takes a NewReleaseMessage."
                .formatted(what, version.number(), Text.shorten(name, 60)));
      }
    }
    Matcher ern = DDEX_ERN.matcher(namespace);
    if (ern.matches()) {
      throw new CatalogException(
          "%s is an ERN %s message; Descant reads ERN 4.3 and 4.3.2: ask the sender for one of these."
              .formatted(what, String.join(".", ern.group(1).split(""))));
    }
    throw new CatalogException(
        "%s is no DDEX ERN message: its root is %s%s; deliver an ERN 4.3 or 4.3.2 NewReleaseMessage."
            .formatted(
                what,
                Text.shorten(name, 60),
                namespace.isEmpty()
                    ? " without a namespace"
                    : " in the namespace " + Text.shorten(namespace, 100)));
  }

  private static ErnMessage message(XmlElement root) {
    Version version = version("message", root.namespace, root.name);
    XmlElement header = root.first("MessageHeader");
    List<SoundRecording> recordings = new ArrayList<>();
    List<String> others = new ArrayList<>();
    XmlElement resources = root.first("ResourceList");
    if (resources != null) {
      for (XmlElement resource : resources.all()) {
        if (resource.name.equals("SoundRecording")) {
          recordings.addAll(recordings(resource));
        } else {
          others.add(other(resource));
        }
      }
    }
    Sender behalf =
        header == null || header.first("SentOnBehalfOf") == null
            ? null
            : sender(header, "SentOnBehalfOf");
    return new ErnMessage(
        version,
        root.attribute("ReleaseProfileVersionId"),
        root.attribute("ReleaseProfileVariantVersionId"),
        header != null && header.text("MessageControlType").equals("TestMessage"),
        header == null ? "" : header.text("MessageId"),
        header == null ? "" : header.text("MessageCreatedDateTime"),
        sender(header, "MessageSender"),
        behalf,
        sender(header, "MessageRecipient"),
        children(root, "PartyList", "Party").stream().map(ErnReader::party).toList(),
        recordings,
        others,
        releases(root),
        deals(root));
  }

  private static Sender sender(@Nullable XmlElement header, String role) {
    XmlElement party = header == null ? null : header.first(role);
    return party == null
        ? new Sender("", "")
        : new Sender(party.text("PartyId"), party.text("PartyName", "FullName"));
  }

  private static List<XmlElement> children(XmlElement root, String list, String child) {
    XmlElement found = root.first(list);
    return found == null ? List.of() : found.all(child);
  }

  private static Party party(XmlElement party) {
    List<ProprietaryId> proprietary = new ArrayList<>();
    String isni = "";
    String dpid = "";
    String ipi = "";
    String ipn = "";
    for (XmlElement id : party.all("PartyId")) {
      isni = firstOf(isni, id.text("ISNI"));
      dpid = firstOf(dpid, id.text("DPID"));
      ipi = firstOf(ipi, id.text("IpiNameNumber"));
      ipn = firstOf(ipn, id.text("IPN"));
      proprietary.addAll(proprietaryIds(id));
    }
    XmlElement name = preferred(party.all("PartyName"));
    return new Party(
        party.text("PartyReference"),
        name == null ? "" : name.text("FullName"),
        isni,
        dpid,
        ipi,
        ipn,
        proprietary);
  }

  private static String firstOf(String held, String found) {
    return held.isEmpty() ? found : held;
  }

  private static List<ProprietaryId> proprietaryIds(XmlElement parent) {
    return parent.all("ProprietaryId").stream()
        .map(id -> new ProprietaryId(id.attribute("Namespace"), id.text()))
        .toList();
  }

  /** Of several language or territory variants: the one marked as default, else the first. */
  private static @Nullable XmlElement preferred(List<XmlElement> variants) {
    for (XmlElement variant : variants) {
      if (variant.attribute("IsDefault").equals("true")) {
        return variant;
      }
    }
    return variants.isEmpty() ? null : variants.getFirst();
  }

  private static String preferredText(XmlElement parent, String child, String... path) {
    XmlElement variant = preferred(parent.all(child));
    return variant == null ? "" : variant.text(path);
  }

  private static String other(XmlElement resource) {
    String title = preferredText(resource, "DisplayTitleText");
    return "%s %s%s"
        .formatted(
            resource.name,
            resource.text("ResourceReference"),
            title.isEmpty() ? "" : " \"" + Text.shorten(title, 60) + "\"");
  }

  /** One row an ISRC: an immersive edition has one of its own and is a recording of its own. */
  private static List<SoundRecording> recordings(XmlElement resource) {
    Map<String, List<XmlElement>> editionsByIsrc = new LinkedHashMap<>();
    for (XmlElement edition : resource.all("SoundRecordingEdition")) {
      editionsByIsrc.computeIfAbsent(isrc(edition), isrc -> new ArrayList<>()).add(edition);
    }
    if (editionsByIsrc.isEmpty()) {
      editionsByIsrc.put(isrc(resource), List.of(resource));
    }
    if (editionsByIsrc.size() > 1) {
      editionsByIsrc.remove("");
    }
    List<SoundRecording> recordings = new ArrayList<>();
    editionsByIsrc.forEach((isrc, editions) -> recordings.add(recording(resource, isrc, editions)));
    return recordings;
  }

  private static String isrc(XmlElement edition) {
    for (XmlElement id : edition.all("ResourceId")) {
      if (!id.attribute("IsReplaced").equals("true") && !id.text("ISRC").isEmpty()) {
        return id.text("ISRC");
      }
    }
    return "";
  }

  private static SoundRecording recording(
      XmlElement resource, String isrc, List<XmlElement> editions) {
    List<ProprietaryId> proprietary = new ArrayList<>();
    List<DeliveredFile> files = new ArrayList<>();
    String pLine = "";
    List<Contribution> contributions = new ArrayList<>(contributions(resource));
    for (XmlElement edition : editions) {
      for (XmlElement id : edition.all("ResourceId")) {
        proprietary.addAll(proprietaryIds(id));
      }
      pLine = firstOf(pLine, preferredText(edition, "PLine", "PLineText"));
      files.addAll(files(edition));
      contributions.addAll(contributors(edition, "EditionContributor"));
    }
    XmlElement title = preferred(resource.all("DisplayTitle"));
    String titleText = title == null ? "" : title.text("TitleText");
    String subTitle = title == null ? "" : title.text("SubTitle");
    return new SoundRecording(
        resource.text("ResourceReference"),
        userDefined(resource.first("Type")),
        resource.attribute("IsSupplemental").equals("true"),
        isrc,
        proprietary,
        firstOf(titleText, preferredText(resource, "DisplayTitleText")),
        firstOf(subTitle, userDefined(resource.first("VersionType"))),
        preferredText(resource, "DisplayArtistName"),
        distinct(contributions),
        iswcs(resource),
        controls(resource, "ResourceRightsController"),
        controls(resource, "WorkRightsController"),
        pLine,
        seconds(resource.text("Duration")),
        resource.text("ContainsAI"),
        files,
        relations(resource));
  }

  private static List<Contribution> contributions(XmlElement resource) {
    List<Contribution> contributions = new ArrayList<>();
    for (XmlElement artist : resource.all("DisplayArtist")) {
      String role = userDefined(artist.first("DisplayArtistRole"));
      String reference = artist.text("ArtistPartyReference");
      if (!reference.isEmpty()) {
        contributions.add(new Contribution(reference, role.isEmpty() ? "Artist" : role, true));
      }
    }
    contributions.addAll(contributors(resource, "Contributor"));
    return contributions;
  }

  /** ERN 4.3 writes the role as text, 4.3.2 as a {@code Value} in the role; each may repeat. */
  private static List<Contribution> contributors(XmlElement parent, String element) {
    List<Contribution> contributions = new ArrayList<>();
    for (XmlElement contributor : parent.all(element)) {
      String reference = contributor.text("ContributorPartyReference");
      if (reference.isEmpty()) {
        continue;
      }
      List<XmlElement> roles = contributor.all("Role");
      for (XmlElement role : roles) {
        XmlElement value = role.first("Value");
        String name = userDefined(value == null ? role : value);
        contributions.add(
            new Contribution(reference, name.isEmpty() ? "NotSpecified" : name, false));
      }
      if (roles.isEmpty()) {
        contributions.add(new Contribution(reference, "NotSpecified", false));
      }
    }
    return contributions;
  }

  private static List<Contribution> distinct(List<Contribution> contributions) {
    Set<Contribution> distinct = new LinkedHashSet<>(contributions);
    return List.copyOf(distinct);
  }

  /** The user-defined value where there is one, else the text. */
  private static String userDefined(@Nullable XmlElement value) {
    if (value == null) {
      return "";
    }
    return value.text().equals("UserDefined") && !value.attribute("UserDefinedValue").isEmpty()
        ? value.attribute("UserDefinedValue")
        : value.text();
  }

  private static List<String> iswcs(XmlElement resource) {
    return resource.all("WorkId").stream()
        .filter(id -> !id.attribute("IsReplaced").equals("true"))
        .map(id -> id.text("ISWC"))
        .filter(iswc -> !iswc.isEmpty())
        .distinct()
        .toList();
  }

  private static List<Control> controls(XmlElement resource, String element) {
    List<Control> controls = new ArrayList<>();
    for (XmlElement controller : resource.all(element)) {
      String reference = controller.text("RightsControllerPartyReference");
      if (reference.isEmpty()) {
        continue;
      }
      XmlElement share = controller.first("RightSharePercentage");
      Double percent = share == null ? null : decimal(share.text());
      if (percent != null && share != null && share.attribute("HasMaxValueOfOne").equals("true")) {
        percent = percent * 100;
      }
      controls.add(new Control(reference, controller.texts("RightsControlType"), percent));
    }
    return controls;
  }

  private static @Nullable Double decimal(String text) {
    try {
      double value = Double.parseDouble(text);
      return value >= 0 && value <= 100 ? value : null;
    } catch (NumberFormatException e) {
      return null;
    }
  }

  /**
   * Seconds of an {@code xs:duration}; 0 when it is missing, counts months, or is no recording's.
   */
  private static double seconds(String duration) {
    try {
      double seconds = Duration.parse(duration).toNanos() / 1e9;
      return seconds > 0 && seconds <= STATED_SECONDS_MAX ? seconds : 0;
    } catch (DateTimeException | ArithmeticException e) {
      return 0;
    }
  }

  private static List<DeliveredFile> files(XmlElement edition) {
    List<DeliveredFile> files = new ArrayList<>();
    for (XmlElement details : edition.all("TechnicalDetails")) {
      if (details.text("IsClip").equals("true") || details.text("IsPreview").equals("true")) {
        continue;
      }
      List<XmlElement> holders = new ArrayList<>(details.all("DeliveryFile"));
      holders.add(details);
      for (XmlElement holder : holders) {
        for (XmlElement file : holder.all("File")) {
          files.add(
              new DeliveredFile(
                  file.text("URI"),
                  userDefined(hash(file, "Algorithm")),
                  file.text("HashSum", "HashSumValue")));
        }
      }
    }
    return files;
  }

  private static @Nullable XmlElement hash(XmlElement file, String part) {
    XmlElement sum = file.first("HashSum");
    return sum == null ? null : sum.first(part);
  }

  private static List<Relation> relations(XmlElement resource) {
    return resource.all("RelatedResource").stream()
        .map(related ->
            new Relation(
                related.text("ResourceRelationshipType"),
                related.text("ResourceRelatedResourceReference")))
        .toList();
  }

  private static List<Release> releases(XmlElement root) {
    List<Release> releases = new ArrayList<>();
    XmlElement list = root.first("ReleaseList");
    if (list == null) {
      return releases;
    }
    for (XmlElement release : list.all()) {
      boolean track = release.name.equals("TrackRelease");
      Set<String> resources = new LinkedHashSet<>(release.texts("ReleaseResourceReference"));
      for (XmlElement group : release.all("ResourceGroup")) {
        collectResources(group, resources, 0);
      }
      XmlElement id = release.first("ReleaseId");
      XmlElement genre = preferred(release.all("DisplayGenre"));
      if (genre == null) {
        genre = preferred(release.all("Genre"));
      }
      XmlElement title = preferred(release.all("DisplayTitle"));
      releases.add(
          new Release(
              release.text("ReleaseReference"),
              track,
              userDefined(release.first("ReleaseType")),
              id == null ? "" : id.text("ICPN"),
              id == null ? "" : id.text("GRid"),
              id == null ? List.of() : proprietaryIds(id),
              title == null ? preferredText(release, "DisplayTitleText") : title.text("TitleText"),
              preferredText(release, "DisplayArtistName"),
              release.texts("ReleaseLabelReference"),
              genre == null ? "" : genre.text("GenreText"),
              genre == null ? "" : genre.text("SubGenre"),
              preferredText(release, "Keywords"),
              preferredText(release, "Synopsis"),
              List.copyOf(resources)));
    }
    return releases;
  }

  private static void collectResources(XmlElement group, Set<String> resources, int depth) {
    if (depth > RELEASE_GROUP_DEPTH_MAX) {
      return;
    }
    for (XmlElement item : group.all("ResourceGroupContentItem")) {
      resources.addAll(item.texts("ReleaseResourceReference"));
    }
    for (XmlElement inner : group.all("ResourceGroup")) {
      collectResources(inner, resources, depth + 1);
    }
  }

  private static List<Deal> deals(XmlElement root) {
    List<Deal> deals = new ArrayList<>();
    for (XmlElement releaseDeal : children(root, "DealList", "ReleaseDeal")) {
      List<String> releases = releaseDeal.texts("DealReleaseReference");
      for (XmlElement deal : releaseDeal.all("Deal")) {
        for (XmlElement terms : deal.all("DealTerms")) {
          deals.addAll(deals(releases, deal, terms));
        }
      }
    }
    return deals;
  }

  /** One deal a validity period. */
  private static List<Deal> deals(List<String> releases, XmlElement deal, XmlElement terms) {
    List<String> excluded = terms.texts("ExcludedTerritoryCode");
    List<String> territories = excluded.isEmpty() ? terms.texts("TerritoryCode") : excluded;
    List<UseType> useTypes = new ArrayList<>();
    for (XmlElement use : terms.all("UseType")) {
      useTypes.add(
          new UseType(use.text(), use.attribute("Namespace"), use.attribute("UserDefinedValue")));
    }
    List<String> models =
        terms.all("CommercialModelType").stream().map(ErnReader::userDefined).toList();
    List<Deal> deals = new ArrayList<>();
    for (XmlElement period : terms.all("ValidityPeriod")) {
      String start = firstOf(period.text("StartDate"), period.text("StartDateTime"));
      String end = firstOf(period.text("EndDate"), period.text("EndDateTime"));
      LocalDate from = date(start);
      LocalDate to = date(end);
      String limit = limit(deal, terms);
      if (limit.isEmpty() && from == null) {
        limit = "its period has no full start date";
      }
      if (limit.isEmpty() && to == null && !end.isEmpty()) {
        limit = "its period has no full end date";
      }
      deals.add(
          new Deal(releases, territories, !excluded.isEmpty(), from, to, models, useTypes, limit));
    }
    return deals;
  }

  /** What narrows a deal in a way that we cannot prove to keep: then it grants us nothing. */
  private static String limit(XmlElement deal, XmlElement terms) {
    for (String narrowing :
        List.of("DistributionChannel", "ExcludedDistributionChannel", "NumberOfUsages")) {
      if (terms.first(narrowing) != null) {
        return "it is narrowed by " + narrowing;
      }
    }
    return deal.first("DealTechnicalResourceDetailsReferenceList") != null
        ? "it is narrowed to single files"
        : "";
  }

  private static @Nullable LocalDate date(String text) {
    Matcher date = DATE.matcher(text);
    if (!date.matches()) {
      return null;
    }
    try {
      return LocalDate.parse(date.group(1));
    } catch (DateTimeException e) {
      return null;
    }
  }
}
