package org.descant.catalog;

import java.nio.file.Path;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.descant.audio.AudioFile;
import org.descant.audio.MusicAnnotations;
import org.descant.audio.Pcm;
import org.descant.catalog.CatalogEntry.Status;
import org.descant.catalog.CatalogEntry.Stem;
import org.descant.database.Database;
import org.descant.rights.Isrc;
import org.descant.rights.RightsException;
import org.descant.storage.BlobId;
import org.descant.storage.BlobStore;
import org.jdbi.v3.core.Handle;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.json.JsonMapper;

/**
 * The catalogue: lists, searches and shows recordings, and opens their audio for the machinery
 * behind the gates of rights. Thread-safe; any number of processes may share one database.
 *
 * <p>That a recording is here says nothing about what may be done with it.
 */
public final class Catalog {
  /** The schema and migration name of this module. */
  public static final String MODULE = "catalog";

  static final int SEARCH_WORDS_MAX = 16;
  private static final JsonMapper JSON = JsonMapper.shared();
  private static final String COLUMNS =
      "isrc, title, version_title, artist, status, reason, duplicate_of, seconds, sample_rate,"
          + " channels, pcm_hash, audio_blob, audio_format, lufs, peak, genre, tags, description,"
          + " bpm, music_key, jams is not null as annotated, licence, extra::text as extra, source,"
          + " imported_at";

  private final Database database;
  private final BlobStore blobs;

  private Catalog(Database database, BlobStore blobs) {
    this.database = database;
    this.blobs = blobs;
  }

  /** Brings the tables up to date and opens the catalogue. */
  public static Catalog open(Database database, BlobStore blobs) {
    database.migrate(MODULE);
    return new Catalog(database, blobs);
  }

  Database database() {
    return database;
  }

  BlobStore blobs() {
    return blobs;
  }

  /** Every recording, by artist, title and ISRC. */
  public List<CatalogEntry> list() {
    return database
        .jdbi()
        .withHandle(handle ->
            entries(
                handle,
                handle
                    .createQuery(
                        "select %s from catalog.recording order by lower(artist), lower(title), isrc"
                            .formatted(COLUMNS))
                    .map((row, context) -> entry(row))
                    .list()));
  }

  /**
   * Recordings of which every word of the text begins some word of title, artist, genre, tags or
   * description; or the one with that ISRC. Best first.
   */
  public List<CatalogEntry> search(String text) {
    Optional<CatalogEntry> exact = isrcOf(text).flatMap(this::find);
    if (exact.isPresent()) {
      return List.of(exact.get());
    }
    List<String> words = words(text);
    if (words.isEmpty()) {
      return List.of();
    }
    List<String> first = words.subList(0, Math.min(words.size(), SEARCH_WORDS_MAX));
    String query = String.join(" & ", first.stream().map(word -> word + ":*").toList());
    return database
        .jdbi()
        .withHandle(handle ->
            entries(
                handle,
                handle
                    .createQuery(
                        """
                        select %s from catalog.recording, to_tsquery('simple', :query) query
                        where search @@ query
                        order by ts_rank(search, query) desc, lower(artist), lower(title), isrc
                        """
                            .formatted(COLUMNS))
                    .bind("query", query)
                    .map((row, context) -> entry(row))
                    .list()));
  }

  /** The recording, or empty when the catalogue has none of that ISRC. */
  public Optional<CatalogEntry> find(Isrc isrc) {
    return database.jdbi().withHandle(handle -> find(handle, isrc));
  }

  static Optional<CatalogEntry> find(Handle handle, Isrc isrc) {
    return handle
        .createQuery("select %s from catalog.recording where isrc = :isrc".formatted(COLUMNS))
        .bind("isrc", isrc.value())
        .map((row, context) -> entry(row))
        .findOne()
        .map(entry -> entries(handle, List.of(entry)).getFirst());
  }

  /**
   * The recording that a person names by its ISRC.
   *
   * @throws CatalogException when there is none
   */
  public CatalogEntry show(String isrc) {
    return isrcOf(isrc)
        .flatMap(this::find)
        .orElseThrow(() ->
            new CatalogException(
                "The catalogue has no recording '%s'; 'descant catalog ls' lists what it has."
                    .formatted(Text.shorten(isrc, 40))));
  }

  private static Optional<Isrc> isrcOf(String text) {
    try {
      return Optional.of(Isrc.of(text));
    } catch (RightsException e) {
      return Optional.empty();
    }
  }

  /**
   * The decoded audio at its own rate.
   *
   * @throws CatalogException when the recording is unknown or has no audio
   */
  public Pcm audio(Isrc isrc) {
    return AudioFile.decode(audioPath(isrc));
  }

  /** The audio file as it was delivered; read only. Throws as {@link #audio}. */
  public Path audioPath(Isrc isrc) {
    CatalogEntry entry = show(isrc.value());
    BlobId audio = entry.audio();
    if (audio == null) {
      throw new CatalogException(
          "%s \"%s\" has no audio: %s.".formatted(isrc, entry.title(), entry.reason()));
    }
    return blobs.localPath(audio);
  }

  /** The file of one stem; read only. */
  public Path stemPath(Isrc isrc, String name) {
    return show(isrc.value()).stems().stream()
        .filter(stem -> stem.name().equals(name))
        .findFirst()
        .map(stem -> blobs.localPath(stem.blob()))
        .orElseThrow(() ->
            new CatalogException("%s has no stem '%s'.".formatted(isrc, Text.shorten(name, 40))));
  }

  /** The decoded stems by name, in the order of the delivery; empty when there are none. */
  public Map<String, Pcm> stems(Isrc isrc) {
    Map<String, Pcm> stems = new LinkedHashMap<>();
    for (Stem stem : show(isrc.value()).stems()) {
      stems.put(stem.name(), AudioFile.decode(blobs.localPath(stem.blob())));
    }
    return stems;
  }

  /** Beats, tempo, key, chords and sections, where they were delivered. */
  public Optional<MusicAnnotations> annotations(Isrc isrc) {
    return database
        .jdbi()
        .withHandle(handle ->
            handle
                .createQuery(
                    "select jams from catalog.recording where isrc = :isrc and jams is not null")
                .bind("isrc", isrc.value())
                .mapTo(String.class)
                .findOne())
        .map(MusicAnnotations::fromJams);
  }

  /** Lower-case words of letters and digits, as they are indexed and asked for. */
  static List<String> words(String text) {
    List<String> words = new ArrayList<>();
    for (String word : text.toLowerCase(Locale.ROOT).split("[^\\p{L}\\p{N}\\p{M}]+", -1)) {
      if (!word.isEmpty()) {
        words.add(word);
      }
    }
    return words;
  }

  private static List<CatalogEntry> entries(Handle handle, List<CatalogEntry> bare) {
    Map<Isrc, List<Stem>> stems = new HashMap<>();
    handle
        .createQuery(
            "select isrc, name, blob, seconds from catalog.stem where isrc = any(:isrcs)"
                + " order by isrc, position")
        .bindArray(
            "isrcs", String.class, bare.stream().map(e -> (Object) e.isrc().value()).toArray())
        .map((row, context) -> {
          stems
              .computeIfAbsent(new Isrc(row.getString("isrc")), isrc -> new ArrayList<>())
              .add(
                  new Stem(
                      row.getString("name"),
                      new BlobId(row.getString("blob")),
                      row.getDouble("seconds")));
          return true;
        })
        .list();
    return bare.stream().map(entry -> withStems(entry, stems.get(entry.isrc()))).toList();
  }

  private static CatalogEntry withStems(CatalogEntry entry, @Nullable List<Stem> stems) {
    return stems == null
        ? entry
        : new CatalogEntry(
            entry.isrc(),
            entry.title(),
            entry.versionTitle(),
            entry.artist(),
            entry.status(),
            entry.reason(),
            entry.duplicateOf(),
            entry.seconds(),
            entry.sampleRate(),
            entry.channels(),
            entry.pcmHash(),
            entry.audio(),
            entry.audioFormat(),
            entry.lufs(),
            entry.peak(),
            entry.genre(),
            entry.tags(),
            entry.description(),
            entry.bpm(),
            entry.key(),
            entry.annotated(),
            entry.licence(),
            entry.extra(),
            stems,
            entry.source(),
            entry.importedAt());
  }

  private static CatalogEntry entry(ResultSet row) throws SQLException {
    String duplicateOf = row.getString("duplicate_of");
    String blob = row.getString("audio_blob");
    Map<String, String> extra =
        JSON.readValue(row.getString("extra"), new TypeReference<Map<String, String>>() {});
    return new CatalogEntry(
        new Isrc(row.getString("isrc")),
        row.getString("title"),
        row.getString("version_title"),
        row.getString("artist"),
        Status.valueOf(row.getString("status")),
        row.getString("reason"),
        duplicateOf == null ? null : new Isrc(duplicateOf),
        row.getDouble("seconds"),
        row.getInt("sample_rate"),
        row.getInt("channels"),
        row.getString("pcm_hash"),
        blob == null ? null : new BlobId(blob),
        row.getString("audio_format"),
        row.getObject("lufs", Double.class),
        row.getObject("peak", Double.class),
        row.getString("genre"),
        List.of((String[]) row.getArray("tags").getArray()),
        row.getString("description"),
        row.getObject("bpm", Double.class),
        row.getString("music_key"),
        row.getBoolean("annotated"),
        row.getString("licence"),
        extra,
        List.of(),
        row.getString("source"),
        row.getObject("imported_at", OffsetDateTime.class).toInstant());
  }
}
