package org.descant.catalog;

import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.descant.audio.MusicAnnotations;
import org.descant.audio.analysis.Fingerprint;
import org.descant.catalog.AudioIntake.Result;
import org.descant.catalog.AudioIntake.Sound;
import org.descant.catalog.CatalogEntry.Stem;
import org.descant.catalog.ImportReport.Item;
import org.descant.catalog.Shipment.Behind;
import org.descant.catalog.Shipment.Candidate;
import org.descant.catalog.Shipment.Message;
import org.descant.catalog.Shipment.ReleaseRow;
import org.descant.database.Database;
import org.descant.rights.Agreement;
import org.descant.rights.Choice;
import org.descant.rights.Fact;
import org.descant.rights.Isrc;
import org.descant.rights.Party;
import org.descant.rights.Recording;
import org.descant.rights.Rights;
import org.descant.rights.RightsException;
import org.descant.rights.Scope;
import org.descant.rights.Work;
import org.jdbi.v3.core.Handle;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;

/** Writes one opened shipment into rights and catalogue, and reports on it. One use only. */
final class Registrar {
  /** The advisory lock of this module: "CATALOG" as bytes. Imports take turns. */
  private static final long LOCK = 0x434154414C4F47L;

  /** The deliverer of every CSV table: whoever works at this machine. */
  private static final String TABLE = "table";

  private static final int LOCAL_ISRC_ATTEMPTS = 100;
  private static final double TRIMMED_SECONDS_MAX = 3;
  private static final double TRIMMED_PART_MAX = 0.1;
  private static final double STATED_APART_SECONDS = 2;
  private static final double STATED_APART_PART = 0.02;
  private static final JsonMapper JSON = JsonMapper.shared();

  private final Database database;
  private final Rights rights;
  private final Shipment shipment;
  private final boolean metadataOnly;
  private final String deliverer;

  private final List<Item> items = new ArrayList<>();
  private final Set<String> notes = new LinkedHashSet<>();
  private final List<Row> rows = new ArrayList<>();
  private final List<Fact> recordings = new ArrayList<>();
  private final Map<String, Work> hearsayWorks = new LinkedHashMap<>();
  private final List<Agreement> agreements = new ArrayList<>();
  private final Map<String, Isrc> firstBySound = new LinkedHashMap<>();
  private final Set<String> here = new HashSet<>();
  private final Set<String> told = new LinkedHashSet<>();
  private @Nullable List<Heard> heard;

  Registrar(Database database, Rights rights, Shipment shipment, boolean metadataOnly) {
    this.database = database;
    this.rights = rights;
    this.shipment = shipment;
    this.metadataOnly = metadataOnly;
    this.deliverer = shipment.message() == null ? TABLE : shipment.message().sender();
  }

  /** A recording that is in the catalogue, or comes with this shipment, as it sounds. */
  private record Heard(Isrc isrc, double seconds, Fingerprint fingerprint) {}

  /** A row to be written; the sound is null while there is none. */
  private record Row(
      Isrc isrc,
      Candidate candidate,
      CatalogEntry.Status status,
      String reason,
      @Nullable Isrc duplicateOf,
      @Nullable Sound sound) {}

  ImportReport register(List<Result> results) {
    items.addAll(shipment.items());
    notes.addAll(shipment.notes());
    int[] counts = new int[2];
    try {
      register(results, counts);
    } catch (RightsException e) {
      throw new CatalogException(
          "%s cannot be taken: %s.".formatted(shipment.source(), withoutStop(e)), e);
    }
    return new ImportReport(
        shipment.source(), shipment.kind(), items, List.copyOf(notes), counts[0], counts[1]);
  }

  private void register(List<Result> results, int[] counts) {
    database
        .jdbi()
        .useTransaction(handle -> {
          handle.execute("select pg_advisory_xact_lock(?)", LOCK);
          for (Result result : results) {
            judge(handle, result);
          }
          recordRights(handle, counts);
          rows.forEach(row -> write(handle, row));
          shipment.releases().forEach(release -> write(handle, release));
        });
  }

  /** Decides what a result is: a row, facts and an item of the report. */
  private void judge(Handle handle, Result result) {
    Candidate candidate = result.candidate();
    result.notes().forEach(note -> items.add(Item.blocked(candidate.name(), null, note)));
    Isrc isrc = candidate.isrc() == null ? localIsrc(handle, result) : candidate.isrc();
    if (!here.add(isrc.value())) {
      items.add(
          item(
              ImportReport.Status.DUPLICATE,
              candidate,
              isrc,
              0,
              "is the same file as another one of this delivery",
              isrc));
      return;
    }
    String other = otherDeliverer(handle, isrc);
    if (!other.isEmpty()) {
      items.add(
          item(
              ImportReport.Status.BLOCKED,
              candidate,
              isrc,
              candidate.statedSeconds(),
              "came from '%s' before, who alone may deliver it again; settle with them whose it is"
                  .formatted(other),
              null));
      return;
    }
    Optional<CatalogEntry> known = Catalog.find(handle, isrc);
    Sound sound = result.sound();
    String problem = candidate.block().isEmpty() ? result.problem() : candidate.block();
    CatalogEntry ready =
        known
            .filter(entry ->
                entry.status() == CatalogEntry.Status.READY
                    || entry.status() == CatalogEntry.Status.DUPLICATE)
            .orElse(null);
    if (ready != null) {
      again(candidate, ready, result, problem);
    } else if (sound == null && problem.isEmpty()) {
      String reason = candidate.missing();
      rows.add(new Row(isrc, candidate, CatalogEntry.Status.WAITING, reason, null, null));
      facts(candidate, isrc, null, candidate.statedSeconds(), reason);
      items.add(
          item(
              metadataOnly ? ImportReport.Status.WAITING : ImportReport.Status.BLOCKED,
              candidate,
              isrc,
              candidate.statedSeconds(),
              reason,
              null));
    } else if (!problem.isEmpty()) {
      rows.add(new Row(isrc, candidate, CatalogEntry.Status.BLOCKED, problem, null, sound));
      facts(
          candidate,
          isrc,
          sound == null ? null : sound.pcmHash(),
          sound == null ? candidate.statedSeconds() : sound.seconds(),
          problem);
      items.add(
          item(
              ImportReport.Status.BLOCKED,
              candidate,
              isrc,
              sound == null ? candidate.statedSeconds() : sound.seconds(),
              problem,
              null));
    } else if (sound != null) {
      arrived(handle, candidate, isrc, sound);
    }
  }

  /** Who delivered an ISRC before, if it was somebody else; else "". */
  private String otherDeliverer(Handle handle, Isrc isrc) {
    return handle
        .createQuery(
            "select deliverer from catalog.recording where isrc = :isrc and deliverer not in (:me,"
                + " '')")
        .bind("isrc", isrc.value())
        .bind("me", deliverer)
        .mapTo(String.class)
        .findOne()
        .orElse("");
  }

  /** Good audio under an ISRC that has none yet. */
  private void arrived(Handle handle, Candidate candidate, Isrc isrc, Sound sound) {
    Isrc first = sameSound(handle, isrc, sound);
    if (first == null) {
      rows.add(new Row(isrc, candidate, CatalogEntry.Status.READY, "", null, sound));
      firstBySound.put(sound.pcmHash(), isrc);
      heard(handle).add(new Heard(isrc, sound.seconds(), sound.fingerprint()));
      facts(candidate, isrc, sound.pcmHash(), sound.seconds(), null);
      compareLength(candidate, isrc, sound.seconds());
      items.add(item(ImportReport.Status.IMPORTED, candidate, isrc, sound.seconds(), "", null));
      return;
    }
    String reason = "is the same recording as " + first;
    rows.add(new Row(isrc, candidate, CatalogEntry.Status.DUPLICATE, reason, first, sound));
    facts(candidate, isrc, sound.pcmHash(), sound.seconds(), reason);
    items.add(item(ImportReport.Status.DUPLICATE, candidate, isrc, sound.seconds(), reason, first));
  }

  /** A length that is far from what the message states may be another recording's. */
  private void compareLength(Candidate candidate, Isrc isrc, double seconds) {
    double stated = candidate.statedSeconds();
    if (stated > 0
        && Math.abs(stated - seconds)
            > Math.max(STATED_APART_SECONDS, STATED_APART_PART * stated)) {
      notes.add(
          "%s lasts %.1f s where the delivery says %.1f s: see that it is the right file."
              .formatted(isrc, seconds, stated));
    }
  }

  /** A recording that has its audio comes again. */
  private void again(Candidate candidate, CatalogEntry entry, Result result, String problem) {
    Sound sound = result.sound();
    boolean other = sound != null && !sound.pcmHash().equals(entry.pcmHash());
    if (other || !problem.isEmpty()) {
      items.add(
          item(
              ImportReport.Status.BLOCKED,
              candidate,
              entry.isrc(),
              entry.seconds(),
              other
                  ? "is in the catalogue with other audio, which stays; give new audio an ISRC of"
                      + " its own"
                  : problem + "; the catalogue keeps what it has",
              null));
      return;
    }
    facts(
        candidate,
        entry.isrc(),
        entry.pcmHash(),
        entry.seconds(),
        entry.reason().isEmpty() ? null : entry.reason());
    if (sound != null && sound.stems().size() > entry.stems().size()) {
      rows.add(
          new Row(
              entry.isrc(), candidate, entry.status(), entry.reason(), entry.duplicateOf(), sound));
    }
    boolean duplicate = entry.status() == CatalogEntry.Status.DUPLICATE;
    items.add(
        item(
            duplicate ? ImportReport.Status.DUPLICATE : ImportReport.Status.ALREADY_THERE,
            candidate,
            entry.isrc(),
            entry.seconds(),
            duplicate ? entry.reason() : "is in the catalogue already",
            entry.duplicateOf()));
  }

  private static Item item(
      ImportReport.Status status,
      Candidate candidate,
      Isrc isrc,
      double seconds,
      String message,
      @Nullable Isrc duplicateOf) {
    return new Item(
        status,
        candidate.name(),
        isrc.value(),
        candidate.title(),
        candidate.artist(),
        seconds,
        message,
        duplicateOf == null ? null : duplicateOf.value());
  }

  /** The first place of the content that no other content has. */
  private Isrc localIsrc(Handle handle, Result result) {
    for (int attempt = 0; attempt < LOCAL_ISRC_ATTEMPTS; attempt++) {
      Isrc isrc = Isrc.of(Identifiers.localIsrc(result.contentHash(), attempt));
      Optional<CatalogEntry> taken = Catalog.find(handle, isrc);
      Sound sound = result.sound();
      if (taken.isEmpty()
          || result.unchanged()
          || sound == null
          || sound.pcmHash().equals(taken.get().pcmHash())) {
        return isrc;
      }
    }
    throw new CatalogException(
        "No local ISRC is free for %s; give it one of its own."
            .formatted(result.candidate().name()));
  }

  /** The recording that sounds the same and was here first, or null. */
  private @Nullable Isrc sameSound(Handle handle, Isrc isrc, Sound sound) {
    Isrc here = firstBySound.get(sound.pcmHash());
    if (here != null) {
      return here;
    }
    Optional<Isrc> exact =
        handle
            .createQuery(
                """
                select isrc from catalog.recording
                where pcm_hash = :hash and status = 'READY' and isrc <> :isrc
                order by imported_at, isrc limit 1
                """)
            .bind("hash", sound.pcmHash())
            .bind("isrc", isrc.value())
            .mapTo(String.class)
            .findOne()
            .map(Isrc::new);
    if (exact.isPresent()) {
      return exact.get();
    }
    for (Heard other : heard(handle)) {
      if (!other.isrc().equals(isrc)
          && likelyLength(other.seconds(), sound.seconds())
          && other.fingerprint().isSameRecordingAs(sound.fingerprint())) {
        return other.isrc();
      }
    }
    return null;
  }

  /** An edit of another length is a recording of its own; a trimmed silence is not. */
  private static boolean likelyLength(double first, double second) {
    return Math.abs(first - second)
        <= Math.max(TRIMMED_SECONDS_MAX, TRIMMED_PART_MAX * Math.max(first, second));
  }

  private List<Heard> heard(Handle handle) {
    if (heard == null) {
      heard =
          handle
              .createQuery(
                  """
                  select isrc, seconds, fingerprint from catalog.recording
                  where status = 'READY' order by imported_at, isrc
                  """)
              .map((row, context) ->
                  new Heard(
                      new Isrc(row.getString("isrc")),
                      row.getDouble("seconds"),
                      Fingerprint.fromBytes(row.getBytes("fingerprint"))))
              .collect(Collectors.toCollection(ArrayList::new));
    }
    return heard;
  }

  private void facts(
      Candidate candidate,
      Isrc isrc,
      @Nullable String pcmHash,
      double seconds,
      @Nullable String blockedReason) {
    told.add(isrc.value());
    Behind behind = candidate.behind().apply(isrc);
    behind.works().forEach(work -> hearsayWorks.putIfAbsent(work.id(), work));
    recordings.add(
        new Recording(
            isrc,
            candidate.title(),
            candidate.artist(),
            seconds,
            pcmHash,
            behind.workIds(),
            behind.contributors(),
            behind.shares(),
            blockedReason == null ? null : Text.shorten(blockedReason, 900)));
    agreements.addAll(behind.agreements());
  }

  /**
   * Parties, works, recordings; then every no before any yes, so that no moment is laxer than the
   * end. {@code counts} gets the new agreements and choices.
   */
  private void recordRights(Handle handle, int[] counts) {
    List<Fact> facts = new ArrayList<>();
    Set<String> parties = new HashSet<>();
    for (Party party : shipment.parties()) {
      parties.add(party.id());
      facts.add(party);
    }
    for (Party party : shipment.hearsay()) {
      if (parties.add(party.id()) && rights.party(party.id()).isEmpty()) {
        facts.add(party);
      }
    }
    Set<String> works = new HashSet<>();
    for (Work work : shipment.works()) {
      works.add(work.id());
      facts.add(work);
    }
    for (Work work : hearsayWorks.values()) {
      if (works.add(work.id()) && rights.work(work.id()).isEmpty()) {
        facts.add(work);
      }
    }
    facts.addAll(recordings);

    boolean heardBefore =
        shipment.rightsDigest().isEmpty() || taken(handle, shipment.rightsDigest());
    List<Choice> choices = heardBefore ? List.of() : newChoices();
    List<Agreement> granted = new ArrayList<>(deals(handle));
    boolean whole = true;
    if (!heardBefore) {
      for (Agreement agreement : shipment.agreements()) {
        if (known(agreement.scope(), "agreement " + agreement.id())) {
          granted.add(agreement);
        } else {
          whole = false;
        }
      }
    }
    List<Choice> kept =
        choices.stream()
            .filter(choice -> known(choice.scope(), "choice of " + choice.partyId()))
            .toList();
    facts.addAll(kept);
    facts.addAll(granted);
    counts[0] =
        (int)
            granted.stream()
                .filter(a -> !rights.agreement(a.id()).map(a::equals).orElse(false))
                .count();
    counts[1] = kept.size();
    for (int from = 0; from < facts.size(); from += Rights.FACTS_MAX) {
      rights.record(facts.subList(from, Math.min(facts.size(), from + Rights.FACTS_MAX)));
    }
    if (whole && kept.size() == choices.size() && !heardBefore) {
      handle.execute(
          "insert into catalog.taken (digest) values (?) on conflict do nothing",
          shipment.rightsDigest());
    }
  }

  private static String withoutStop(RightsException e) {
    String text = String.valueOf(e.getMessage());
    return text.endsWith(".") ? text.substring(0, text.length() - 1) : text;
  }

  private static boolean taken(Handle handle, String digest) {
    return handle
        .createQuery("select exists (select from catalog.taken where digest = :digest)")
        .bind("digest", digest)
        .mapTo(Boolean.class)
        .one();
  }

  /** Choices that nobody has made before: a delivery does not undo what was chosen since. */
  private List<Choice> newChoices() {
    if (shipment.choices().isEmpty()) {
      return List.of();
    }
    Set<Choice> made = new HashSet<>();
    rights.choices().forEach(recorded -> made.add(recorded.choice()));
    return shipment.choices().stream().filter(choice -> !made.contains(choice)).toList();
  }

  /** Whether a scope names what is registered, or is by this shipment; a note says when not. */
  private boolean known(Scope scope, String what) {
    boolean known =
        switch (scope) {
          case Scope.All() -> true;
          case Scope.OfRecording(Isrc isrc) ->
              here.contains(isrc.value()) || rights.recording(isrc).isPresent();
          case Scope.OfWork(String work) ->
              shipment.works().stream().anyMatch(w -> w.id().equals(work))
                  || hearsayWorks.containsKey(work)
                  || rights.work(work).isPresent();
        };
    if (!known) {
      notes.add(
          "The %s is about %s, which is not here; deliver it with that.".formatted(what, scope));
    }
    return known;
  }

  /**
   * The agreements of this message's deals, and the ends of those that an earlier message of the
   * same sender gave and this one does not: DDEX's later message replaces the earlier.
   */
  private List<Agreement> deals(Handle handle) {
    Message message = shipment.message();
    if (message == null) {
      return agreements;
    }
    String[] isrcs = told.toArray(String[]::new);
    OffsetDateTime created = message.createdAt().atOffset(ZoneOffset.UTC);
    Optional<String> later =
        handle
            .createQuery(
                """
                select message_id from catalog.message
                where sender = :sender and created_at > :created and isrcs && cast(:isrcs as text[])
                order by created_at desc limit 1
                """)
            .bind("sender", message.sender())
            .bind("created", created)
            .bind("isrcs", isrcs)
            .mapTo(String.class)
            .findOne();
    if (later.isPresent() || !message.deals()) {
      later.ifPresent(id ->
          notes.add(
              "Message %s is older than %s, which is taken already: its deals change nothing."
                  .formatted(message.messageId(), id)));
      return List.of();
    }
    Set<String> ids = new HashSet<>();
    agreements.forEach(agreement -> ids.add(agreement.id()));
    List<Agreement> all = new ArrayList<>(agreements);
    handle
        .createQuery(
            "select agreement from catalog.dealt where sender = :sender and isrc = any(:isrcs)")
        .bind("sender", message.sender())
        .bind("isrcs", isrcs)
        .mapTo(String.class)
        .list()
        .stream()
        .filter(id -> !ids.contains(id))
        .flatMap(id -> rights.agreement(id).stream())
        .map(dropped -> ErnDoor.ended(dropped, message.createdAt()))
        .forEach(all::add);
    for (Agreement agreement : agreements) {
      if (agreement.scope() instanceof Scope.OfRecording(Isrc isrc)) {
        handle.execute(
            "insert into catalog.dealt values (?, ?, ?) on conflict do nothing",
            agreement.id(),
            message.sender(),
            isrc.value());
      }
    }
    handle
        .createUpdate(
            """
            insert into catalog.message (sender, message_id, created_at, isrcs)
            values (:sender, :id, :created, :isrcs)
            on conflict (sender, message_id) do update
            set created_at = excluded.created_at, isrcs = excluded.isrcs
            """)
        .bind("sender", message.sender())
        .bind("id", message.messageId())
        .bind("created", created)
        .bind("isrcs", isrcs)
        .execute();
    return all;
  }

  private void write(Handle handle, Row row) {
    Candidate candidate = row.candidate();
    Sound sound = row.sound();
    MusicAnnotations annotations = sound == null ? null : sound.annotations();
    String words =
        String.join(
            " ",
            Catalog.words(
                String.join(
                    " ",
                    candidate.title(),
                    candidate.versionTitle(),
                    candidate.artist(),
                    candidate.genre(),
                    String.join(" ", candidate.tags()),
                    candidate.description(),
                    row.isrc().value())));
    handle
        .createUpdate(
            """
            insert into catalog.recording
              (isrc, title, version_title, artist, status, reason, duplicate_of, seconds,
               sample_rate, channels, pcm_hash, audio_blob, audio_format, lufs, peak, fingerprint,
               genre, tags, description, bpm, music_key, jams, licence, extra, source,
               deliverer, words)
            values
              (:isrc, :title, :version, :artist, :status, :reason, :duplicateOf, :seconds,
               :sampleRate, :channels, :pcmHash, :blob, :format, :lufs, :peak, :fingerprint,
               :genre, :tags, :description, :bpm, :key, :jams, :licence, cast(:extra as jsonb),
               :source, :deliverer, :words)
            on conflict (isrc) do update set
              title = excluded.title, version_title = excluded.version_title,
              artist = excluded.artist, status = excluded.status, reason = excluded.reason,
              duplicate_of = excluded.duplicate_of, seconds = excluded.seconds,
              sample_rate = excluded.sample_rate, channels = excluded.channels,
              pcm_hash = excluded.pcm_hash, audio_blob = excluded.audio_blob,
              audio_format = excluded.audio_format, lufs = excluded.lufs, peak = excluded.peak,
              fingerprint = excluded.fingerprint, genre = excluded.genre, tags = excluded.tags,
              description = excluded.description, bpm = excluded.bpm,
              music_key = excluded.music_key, jams = excluded.jams, licence = excluded.licence,
              extra = excluded.extra, source = excluded.source,
              deliverer = excluded.deliverer, words = excluded.words
            """)
        .bind("isrc", row.isrc().value())
        .bind("title", candidate.title())
        .bind("version", candidate.versionTitle())
        .bind("artist", candidate.artist())
        .bind("status", row.status().name())
        .bind("reason", row.reason())
        .bind("duplicateOf", row.duplicateOf() == null ? null : row.duplicateOf().value())
        .bind("seconds", sound == null ? candidate.statedSeconds() : sound.seconds())
        .bind("sampleRate", sound == null ? 0 : sound.sampleRate())
        .bind("channels", sound == null ? 0 : sound.channels())
        .bind("pcmHash", sound == null ? null : sound.pcmHash())
        .bind("blob", sound == null ? null : sound.blob().value())
        .bind("format", sound == null ? "" : sound.format())
        .bind("lufs", sound == null ? null : finite(sound.lufs()))
        .bind("peak", sound == null ? null : finite(sound.peak()))
        .bind("fingerprint", sound == null ? null : sound.fingerprint().toBytes())
        .bind("genre", candidate.genre())
        .bind("tags", candidate.tags().toArray(String[]::new))
        .bind("description", candidate.description())
        .bind("bpm", annotations == null ? candidate.bpm() : Double.valueOf(annotations.tempoBpm()))
        .bind("key", annotations == null ? candidate.key() : annotations.key().toString())
        .bind("jams", annotations == null ? null : annotations.toJams())
        .bind("licence", candidate.licence())
        .bind("extra", JSON.writeValueAsString(candidate.extra()))
        .bind("source", shipment.source())
        .bind("deliverer", deliverer)
        .bind("words", words)
        .execute();
    if (sound == null) {
      return;
    }
    handle.execute("delete from catalog.stem where isrc = ?", row.isrc().value());
    int position = 0;
    for (Stem stem : sound.stems()) {
      handle.execute(
          "insert into catalog.stem (isrc, position, name, blob, seconds) values (?, ?, ?, ?, ?)",
          row.isrc().value(),
          position++,
          stem.name(),
          stem.blob().value(),
          stem.seconds());
    }
  }

  /** Silence has no loudness: minus infinity is no value for a column. */
  private static @Nullable Double finite(double value) {
    return Double.isFinite(value) ? value : null;
  }

  private static void write(Handle handle, ReleaseRow release) {
    handle
        .createUpdate(
            """
            insert into catalog.release values (:id, :title, :artist, :label, :icpn, :grid, :isrcs)
            on conflict (id) do update set
              title = excluded.title, artist = excluded.artist, label = excluded.label,
              icpn = excluded.icpn, grid = excluded.grid, isrcs = excluded.isrcs
            """)
        .bind("id", release.id())
        .bind("title", release.title())
        .bind("artist", release.artist())
        .bind("label", release.label())
        .bind("icpn", release.icpn())
        .bind("grid", release.grid())
        .bind("isrcs", release.isrcs().toArray(String[]::new))
        .execute();
  }
}
