package org.descant.catalog;

import java.nio.file.Path;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.descant.audio.AudioException;
import org.descant.audio.MusicalKey;
import org.descant.catalog.CsvManifest.Row;
import org.descant.catalog.DeliveredFiles.Found;
import org.descant.catalog.ImportReport.Item;
import org.descant.catalog.Shipment.AudioSource;
import org.descant.catalog.Shipment.Behind;
import org.descant.catalog.Shipment.Candidate;
import org.descant.catalog.Shipment.StemSource;
import org.descant.rights.Agreement;
import org.descant.rights.Contributor;
import org.descant.rights.Isrc;
import org.descant.rights.Party;
import org.descant.rights.RightsException;
import org.descant.rights.Scope;
import org.descant.rights.Share;
import org.descant.rights.Work;
import org.jspecify.annotations.Nullable;

/**
 * Turns a {@link CsvManifest} and its folder into a {@link Shipment}.
 *
 * <p>The artist of a row is taken at their word as performer, writer and owner of everything: that
 * is what a public-domain dedication by them means. Without a dedication the recording is
 * registered all the same, with no agreement: refused until one is recorded.
 */
final class CsvDoor {
  /** A dedication has no date in the table; it holds for any day that a decision may ask about. */
  private static final LocalDate DEDICATION_DAY = LocalDate.of(1900, 1, 1);

  private static final double BPM_MIN = 20;
  private static final double BPM_MAX = 400;

  private final DeliveredFiles files;
  private final List<Item> items = new ArrayList<>();
  private final List<String> notes = new ArrayList<>();
  private final Map<String, Party> parties = new LinkedHashMap<>();

  private CsvDoor(Path folder) {
    this.files = new DeliveredFiles(folder);
  }

  static Shipment open(Path file) {
    CsvManifest manifest = CsvManifest.read(file);
    return new CsvDoor(ErnDoor.folderOf(file)).shipment(manifest, file);
  }

  private Shipment shipment(CsvManifest manifest, Path file) {
    for (String problem : manifest.problems()) {
      items.add(
          Item.blocked(file.getFileName() + " " + problem.split(" has ", 2)[0], null, problem));
    }
    List<List<Row>> groups = groups(manifest.rows());
    List<Candidate> candidates = new ArrayList<>();
    for (List<Row> group : groups) {
      Candidate candidate = candidate(group);
      if (candidate != null) {
        candidates.add(candidate);
      }
    }
    if (manifest.rows().isEmpty() && manifest.problems().isEmpty()) {
      throw new CatalogException(file + " has a header line and no rows; add one row a file.");
    }
    return new Shipment(
        file.toString(),
        "CSV",
        candidates,
        items,
        notes,
        List.of(),
        List.copyOf(parties.values()),
        List.of(),
        List.of(),
        List.of(),
        "",
        null,
        List.of());
  }

  /** Rows of one recording: the stems of an artist and title with its mix, or one row alone. */
  private List<List<Row>> groups(List<Row> rows) {
    Map<String, List<Row>> stemsByTitle = new LinkedHashMap<>();
    for (Row row : rows) {
      if (!row.stem().isEmpty()) {
        stemsByTitle.computeIfAbsent(titleKey(row), key -> new ArrayList<>()).add(row);
      }
    }
    List<List<Row>> groups = new ArrayList<>();
    Map<String, List<Row>> placed = new LinkedHashMap<>();
    for (Row row : rows) {
      if (row.artist().isEmpty() && row.title().isEmpty()) {
        items.add(Item.skipped(row.file(), "names no artist and no title, so it is no recording"));
        continue;
      }
      List<Row> stems = stemsByTitle.get(titleKey(row));
      if (stems == null) {
        groups.add(List.of(row));
      } else if (placed.get(titleKey(row)) == null) {
        List<Row> group = new ArrayList<>(stems);
        placed.put(titleKey(row), group);
        groups.add(group);
        if (row.stem().isEmpty()) {
          group.addFirst(row);
        }
      } else if (row.stem().isEmpty()) {
        List<Row> group = placed.get(titleKey(row));
        if (group != null && !group.getFirst().stem().isEmpty()) {
          group.addFirst(row);
        } else {
          groups.add(List.of(row));
        }
      }
    }
    return groups;
  }

  private static String titleKey(Row row) {
    return row.artist() + "\n" + row.title();
  }

  private @Nullable Candidate candidate(List<Row> group) {
    Row first = group.getFirst();
    boolean sum = !first.stem().isEmpty();
    String name = sum ? "\"%s\" (%d stems)".formatted(first.title(), group.size()) : first.file();
    if (first.artist().isEmpty()) {
      items.add(Item.blocked(name, null, "names no artist; nobody could be asked or credited"));
      return null;
    }
    Isrc isrc = null;
    for (Row row : group) {
      if (row.isrc().isEmpty()) {
        continue;
      }
      try {
        Isrc named = Isrc.of(row.isrc());
        if (isrc != null && !isrc.equals(named)) {
          items.add(
              Item.blocked(
                  name, null, "names two ISRCs, %s and %s; keep one".formatted(isrc, named)));
          return null;
        }
        isrc = named;
      } catch (RightsException e) {
        items.add(Item.blocked(name, null, String.valueOf(e.getMessage())));
        return null;
      }
    }
    AudioSource audio = null;
    String missing = "";
    if (!sum) {
      Found found = files.find(first.file());
      if (found.path() == null) {
        missing = found.problem();
      } else {
        audio = source(found.path(), first);
      }
    }
    List<StemSource> stems = new ArrayList<>();
    for (Row row : sum ? group : group.subList(1, group.size())) {
      Found found = files.find(row.file());
      if (found.path() != null) {
        stems.add(new StemSource(uniqueName(row.stem(), stems), source(found.path(), row)));
      } else if (sum) {
        // A sum without one of its stems would be another recording.
        missing = missing.isEmpty() ? found.problem() : missing;
      } else {
        items.add(Item.blocked(row.file(), null, found.problem()));
      }
    }
    if (isrc == null && !missing.isEmpty()) {
      items.add(Item.blocked(name, null, missing + ", and it has no ISRC to wait under"));
      return null;
    }
    String title = first.title().isEmpty() ? first.file() : first.title();
    Party artist = party(first.artist());
    boolean free = group.stream().allMatch(row -> CsvManifest.publicDomain(row.licence()));
    if (!free) {
      notes.add(
          "%s: the licence '%s' is no public-domain dedication, so nothing is granted."
              .formatted(name, Text.shorten(first.licence(), 60)));
    }
    return new Candidate(
        name,
        isrc,
        Text.shorten(title, 900),
        "",
        Text.shorten(first.artist(), 900),
        0,
        "",
        audio,
        missing,
        stems,
        audio == null ? null : ErnDoor.besides(audio.file()),
        "",
        List.of(),
        "",
        bpm(name, first),
        key(name, first),
        Text.shorten(first.licence(), 200),
        first.extra(),
        code -> behind(code, title, artist, free));
  }

  private static String uniqueName(String name, List<StemSource> stems) {
    String unique = name;
    for (int i = 2; contains(stems, unique); i++) {
      unique = name + "-" + i;
    }
    return unique;
  }

  private static boolean contains(List<StemSource> stems, String name) {
    return stems.stream().anyMatch(stem -> stem.name().equals(name));
  }

  /** A {@code sha256} column is checked when there is one. */
  private static AudioSource source(Path path, Row row) {
    String hash = row.extra().getOrDefault("sha256", "");
    return new AudioSource(path, "SHA-256", hash);
  }

  private Party party(String name) {
    String slug = Text.slug(name);
    String id =
        "artist:%s%s%s"
            .formatted(
                slug,
                slug.isEmpty() ? "" : "-",
                Text.sha256(name.toLowerCase(Locale.ROOT)).substring(0, 8));
    return parties.computeIfAbsent(id, key -> new Party(key, Text.shorten(name, 900), false));
  }

  private static Behind behind(Isrc isrc, String title, Party artist, boolean free) {
    Work work =
        new Work(
            "work:" + isrc,
            Text.shorten(title, 900),
            List.of(new Contributor(artist.id(), "Composer")),
            List.of(Share.publishing(artist.id(), Share.WHOLE)));
    List<Agreement> agreements =
        free
            ? List.of(
                Agreement.publicDomain(
                    "public-domain:" + isrc, artist.id(), Scope.of(isrc), DEDICATION_DAY))
            : List.of();
    return new Behind(
        List.of(work.id()),
        List.of(new Contributor(artist.id(), "MainArtist")),
        List.of(Share.master(artist.id(), Share.WHOLE)),
        List.of(work),
        agreements);
  }

  private @Nullable Double bpm(String name, Row row) {
    if (row.bpm().isEmpty()) {
      return null;
    }
    try {
      double bpm = Double.parseDouble(row.bpm());
      if (bpm >= BPM_MIN && bpm <= BPM_MAX) {
        return bpm;
      }
    } catch (NumberFormatException e) {
      // Said below.
    }
    notes.add(
        "%s: '%s' is no tempo from %.0f to %.0f BPM and is left out."
            .formatted(name, Text.shorten(row.bpm(), 40), BPM_MIN, BPM_MAX));
    return null;
  }

  private @Nullable String key(String name, Row row) {
    if (row.key().isEmpty()) {
      return null;
    }
    try {
      return MusicalKey.parse(row.key()).toString();
    } catch (AudioException e) {
      notes.add(
          "%s: '%s' is no key such as D minor and is left out."
              .formatted(name, Text.shorten(row.key(), 40)));
      return null;
    }
  }
}
