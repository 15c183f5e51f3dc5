package org.descant.catalog;

import java.time.LocalDate;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.descant.rights.Use;
import org.jspecify.annotations.Nullable;

/**
 * What Descant understands of a DDEX ERN 4.3 or 4.3.2 {@code NewReleaseMessage}: who sends, the
 * parties, the sound recordings with their files, the releases and the deals. Everything else of a
 * message is left unread; {@code others} names the resources that are no sound recordings.
 *
 * <p>References ({@code P..., A..., R...}) are local to the message. Texts are never null; "" means
 * that the message does not say.
 */
public record ErnMessage(
    Version version,
    String profile,
    String variant,
    boolean test,
    String messageId,
    String createdAt,
    Sender sender,
    @Nullable Sender onBehalfOf,
    Sender recipient,
    List<Party> parties,
    List<SoundRecording> recordings,
    List<String> others,
    List<Release> releases,
    List<Deal> deals) {

  /** The namespace of what DDEX has no word for: party ids and use types of our own. */
  public static final String NAMESPACE = "org.descant";

  public ErnMessage {
    parties = List.copyOf(parties);
    recordings = List.copyOf(recordings);
    others = List.copyOf(others);
    releases = List.copyOf(releases);
    deals = List.copyOf(deals);
  }

  /** The versions that are read; only 4.3.2 is written. */
  public enum Version {
    ERN_4_3("4.3", "http://ddex.net/xml/ern/43"),
    ERN_4_3_2("4.3.2", "http://ddex.net/xml/ern/432");

    private final String number;
    private final String namespace;

    Version(String number, String namespace) {
      this.number = number;
      this.namespace = namespace;
    }

    public String number() {
      return number;
    }

    public String namespace() {
      return namespace;
    }
  }

  /** A party of the message header, known by its DDEX party id. */
  public record Sender(String dpid, String name) {}

  /** A proprietary id and the namespace it means something in. */
  public record ProprietaryId(String namespace, String value) {}

  public record Party(
      String reference,
      String name,
      String isni,
      String dpid,
      String ipi,
      String ipn,
      List<ProprietaryId> proprietaryIds) {
    public Party {
      proprietaryIds = List.copyOf(proprietaryIds);
    }
  }

  /** A party's part in a recording: a display artist, or a contributor with a DDEX role. */
  public record Contribution(String partyReference, String role, boolean displayArtist) {}

  /** A party that controls a share of a master or of a work; null percent means not said. */
  public record Control(String partyReference, List<String> roles, @Nullable Double percent) {
    public Control {
      roles = List.copyOf(roles);
    }
  }

  /** A delivered file: its place relative to the message and its hash as the sender has it. */
  public record DeliveredFile(String uri, String hashAlgorithm, String hash) {}

  /** A related resource of the same message, or of another ("" reference). */
  public record Relation(String type, String resourceReference) {}

  /** One edition of a sound recording; editions with ISRCs of their own are rows of their own. */
  public record SoundRecording(
      String reference,
      String type,
      boolean supplemental,
      String isrc,
      List<ProprietaryId> proprietaryIds,
      String title,
      String versionTitle,
      String displayArtist,
      List<Contribution> contributions,
      List<String> iswcs,
      List<Control> controllers,
      List<Control> workControllers,
      String pLine,
      double seconds,
      String containsAi,
      List<DeliveredFile> files,
      List<Relation> relations) {
    public SoundRecording {
      proprietaryIds = List.copyOf(proprietaryIds);
      contributions = List.copyOf(contributions);
      iswcs = List.copyOf(iswcs);
      controllers = List.copyOf(controllers);
      workControllers = List.copyOf(workControllers);
      files = List.copyOf(files);
      relations = List.copyOf(relations);
    }

    /** Whether this is a stem of another recording of the message. */
    public boolean stem() {
      return type.equals("AudioStem");
    }
  }

  /** A release or, when {@code track}, the track release of one recording. */
  public record Release(
      String reference,
      boolean track,
      String type,
      String icpn,
      String grid,
      List<ProprietaryId> proprietaryIds,
      String title,
      String displayArtist,
      List<String> labelReferences,
      String genre,
      String subGenre,
      String keywords,
      String synopsis,
      List<String> resourceReferences) {
    public Release {
      proprietaryIds = List.copyOf(proprietaryIds);
      labelReferences = List.copyOf(labelReferences);
      resourceReferences = List.copyOf(resourceReferences);
    }
  }

  /** A use type as written; namespace and user-defined value are "" for DDEX's own. */
  public record UseType(String value, String namespace, String userDefined) {

    /**
     * The use of ours that it grants, or null. DDEX has a word for training only; the rest comes as
     * {@code UserDefined} in our {@link #NAMESPACE}.
     */
    public @Nullable Use grants() {
      if (value.equals("UseForTrainingGenerativeAI")) {
        return Use.TRAIN;
      }
      if (value.equals("UserDefined") && namespace.equals(NAMESPACE)) {
        for (Use use : Use.values()) {
          if (use.name().equals(userDefined)) {
            return use;
          }
        }
      }
      return null;
    }

    static UseType of(Use use) {
      return use == Use.TRAIN
          ? new UseType("UseForTrainingGenerativeAI", "", "")
          : new UseType("UserDefined", NAMESPACE, use.name());
    }
  }

  /**
   * The terms of one deal over the named releases.
   *
   * @param territories ISO 3166-1 codes or {@code Worldwide}; when {@code excluded}, all but these
   * @param from first day, null when the message gives no full date
   * @param to last day, null when it is open
   * @param limit why the deal can grant us nothing, "" when nothing speaks against it
   */
  public record Deal(
      List<String> releaseReferences,
      List<String> territories,
      boolean excluded,
      @Nullable LocalDate from,
      @Nullable LocalDate to,
      List<String> commercialModels,
      List<UseType> useTypes,
      String limit) {
    public Deal {
      releaseReferences = List.copyOf(releaseReferences);
      territories = List.copyOf(territories);
      commercialModels = List.copyOf(commercialModels);
      useTypes = List.copyOf(useTypes);
    }

    /** The uses of ours that the deal names. */
    public Set<Use> uses() {
      EnumSet<Use> uses = EnumSet.noneOf(Use.class);
      for (UseType useType : useTypes) {
        Use use = useType.grants();
        if (use != null) {
          uses.add(use);
        }
      }
      return uses;
    }
  }

  /** Party by reference. */
  Map<String, Party> partiesByReference() {
    Map<String, Party> map = new LinkedHashMap<>();
    parties.forEach(party -> map.putIfAbsent(party.reference(), party));
    return map;
  }

  /** The releases, track releases first, that hold a resource. */
  List<Release> releasesOf(String resourceReference) {
    List<Release> holding = new ArrayList<>();
    for (Release release : releases) {
      if (release.resourceReferences().contains(resourceReference)) {
        holding.add(holding.isEmpty() || !release.track() ? holding.size() : 0, release);
      }
    }
    return holding;
  }

  /** The deals over any of the releases that hold a resource. */
  List<Deal> dealsOf(String resourceReference) {
    List<String> holding = releasesOf(resourceReference).stream().map(Release::reference).toList();
    return deals.stream()
        .filter(deal -> deal.releaseReferences().stream().anyMatch(holding::contains))
        .toList();
  }
}
