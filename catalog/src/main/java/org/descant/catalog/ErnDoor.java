package org.descant.catalog;

import static java.util.stream.Collectors.toCollection;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import org.descant.catalog.ErnMessage.Contribution;
import org.descant.catalog.ErnMessage.Control;
import org.descant.catalog.ErnMessage.Deal;
import org.descant.catalog.ErnMessage.DeliveredFile;
import org.descant.catalog.ErnMessage.ProprietaryId;
import org.descant.catalog.ErnMessage.Relation;
import org.descant.catalog.ErnMessage.Release;
import org.descant.catalog.ErnMessage.Sender;
import org.descant.catalog.ErnMessage.SoundRecording;
import org.descant.catalog.ImportReport.Item;
import org.descant.catalog.RightsFile.RecordingRights;
import org.descant.catalog.Shipment.AudioSource;
import org.descant.catalog.Shipment.Behind;
import org.descant.catalog.Shipment.Candidate;
import org.descant.catalog.Shipment.Message;
import org.descant.catalog.Shipment.ReleaseRow;
import org.descant.catalog.Shipment.StemSource;
import org.descant.rights.Agreement;
import org.descant.rights.AgreementKind;
import org.descant.rights.Contributor;
import org.descant.rights.Isni;
import org.descant.rights.Isrc;
import org.descant.rights.Iswc;
import org.descant.rights.Party;
import org.descant.rights.Recording;
import org.descant.rights.RightsException;
import org.descant.rights.Scope;
import org.descant.rights.Share;
import org.descant.rights.Terms;
import org.descant.rights.Use;
import org.descant.rights.Work;
import org.jspecify.annotations.Nullable;

/**
 * Turns an ERN message, its folder and its {@code rights.json} into a {@link Shipment}.
 *
 * <p>How DDEX is read, strictest first:
 *
 * <ul>
 *   <li>The owners of a master are its {@code ResourceRightsController}s; where none is named, the
 *       party that the message was sent on behalf of, or the sender.
 *   <li>A deal grants for the owner that sends it, that it is sent on behalf of, or that is the
 *       only controller; other owners must agree themselves.
 *   <li>A deal never speaks for the work (DDEX's own words). A recording whose message names no
 *       work gets one of its own without owners, so that it stays refused until its writers are
 *       known.
 *   <li>A recording that contains others ({@code HasContentFrom}, {@code ContainsSamplesFrom}) is
 *       blocked: nobody here has cleared what is in it.
 *   <li>Deals of a test message, deals narrowed in ways we cannot keep, and deals without full
 *       dates grant nothing.
 * </ul>
 */
final class ErnDoor {
  private static final Set<String> OWNING = Set.of("RightsController", "RightsHolder");
  private static final Set<String> WRITING =
      Set.of(
          "Adapter",
          "Arranger",
          "Author",
          "Composer",
          "ComposerLyricist",
          "Librettist",
          "Lyricist",
          "NonLyricAuthor",
          "SubArranger",
          "SubLyricist",
          "Translator");
  private static final Set<String> CONTAINING = Set.of("HasContentFrom", "ContainsSamplesFrom");
  private static final String WORLD_TIS = "2136";
  private static final Terms FREE = new Terms(0, 0, 0, 0, true, false);
  private static final Instant CREATED_MIN = Instant.parse("1990-01-01T00:00:00Z");
  private static final Instant CREATED_MAX = Instant.parse("2999-01-01T00:00:00Z");
  private static final LocalDate VOID_DAY = LocalDate.of(1800, 1, 1);

  private final ErnMessage message;
  private final String what;
  private final DeliveredFiles files;
  private final RightsFile rights;
  private final Map<String, Party> parties = new LinkedHashMap<>();
  private final Map<String, RecordingRights> rightsByIsrc = new HashMap<>();
  private final List<Item> items = new ArrayList<>();
  private final Set<String> notes = new LinkedHashSet<>();
  private final String senderId;
  private final Function<String, Optional<Work>> known;

  private ErnDoor(
      ErnMessage message, Path file, RightsFile rights, Function<String, Optional<Work>> known) {
    this.message = message;
    this.known = known;
    this.what = file.getFileName().toString();
    this.files = new DeliveredFiles(folderOf(file));
    this.rights = rights;
    rights.recordings().forEach(r -> rightsByIsrc.put(r.isrc().value(), r));
    for (ErnMessage.Party party : message.parties()) {
      parties.putIfAbsent(party.reference(), party(party));
    }
    Sender master = message.onBehalfOf() == null ? message.sender() : message.onBehalfOf();
    this.senderId = senderParty(master).id();
  }

  static Path folderOf(Path file) {
    Path parent = file.toAbsolutePath().getParent();
    return parent == null ? file.toAbsolutePath() : parent;
  }

  /**
   * Reads the message and the rights file beside it.
   *
   * @param known what is known of a work already
   */
  static Shipment open(Path file, Function<String, Optional<Work>> known) {
    ErnMessage message = ErnReader.read(file);
    Path rightsFile = folderOf(file).resolve(RightsFile.NAME);
    boolean hasRights = Files.exists(rightsFile);
    RightsFile rights = hasRights ? RightsFile.read(rightsFile) : RightsFile.EMPTY;
    return new ErnDoor(message, file, rights, known)
        .shipment(file.toString(), hasRights ? DeliveredFiles.sha256(rightsFile) : "");
  }

  private Shipment shipment(String source, String rightsDigest) {
    if (message.recordings().isEmpty()) {
      throw new CatalogException(
          "%s is an ERN %s %s message without sound recordings; Descant takes recordings only."
              .formatted(source, message.version().number(), message.profile()));
    }
    for (String other : message.others()) {
      items.add(Item.skipped(other, "is no sound recording"));
    }
    if (message.test()) {
      notes.add(what + " calls itself a test message, so its deals grant nothing.");
    }
    List<Candidate> candidates = new ArrayList<>();
    Set<String> seen = new LinkedHashSet<>();
    for (SoundRecording recording : message.recordings()) {
      Isrc isrc = isrcOf(recording);
      if (isrc == null) {
        continue;
      }
      if (!seen.add(isrc.value())) {
        items.add(
            Item.blocked(
                name(recording), isrc.value(), "has an ISRC that this message uses twice"));
        continue;
      }
      candidates.add(candidate(recording, isrc));
    }
    List<Party> hearsay = new ArrayList<>(parties.values());
    hearsay.add(senderParty(message.sender()));
    if (message.onBehalfOf() != null) {
      hearsay.add(senderParty(message.onBehalfOf()));
    }
    return new Shipment(
        source,
        "ERN %s %s%s"
            .formatted(
                message.version().number(),
                message.profile().isEmpty() ? "without profile" : message.profile(),
                message.variant().isEmpty() ? "" : " " + message.variant()),
        candidates,
        items,
        List.copyOf(notes),
        rights.parties(),
        hearsay,
        rights.works(),
        rights.agreements(),
        rights.choices(),
        rightsDigest,
        new Message(senderId, Text.shorten(message.messageId(), 200), createdAt(), !message.test()),
        releases(seen));
  }

  private Instant createdAt() {
    String text = message.createdAt();
    try {
      Instant at =
          text.length() == 10
              ? LocalDate.parse(text).atStartOfDay(ZoneOffset.UTC).toInstant()
              : text.matches(".*(Z|[+-]\\d\\d:\\d\\d)")
                  ? OffsetDateTime.parse(text).toInstant()
                  : LocalDateTime.parse(text).toInstant(ZoneOffset.UTC);
      if (at.isBefore(CREATED_MIN) || at.isAfter(CREATED_MAX)) {
        throw new DateTimeException("no day on which anybody sent an ERN message");
      }
      return at;
    } catch (DateTimeException e) {
      throw new CatalogException(
          "%s has no MessageCreatedDateTime that is one ('%s'); without it nobody knows which of two messages is the newer."
              .formatted(what, Text.shorten(text, 40)),
          e);
    }
  }

  /** The ISRC, or null after an item has said why there is no candidate. */
  private @Nullable Isrc isrcOf(SoundRecording recording) {
    if (recording.stem()) {
      return null;
    }
    if (recording.isrc().isEmpty()) {
      if (recording.supplemental()) {
        items.add(
            Item.skipped(
                name(recording), "is mentioned only (supplemental, no ISRC) and not delivered"));
      } else {
        items.add(
            Item.blocked(name(recording), null, "has no ISRC; give it one and deliver it again"));
      }
      return null;
    }
    try {
      return Isrc.of(recording.isrc());
    } catch (RightsException e) {
      items.add(Item.blocked(name(recording), null, String.valueOf(e.getMessage())));
      return null;
    }
  }

  private static String name(SoundRecording recording) {
    return "%s \"%s\"".formatted(recording.reference(), Text.shorten(recording.title(), 80));
  }

  private Candidate candidate(SoundRecording recording, Isrc isrc) {
    Release release = message.releasesOf(recording.reference()).stream().findFirst().orElse(null);
    AudioSource audio = null;
    String missing = "it names no audio file";
    String block = contained(recording);
    for (DeliveredFile delivered : recording.files()) {
      DeliveredFiles.Found found = files.find(delivered.uri());
      if (found.path() != null) {
        audio = new AudioSource(found.path(), delivered.hashAlgorithm(), delivered.hash());
        missing = "";
        break;
      }
      missing = found.problem();
      if (!found.missing() && block.isEmpty()) {
        block = found.problem();
      }
    }
    Behind behind = behind(recording, isrc);
    List<String> badWorks = new ArrayList<>();
    for (String iswc : recording.iswcs()) {
      try {
        Iswc.of(iswc);
      } catch (RightsException e) {
        badWorks.add(withoutStop(e));
      }
    }
    if (block.isEmpty() && !badWorks.isEmpty()) {
      block = String.join("; ", badWorks);
    }
    return new Candidate(
        name(recording),
        isrc,
        title(recording, isrc),
        recording.versionTitle(),
        artist(recording),
        recording.seconds(),
        block,
        audio,
        missing,
        stems(recording),
        audio == null ? null : besides(audio.file()),
        release == null ? "" : genre(release),
        release == null ? List.of() : keywords(release),
        release == null ? "" : release.synopsis(),
        null,
        null,
        "",
        Map.of(),
        _ -> behind);
  }

  /** The annotations file of the same stem name, when it is there. */
  static @Nullable Path besides(Path audio) {
    String name = audio.getFileName().toString();
    int dot = name.lastIndexOf('.');
    Path jams = audio.resolveSibling((dot > 0 ? name.substring(0, dot) : name) + ".jams");
    return Files.isRegularFile(jams) ? jams : null;
  }

  private static String title(SoundRecording recording, Isrc isrc) {
    return recording.title().isEmpty()
        ? "Untitled " + isrc.formatted()
        : Text.shorten(recording.title(), 900);
  }

  private String artist(SoundRecording recording) {
    if (!recording.displayArtist().isEmpty()) {
      return Text.shorten(recording.displayArtist(), 900);
    }
    for (Contribution contribution : recording.contributions()) {
      Party party = parties.get(contribution.partyReference());
      if (party != null) {
        return party.name();
      }
    }
    return "Unknown artist";
  }

  private static String genre(Release release) {
    return release.subGenre().isEmpty()
        ? release.genre()
        : release.genre() + ", " + release.subGenre();
  }

  private static List<String> keywords(Release release) {
    List<String> tags = new ArrayList<>();
    for (String word : release.keywords().split("[,;]", -1)) {
      String tag = Text.shorten(word.strip().toLowerCase(Locale.ROOT), 60);
      if (!tag.isEmpty() && !tags.contains(tag) && tags.size() < 64) {
        tags.add(tag);
      }
    }
    return tags;
  }

  private String contained(SoundRecording recording) {
    long parts = recording.relations().stream().filter(r -> CONTAINING.contains(r.type())).count();
    return parts == 0
        ? ""
        : "it contains parts of %d other recording%s, which nobody has cleared here"
            .formatted(parts, parts == 1 ? "" : "s");
  }

  private List<StemSource> stems(SoundRecording recording) {
    List<StemSource> stems = new ArrayList<>();
    for (SoundRecording stem : message.recordings()) {
      Relation part = new Relation("IsPartOf", recording.reference());
      if (!stem.stem() || !stem.relations().contains(part)) {
        continue;
      }
      for (DeliveredFile delivered : stem.files()) {
        DeliveredFiles.Found found = files.find(delivered.uri());
        if (found.path() == null) {
          items.add(Item.blocked("stem " + name(stem), null, found.problem()));
        } else {
          stems.add(
              new StemSource(
                  stem.title(),
                  new AudioSource(found.path(), delivered.hashAlgorithm(), delivered.hash())));
        }
      }
    }
    return stems;
  }

  private Behind behind(SoundRecording recording, Isrc isrc) {
    RecordingRights said = rightsByIsrc.get(isrc.value());
    List<Contributor> contributors = new ArrayList<>();
    List<Contributor> writers = new ArrayList<>();
    for (Contribution contribution : recording.contributions()) {
      Party party = parties.get(contribution.partyReference());
      if (party == null) {
        notes.add(
            "%s names the party %s, which the message does not have; it is left out."
                .formatted(recording.reference(), Text.shorten(contribution.partyReference(), 40)));
        continue;
      }
      Contributor contributor = new Contributor(party.id(), role(contribution.role()));
      (WRITING.contains(contributor.role()) ? writers : contributors).add(contributor);
    }
    if (said != null) {
      contributors.addAll(said.contributors());
    }
    List<Share> shares =
        said != null && !said.shares().isEmpty() ? said.shares() : masterShares(recording);
    List<Work> works =
        said != null && !said.works().isEmpty() ? List.of() : works(recording, isrc, writers);
    List<String> workIds =
        said != null && !said.works().isEmpty()
            ? said.works()
            : works.stream().map(Work::id).toList();
    Set<String> credited = writersOf(workIds, works);
    for (Contributor writer : writers) {
      if (!credited.contains(writer.partyId())) {
        contributors.add(writer); // Whoever wrote it may refuse, whatever the works say.
      }
    }
    return new Behind(
        workIds,
        contributors.stream().distinct().limit(Work.PEOPLE_MAX).toList(),
        shares,
        works,
        agreements(recording, isrc, shares, workIds));
  }

  /** Those whom the works name already, as they are known, as we are told, or as hearsay has it. */
  private Set<String> writersOf(List<String> workIds, List<Work> hearsay) {
    Set<String> writers = new LinkedHashSet<>();
    for (String id : workIds) {
      one(rights.works(), id)
          .or(() -> known.apply(id))
          .or(() -> one(hearsay, id))
          .ifPresent(work -> work.contributors().forEach(writer -> writers.add(writer.partyId())));
    }
    return writers;
  }

  private static Optional<Work> one(List<Work> works, String id) {
    return works.stream().filter(work -> work.id().equals(id)).findFirst();
  }

  /** DDEX's roles are single words; a sender's own is made into one. */
  private static String role(String role) {
    StringBuilder word = new StringBuilder();
    boolean capital = false;
    for (int i = 0; i < role.length(); i++) {
      char c = role.charAt(i);
      boolean letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
      if (letter || (c >= '0' && c <= '9' && !word.isEmpty())) {
        word.append(capital ? Character.toUpperCase(c) : c);
        capital = false;
      } else {
        capital = !word.isEmpty();
      }
    }
    return word.isEmpty() ? "NotSpecified" : word.substring(0, Math.min(64, word.length()));
  }

  private List<Share> masterShares(SoundRecording recording) {
    return recording.controllers().isEmpty()
        ? List.of(Share.master(senderId, Share.WHOLE))
        : shares(owners(recording.controllers())).entrySet().stream()
            .map(owner -> Share.master(owner.getKey(), owner.getValue()))
            .toList();
  }

  private static List<Control> owners(List<Control> controls) {
    return controls.stream()
        .filter(c -> c.roles().isEmpty() || c.roles().stream().anyMatch(OWNING::contains))
        .toList();
  }

  /** Basis points by party; what is not said, or more than the whole, is nobody's. */
  private Map<String, Integer> shares(List<Control> owners) {
    Map<String, Integer> shares = new LinkedHashMap<>();
    int left = Share.WHOLE;
    for (Control owner : owners) {
      Party party = parties.get(owner.partyReference());
      Double percent = owner.percent();
      int stated = owners.size() == 1 ? Share.WHOLE : 0;
      int basisPoints = Math.min(left, percent == null ? stated : (int) Math.round(percent * 100));
      if (party != null && basisPoints > 0) {
        shares.merge(party.id(), basisPoints, Integer::sum);
        left -= basisPoints;
      }
    }
    return shares;
  }

  /** Hearsay: a message tells that there is a work, not who owns all of it. */
  private List<Work> works(SoundRecording recording, Isrc isrc, List<Contributor> writers) {
    List<Share> shares =
        shares(owners(recording.workControllers())).entrySet().stream()
            .map(owner -> Share.publishing(owner.getKey(), owner.getValue()))
            .toList();
    List<Contributor> distinct = writers.stream().distinct().limit(Work.PEOPLE_MAX).toList();
    String title = title(recording, isrc);
    List<Work> works = new ArrayList<>();
    for (String iswc : recording.iswcs()) {
      try {
        works.add(new Work(Iswc.of(iswc).value(), title, distinct, shares));
      } catch (RightsException e) {
        // The candidate is blocked for it and the report says so.
        notes.add(withoutStop(e) + ".");
      }
    }
    if (works.isEmpty()) {
      works.add(new Work("work:" + isrc, title, distinct, shares));
    }
    return works.stream().limit(Recording.WORKS_MAX).toList();
  }

  private List<Agreement> agreements(
      SoundRecording recording, Isrc isrc, List<Share> shares, List<String> workIds) {
    if (message.test()) {
      return List.of();
    }
    Set<String> speaking = new LinkedHashSet<>();
    for (Share share : shares) {
      if (share.partyId().equals(senderId)
          || share.partyId().equals(senderParty(message.sender()).id())
          || shares.size() == 1) {
        speaking.add(share.partyId());
      }
    }
    Map<Conditions, Set<String>> territories = new LinkedHashMap<>();
    for (Deal deal : message.dealsOf(recording.reference())) {
      Set<Use> uses = deal.uses();
      if (uses.isEmpty()) {
        continue;
      }
      LocalDate from = deal.from();
      Set<String> where = territories(deal);
      if (!deal.limit().isEmpty() || from == null || where.isEmpty()) {
        notes.add(
            "A deal on %s for %s grants nothing here: %s."
                .formatted(
                    isrc,
                    uses,
                    deal.limit().isEmpty() ? "it names no territory that is one" : deal.limit()));
        continue;
      }
      if (deal.to() != null && deal.to().isBefore(from)) {
        notes.add("A deal on %s ends before it begins and grants nothing.".formatted(isrc));
        continue;
      }
      boolean free =
          !deal.commercialModels().isEmpty()
              && deal.commercialModels().stream().allMatch("FreeOfChargeModel"::equals);
      territories
          .computeIfAbsent(
              new Conditions(from, deal.to(), uses, free ? FREE : Terms.STANDARD),
              key -> new TreeSet<>())
          .addAll(where);
    }
    List<Agreement> agreements = new ArrayList<>();
    for (String licensor : speaking) {
      if (ownsWork(licensor, workIds)) {
        notes.add(
            "A deal of %s grants nothing on %s: the party owns of the work too, and no DDEX deal speaks for a work; say it in %s."
                .formatted(licensor, isrc, RightsFile.NAME));
        continue;
      }
      for (Map.Entry<Conditions, Set<String>> deal : territories.entrySet()) {
        String id = "ern:%s:%s:%d".formatted(idPart(licensor), isrc, agreements.size() + 1);
        try {
          agreements.add(agreement(id, licensor, isrc, deal.getKey(), deal.getValue()));
        } catch (RightsException e) {
          notes.add("A deal on %s grants nothing: %s.".formatted(isrc, withoutStop(e)));
        }
      }
    }
    return agreements;
  }

  private static Agreement agreement(
      String id, String licensor, Isrc isrc, Conditions conditions, Set<String> territories) {
    return new Agreement(
        id,
        AgreementKind.LICENCE,
        licensor,
        conditions.uses(),
        Scope.of(isrc),
        conditions.from(),
        conditions.to(),
        territories.contains(Agreement.WORLDWIDE) ? Set.of(Agreement.WORLDWIDE) : territories,
        conditions.terms());
  }

  /** What deals of several territories must share to be one agreement. */
  private record Conditions(LocalDate from, @Nullable LocalDate to, Set<Use> uses, Terms terms) {
    Conditions {
      uses = EnumSet.copyOf(uses);
    }
  }

  private boolean ownsWork(String party, List<String> workIds) {
    return rights.works().stream()
        .filter(work -> workIds.contains(work.id()))
        .flatMap(work -> work.shares().stream())
        .anyMatch(share -> share.partyId().equals(party));
  }

  private static Set<String> territories(Deal deal) {
    Set<String> named = new TreeSet<>();
    for (String code : deal.territories()) {
      if (code.equals(Agreement.WORLDWIDE) || code.equals(WORLD_TIS)) {
        named.add(Agreement.WORLDWIDE);
      } else if (code.matches("[A-Z]{2}")) {
        named.add(code);
      }
    }
    if (!deal.excluded()) {
      return named;
    }
    if (named.size() < deal.territories().size() || named.contains(Agreement.WORLDWIDE)) {
      return Set.of(); // An exclusion that we do not understand excludes everything.
    }
    Set<String> rest = Arrays.stream(Locale.getISOCountries()).collect(toCollection(TreeSet::new));
    rest.removeAll(named);
    return rest;
  }

  private Party senderParty(Sender sender) {
    for (ErnMessage.Party party : message.parties()) {
      if (!sender.dpid().isEmpty() && party.dpid().equals(sender.dpid())) {
        Party known = parties.get(party.reference());
        if (known != null) {
          return known;
        }
      }
    }
    String name = sender.name().isEmpty() ? sender.dpid() : sender.name();
    if (name.isEmpty()) {
      throw new CatalogException(
          what + " does not say who sends it (MessageSender); nobody could be asked or paid.");
    }
    return new Party(
        sender.dpid().isEmpty() ? byName(name) : "dpid:" + idPart(sender.dpid()),
        Text.shorten(name, 900),
        false);
  }

  /** The most public identifier gives the id; a name alone means something to its sender only. */
  private Party party(ErnMessage.Party party) {
    Isni isni = null;
    if (!party.isni().isEmpty()) {
      try {
        isni = Isni.of(party.isni());
      } catch (RightsException e) {
        notes.add("The ISNI of %s is left out: %s.".formatted(party.reference(), withoutStop(e)));
      }
    }
    String id = null;
    for (ProprietaryId own : party.proprietaryIds()) {
      if (own.namespace().equals(ErnMessage.NAMESPACE)
          && own.value().matches("[a-z0-9][a-z0-9-]{0,63}")) {
        id = own.value();
      }
    }
    if (id == null) {
      if (isni != null) {
        id = "isni:" + isni.value();
      } else if (!party.ipn().isEmpty()) {
        id = "ipn:" + idPart(party.ipn());
      } else if (!party.ipi().isEmpty()) {
        id = "ipi:" + idPart(party.ipi());
      } else if (!party.dpid().isEmpty()) {
        id = "dpid:" + idPart(party.dpid());
      } else if (!party.proprietaryIds().isEmpty()) {
        ProprietaryId first = party.proprietaryIds().getFirst();
        id = "own:%s:%s".formatted(idPart(first.namespace()), idPart(first.value()));
      } else {
        id = byName(party.name().isEmpty() ? party.reference() : party.name());
      }
    }
    String name = party.name().isEmpty() ? id : Text.shorten(party.name(), 900);
    return new Party(id, name, false, isni);
  }

  private String byName(String name) {
    String scope = message.sender().dpid() + "|" + name;
    String slug = Text.slug(name);
    return "name:%s%s%s"
        .formatted(slug, slug.isEmpty() ? "" : "-", Text.sha256(scope).substring(0, 8));
  }

  /** Letters, digits and hyphens of an identifier; what had others gets a hash to stay apart. */
  private static String idPart(String value) {
    String plain = value.replaceAll("[^A-Za-z0-9-]", "");
    return plain.equals(value) && plain.length() <= 40 && !plain.isEmpty()
        ? plain
        : plain.substring(0, Math.min(24, plain.length()))
            + "."
            + Text.sha256(value).substring(0, 8);
  }

  private List<ReleaseRow> releases(Set<String> isrcs) {
    Map<String, String> isrcByReference = new HashMap<>();
    for (SoundRecording recording : message.recordings()) {
      String isrc = recording.isrc().replace("-", "").toUpperCase(Locale.ROOT);
      if (isrcs.contains(isrc)) {
        isrcByReference.putIfAbsent(recording.reference(), isrc);
      }
    }
    List<ReleaseRow> rows = new ArrayList<>();
    for (Release release : message.releases()) {
      if (release.track()) {
        continue;
      }
      String own =
          release.icpn().isEmpty()
              ? release.grid().isEmpty()
                  ? message.messageId() + "/" + release.reference()
                  : "grid:" + release.grid()
              : "icpn:" + release.icpn();
      String label =
          release.labelReferences().stream()
              .map(parties::get)
              .filter(Objects::nonNull)
              .map(Party::name)
              .findFirst()
              .orElse("");
      rows.add(
          new ReleaseRow(
              senderId + "/" + Text.shorten(own, 200),
              release.title(),
              release.displayArtist(),
              label,
              release.icpn(),
              release.grid(),
              release.resourceReferences().stream()
                  .map(isrcByReference::get)
                  .filter(Objects::nonNull)
                  .toList()));
    }
    return rows;
  }

  private static String withoutStop(RightsException e) {
    String text = String.valueOf(e.getMessage());
    return text.endsWith(".") ? text.substring(0, text.length() - 1) : text;
  }

  /**
   * An agreement that a later message no longer has: it ends on the eve of that message, or never
   * held where it would have begun later.
   */
  static Agreement ended(Agreement agreement, Instant at) {
    LocalDate eve = at.atOffset(ZoneOffset.UTC).toLocalDate().minusDays(1);
    if (agreement.to() != null && !agreement.to().isAfter(eve)) {
      return agreement;
    }
    boolean held = !eve.isBefore(agreement.from());
    return new Agreement(
        agreement.id(),
        agreement.kind(),
        agreement.licensor(),
        agreement.uses(),
        agreement.scope(),
        held ? agreement.from() : VOID_DAY,
        held ? eve : VOID_DAY,
        agreement.territories(),
        agreement.terms());
  }
}
