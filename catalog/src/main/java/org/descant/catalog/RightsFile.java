package org.descant.catalog;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.Function;
import org.descant.rights.Agreement;
import org.descant.rights.AgreementKind;
import org.descant.rights.Choice;
import org.descant.rights.Contributor;
import org.descant.rights.Isni;
import org.descant.rights.Isrc;
import org.descant.rights.Party;
import org.descant.rights.Recording;
import org.descant.rights.RightType;
import org.descant.rights.RightsException;
import org.descant.rights.Scope;
import org.descant.rights.Share;
import org.descant.rights.Terms;
import org.descant.rights.Use;
import org.descant.rights.Work;
import org.descant.storage.WriteAside;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * {@code rights.json}: what a delivery says of rights and DDEX ERN has no place for. It lies beside
 * the message. ERN's deals speak for the master only; the works, their owners, the agreements of
 * those and everybody's choices come here.
 *
 * <pre>{@code
 * { "format": "descant-rights/1",
 *   "parties":    [{ "id": "mara-quill", "name": "Mara Quill", "fictional": true, "isni": "..." }],
 *   "works":      [{ "id": "T-999.000.001-6", "title": "Low Tide",
 *                    "contributors": [{ "party": "mara-quill", "role": "Composer" }],
 *                    "shares": [{ "party": "mara-quill", "basisPoints": 10000 }] }],
 *   "recordings": [{ "isrc": "ZZ-DSC-26-00001", "works": ["T-999.000.001-6"],
 *                    "contributors": [{ "party": "mara-quill", "role": "Producer" }],
 *                    "shares": [{ "party": "mara-quill", "basisPoints": 10000 }] }],
 *   "agreements": [{ "id": "songs-2026", "kind": "LICENCE", "licensor": "mara-quill",
 *                    "uses": ["TRAIN", "STYLE"], "scope": "all",
 *                    "from": "2026-01-01", "to": "2026-12-31", "territories": ["Worldwide"],
 *                    "terms": { "platformFeeBasisPoints": 3000, "masterSideBasisPoints": 6000,
 *                               "contributorPoolBasisPoints": 2000, "runOffDays": 0,
 *                               "creditRequired": true, "paymentDue": true } }],
 *   "choices":    [{ "party": "mara-quill", "use": "STYLE", "scope": "recording:ZZ-DSC-26-00001",
 *                    "allowed": false, "from": "2026-02-01" }] }
 * }</pre>
 *
 * <p>{@code format} must be there; every list may be missing. {@code fictional}, {@code isni},
 * {@code to} and {@code terms} may be missing (false, none, open, the standard terms of the kind),
 * and so may a recording's lists: then the message's own word stands. A scope is {@code all},
 * {@code recording:<ISRC>} or {@code work:<id>}. Anything else is an error that names its place: a
 * key that we do not know could be a condition that we would not keep.
 */
public record RightsFile(
    List<Party> parties,
    List<Work> works,
    List<RecordingRights> recordings,
    List<Agreement> agreements,
    List<Choice> choices) {
  /** The name of the file in a delivery. */
  public static final String NAME = "rights.json";

  static final String FORMAT = "descant-rights/1";
  static final long FILE_BYTES_MAX = 32L << 20;
  static final int LIST_MAX = 200_000;

  /** What a delivery that has no {@code rights.json} says. */
  static final RightsFile EMPTY =
      new RightsFile(List.of(), List.of(), List.of(), List.of(), List.of());

  private static final JsonMapper JSON =
      JsonMapper.builder(
              JsonFactory.builder()
                  .streamReadConstraints(
                      StreamReadConstraints.builder()
                          .maxNestingDepth(16)
                          .maxStringLength(10_000)
                          .maxDocumentLength(FILE_BYTES_MAX)
                          .build())
                  .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                  .build())
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  public RightsFile {
    parties = List.copyOf(parties);
    works = List.copyOf(works);
    recordings = List.copyOf(recordings);
    agreements = List.copyOf(agreements);
    choices = List.copyOf(choices);
  }

  /**
   * Who is behind a recording; an empty list says nothing.
   *
   * @param shares of {@link RightType#MASTER} only
   */
  public record RecordingRights(
      Isrc isrc, List<String> works, List<Contributor> contributors, List<Share> shares) {
    public RecordingRights {
      works = works.stream().map(Work::normalId).toList();
      contributors = List.copyOf(contributors);
      shares = List.copyOf(shares);
    }
  }

  /**
   * Reads and checks a file.
   *
   * @throws CatalogException in one sentence that names the place of the fault
   */
  public static RightsFile read(Path file) {
    try {
      if (Files.size(file) > FILE_BYTES_MAX) {
        throw new CatalogException(
            "%s has %d bytes, more than %d; split the delivery."
                .formatted(file, Files.size(file), FILE_BYTES_MAX));
      }
      return parse(Files.readAllBytes(file), file.toString());
    } catch (IOException e) {
      throw new CatalogException("Cannot read %s: %s.".formatted(file, e.getMessage()), e);
    }
  }

  static RightsFile parse(byte[] json, String what) {
    JsonNode root;
    try {
      root = JSON.readTree(json);
    } catch (JacksonException e) {
      throw new CatalogException(
          "%s is not JSON that can be read: %s."
              .formatted(what, Text.shorten(String.valueOf(e.getOriginalMessage()), 200)),
          e);
    }
    return file(new At(what, "", root));
  }

  private static RightsFile file(At root) {
    root.allow("format", "parties", "works", "recordings", "agreements", "choices");
    String format = root.get("format").text();
    if (!format.equals(FORMAT)) {
      throw root.get("format").fault("must be '%s', is '%s'".formatted(FORMAT, format));
    }
    return new RightsFile(
        root.list("parties", RightsFile::party),
        root.list("works", RightsFile::work),
        root.list("recordings", RightsFile::recording),
        root.list("agreements", RightsFile::agreement),
        root.list("choices", RightsFile::choice));
  }

  private static Party party(At at) {
    at.allow("id", "name", "fictional", "isni");
    return new Party(
        at.get("id").text(),
        at.get("name").text(),
        at.has("fictional") && at.get("fictional").flag(),
        at.has("isni") ? Isni.of(at.get("isni").text()) : null);
  }

  private static Work work(At at) {
    at.allow("id", "title", "contributors", "shares");
    return new Work(
        at.get("id").text(),
        at.get("title").text(),
        at.list("contributors", RightsFile::contributor),
        at.list("shares", share -> share(share, RightType.PUBLISHING)));
  }

  private static RecordingRights recording(At at) {
    at.allow("isrc", "works", "contributors", "shares");
    RecordingRights rights =
        new RecordingRights(
            Isrc.of(at.get("isrc").text()),
            at.list("works", At::text),
            at.list("contributors", RightsFile::contributor),
            at.list("shares", share -> share(share, RightType.MASTER)));
    // The rules for a recording's parts are those of rights; this one is only asked for them.
    new Recording(
        rights.isrc(),
        "title",
        "artist",
        0,
        null,
        rights.works(),
        rights.contributors(),
        rights.shares(),
        "not here yet");
    return rights;
  }

  private static Contributor contributor(At at) {
    at.allow("party", "role");
    return new Contributor(at.get("party").text(), at.get("role").text());
  }

  private static Share share(At at, RightType type) {
    at.allow("party", "basisPoints");
    return new Share(at.get("party").text(), type, at.get("basisPoints").integer());
  }

  private static Agreement agreement(At at) {
    at.allow("id", "kind", "licensor", "uses", "scope", "from", "to", "territories", "terms");
    AgreementKind kind = at.get("kind").oneOf(AgreementKind.values());
    Set<Use> uses = EnumSet.noneOf(Use.class);
    uses.addAll(at.list("uses", use -> use.oneOf(Use.values())));
    Terms standard = kind == AgreementKind.PUBLIC_DOMAIN ? Terms.PUBLIC_DOMAIN : Terms.STANDARD;
    Set<String> territories = new LinkedHashSet<>(at.list("territories", At::text));
    return new Agreement(
        at.get("id").text(),
        kind,
        at.get("licensor").text(),
        uses,
        at.get("scope").scope(),
        at.get("from").date(),
        at.has("to") ? at.get("to").date() : null,
        territories.isEmpty() ? Set.of(Agreement.WORLDWIDE) : territories,
        at.has("terms") ? terms(at.get("terms")) : standard);
  }

  private static Terms terms(At at) {
    at.allow(
        "platformFeeBasisPoints",
        "masterSideBasisPoints",
        "contributorPoolBasisPoints",
        "runOffDays",
        "creditRequired",
        "paymentDue");
    return new Terms(
        at.get("platformFeeBasisPoints").integer(),
        at.get("masterSideBasisPoints").integer(),
        at.get("contributorPoolBasisPoints").integer(),
        at.get("runOffDays").integer(),
        at.get("creditRequired").flag(),
        at.get("paymentDue").flag());
  }

  private static Choice choice(At at) {
    at.allow("party", "use", "scope", "allowed", "from");
    return new Choice(
        at.get("party").text(),
        at.get("use").oneOf(Use.values()),
        at.get("scope").scope(),
        at.get("allowed").flag(),
        at.get("from").date());
  }

  /** Writes the file aside and renames it; {@link #read} gives an equal one back. */
  public void write(Path file) {
    WriteAside.write(file, toJson());
  }

  /** The same content gives the same text. */
  String toJson() {
    ObjectNode root = JSON.createObjectNode();
    root.put("format", FORMAT);
    ArrayNode partyNodes = root.putArray("parties");
    for (Party party : parties) {
      ObjectNode node = partyNodes.addObject().put("id", party.id()).put("name", party.name());
      node.put("fictional", party.fictional());
      if (party.isni() != null) {
        node.put("isni", party.isni().toString());
      }
    }
    ArrayNode workNodes = root.putArray("works");
    for (Work work : works) {
      ObjectNode node = workNodes.addObject().put("id", work.id()).put("title", work.title());
      contributors(node, work.contributors());
      shares(node, work.shares());
    }
    ArrayNode recordingNodes = root.putArray("recordings");
    for (RecordingRights recording : recordings) {
      ObjectNode node = recordingNodes.addObject().put("isrc", recording.isrc().formatted());
      recording.works().forEach(node.putArray("works")::add);
      contributors(node, recording.contributors());
      shares(node, recording.shares());
    }
    ArrayNode agreementNodes = root.putArray("agreements");
    agreements.forEach(agreement -> agreement(agreementNodes.addObject(), agreement));
    ArrayNode choiceNodes = root.putArray("choices");
    for (Choice choice : choices) {
      choiceNodes
          .addObject()
          .put("party", choice.partyId())
          .put("use", choice.use().name())
          .put("scope", choice.scope().toString())
          .put("allowed", choice.allowed())
          .put("from", choice.from().toString());
    }
    return JSON.writerWithDefaultPrettyPrinter().writeValueAsString(root) + "\n";
  }

  private static void contributors(ObjectNode node, List<Contributor> contributors) {
    ArrayNode array = node.putArray("contributors");
    for (Contributor contributor : contributors) {
      array.addObject().put("party", contributor.partyId()).put("role", contributor.role());
    }
  }

  private static void shares(ObjectNode node, List<Share> shares) {
    ArrayNode array = node.putArray("shares");
    for (Share share : shares) {
      array.addObject().put("party", share.partyId()).put("basisPoints", share.basisPoints());
    }
  }

  private static void agreement(ObjectNode node, Agreement agreement) {
    node.put("id", agreement.id()).put("kind", agreement.kind().name());
    node.put("licensor", agreement.licensor());
    ArrayNode uses = node.putArray("uses");
    agreement.uses().forEach(use -> uses.add(use.name()));
    node.put("scope", agreement.scope().toString()).put("from", agreement.from().toString());
    if (agreement.to() != null) {
      node.put("to", agreement.to().toString());
    }
    agreement.territories().forEach(node.putArray("territories")::add);
    Terms terms = agreement.terms();
    node.putObject("terms")
        .put("platformFeeBasisPoints", terms.platformFeeBasisPoints())
        .put("masterSideBasisPoints", terms.masterSideBasisPoints())
        .put("contributorPoolBasisPoints", terms.contributorPoolBasisPoints())
        .put("runOffDays", terms.runOffDays())
        .put("creditRequired", terms.creditRequired())
        .put("paymentDue", terms.paymentDue());
  }

  /** A place in the document, for reading and for saying where a fault is. */
  private record At(String what, String path, JsonNode node) {

    CatalogException fault(String problem) {
      return new CatalogException(
          "%s: %s %s.".formatted(what, path.isEmpty() ? "the document" : path, problem));
    }

    void allow(String... keys) {
      if (!node.isObject()) {
        throw fault("must be an object");
      }
      List<String> known = List.of(keys);
      for (String key : node.propertyNames()) {
        if (!known.contains(key)) {
          throw fault(
              "has the unknown key '%s'; it may have %s"
                  .formatted(Text.shorten(key, 40), String.join(", ", known)));
        }
      }
    }

    boolean has(String key) {
      JsonNode value = node.get(key);
      return value != null && !value.isNull();
    }

    At get(String key) {
      JsonNode value = node.get(key);
      if (value == null || value.isNull()) {
        throw fault("has no '%s'".formatted(key));
      }
      return new At(what, path.isEmpty() ? key : path + "." + key, value);
    }

    /** The items of a list that may be missing; a fault in an item's values names the item. */
    <T> List<T> list(String key, Function<At, T> read) {
      if (!has(key)) {
        return List.of();
      }
      At list = get(key);
      if (!list.node.isArray()) {
        throw list.fault("must be a list");
      }
      if (list.node.size() > LIST_MAX) {
        throw list.fault("has %d items, more than %d".formatted(list.node.size(), LIST_MAX));
      }
      List<T> items = new ArrayList<>();
      for (int i = 0; i < list.node.size(); i++) {
        At item = new At(what, "%s[%d]".formatted(list.path, i), list.node.get(i));
        try {
          items.add(read.apply(item));
        } catch (RightsException e) {
          throw item.fault("is refused: " + withoutStop(String.valueOf(e.getMessage())));
        }
      }
      return items;
    }

    String text() {
      if (!node.isString()) {
        throw fault("must be a text");
      }
      String text = node.stringValue();
      if (!text.equals(Text.clean(text)) || text.isEmpty()) {
        throw fault("must be a text without control characters or blanks at its ends");
      }
      return text;
    }

    int integer() {
      if (!node.isIntegralNumber() || !node.canConvertToInt()) {
        throw fault("must be a whole number");
      }
      return node.intValue();
    }

    boolean flag() {
      if (!node.isBoolean()) {
        throw fault("must be true or false");
      }
      return node.booleanValue();
    }

    LocalDate date() {
      try {
        return LocalDate.parse(text());
      } catch (DateTimeException e) {
        throw fault("must be a date such as 2026-01-01");
      }
    }

    Scope scope() {
      String text = text();
      if (!text.equals("all") && !text.startsWith("recording:") && !text.startsWith("work:")) {
        throw fault("must be 'all', 'recording:<ISRC>' or 'work:<id>'");
      }
      return Scope.parse(text);
    }

    <E extends Enum<E>> E oneOf(E[] values) {
      String text = text().toUpperCase(Locale.ROOT);
      for (E value : values) {
        if (value.name().equals(text)) {
          return value;
        }
      }
      throw fault("must be one of %s".formatted(List.of(values)));
    }

    private static String withoutStop(@Nullable String sentence) {
      String text = String.valueOf(sentence);
      return text.endsWith(".") ? text.substring(0, text.length() - 1) : text;
    }
  }
}
