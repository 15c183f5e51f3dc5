package org.descant.catalog;

import java.io.IOException;
import java.io.Reader;
import java.io.StringReader;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.apache.commons.csv.CSVException;
import org.apache.commons.csv.CSVFormat;
import org.apache.commons.csv.CSVParser;
import org.apache.commons.csv.CSVRecord;

/**
 * The door for those who have no DDEX: a CSV table (RFC 4180, UTF-8, a header line) with one row a
 * file.
 *
 * <ul>
 *   <li>{@code file}: path relative to the table
 *   <li>{@code artist}, {@code title}: rows that have neither are no recordings and are passed over
 *   <li>{@code isrc}: may be missing or empty
 *   <li>{@code stem}: rows of one artist and title that name stems are one recording: their sum
 *   <li>{@code bpm}, {@code key}: what the artist says of the music
 *   <li>{@code licence}: a public-domain dedication ({@code CC0-1.0}, {@code PDM-1.0}) is an
 *       agreement; any other word leaves the recording without one
 * </ul>
 *
 * Column order is free, case of the names too; columns that we do not know are kept by name.
 *
 * @param rows in the order of the table
 * @param problems lines that are no rows, one sentence each
 */
public record CsvManifest(List<Row> rows, List<String> problems) {
  static final long FILE_BYTES_MAX = 16L << 20;
  static final int ROWS_MAX = 100_000;
  static final int COLUMNS_MAX = 64;
  static final int CELL_CHARS_MAX = 10_000;
  private static final Set<String> REQUIRED =
      new LinkedHashSet<>(List.of("file", "artist", "title", "licence"));
  private static final Set<String> OPTIONAL = Set.of("isrc", "stem", "bpm", "key");

  public CsvManifest {
    rows = List.copyOf(rows);
    problems = List.copyOf(problems);
  }

  /** One row; a cell that is missing is "". {@code extra} holds the columns we do not know. */
  public record Row(
      long line,
      String file,
      String artist,
      String title,
      String isrc,
      String stem,
      String bpm,
      String key,
      String licence,
      Map<String, String> extra) {}

  /**
   * Reads a table.
   *
   * @throws CatalogException in one sentence when the file is no such table
   */
  public static CsvManifest read(Path file) {
    byte[] bytes;
    try {
      if (Files.size(file) > FILE_BYTES_MAX) {
        throw new CatalogException(
            "%s has %d bytes, more than the %d of a manifest; split it."
                .formatted(file, Files.size(file), FILE_BYTES_MAX));
      }
      bytes = Files.readAllBytes(file);
    } catch (IOException e) {
      throw new CatalogException("Cannot read %s: %s.".formatted(file, e.getMessage()), e);
    }
    String text;
    try {
      text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    } catch (CharacterCodingException e) {
      throw new CatalogException(file + " is not UTF-8 text; save the table as UTF-8 CSV.", e);
    }
    return parse(text.startsWith("\ufeff") ? text.substring(1) : text, file.toString());
  }

  static CsvManifest parse(String text, String what) {
    if (text.isBlank()) {
      throw new CatalogException(
          what + " is empty; it needs a header line with file, artist, title and licence.");
    }
    CSVFormat format = CSVFormat.RFC4180.builder().setIgnoreEmptyLines(true).get();
    try (Reader reader = new StringReader(text);
        CSVParser parser = CSVParser.parse(reader, format)) {
      List<String> header = null;
      List<Row> rows = new ArrayList<>();
      List<String> problems = new ArrayList<>();
      for (CSVRecord record : parser) {
        long line = parser.getCurrentLineNumber();
        if (header == null) {
          header = header(record, what);
        } else if (rows.size() + problems.size() >= ROWS_MAX) {
          throw new CatalogException(
              "%s has more than %d rows; split it.".formatted(what, ROWS_MAX));
        } else if (record.size() != header.size()) {
          problems.add(
              "line %d has %d cells where the header has %d"
                  .formatted(line, record.size(), header.size()));
        } else if (record.stream().anyMatch(cell -> cell.length() > CELL_CHARS_MAX)) {
          problems.add(
              "line %d has a cell of more than %d characters".formatted(line, CELL_CHARS_MAX));
        } else {
          rows.add(row(line, header, record));
        }
      }
      return new CsvManifest(rows, problems);
    } catch (CSVException | UncheckedIOException e) {
      throw new CatalogException(
          "%s is no CSV table that can be read: %s."
              .formatted(what, Text.shorten(String.valueOf(e.getMessage()), 200)),
          e);
    } catch (IOException e) {
      throw new CatalogException("Cannot read %s: %s.".formatted(what, e.getMessage()), e);
    }
  }

  private static List<String> header(CSVRecord record, String what) {
    if (record.size() > COLUMNS_MAX) {
      throw new CatalogException(
          "%s has %d columns, more than %d.".formatted(what, record.size(), COLUMNS_MAX));
    }
    List<String> header =
        record.stream().map(cell -> Text.clean(cell).toLowerCase(Locale.ROOT)).toList();
    if (header.size() == 1 && header.getFirst().contains(";")) {
      throw new CatalogException(what + " is separated by semicolons; save it with commas.");
    }
    for (String required : REQUIRED) {
      if (!header.contains(required)) {
        throw new CatalogException(
            "%s has no column '%s'; its header line needs file, artist, title and licence."
                .formatted(what, required));
      }
    }
    for (String name : header) {
      if (header.indexOf(name) != header.lastIndexOf(name)) {
        throw new CatalogException(
            "%s has the column '%s' twice; keep one.".formatted(what, Text.shorten(name, 40)));
      }
    }
    return header;
  }

  private static Row row(long line, List<String> header, CSVRecord record) {
    Map<String, String> known = new LinkedHashMap<>();
    Map<String, String> extra = new LinkedHashMap<>();
    for (int i = 0; i < header.size(); i++) {
      String name = header.get(i);
      String cell = Text.clean(record.get(i));
      boolean ours = REQUIRED.contains(name) || OPTIONAL.contains(name);
      if (ours) {
        known.put(name, cell);
      } else if (!cell.isEmpty()) {
        extra.put(name, cell);
      }
    }
    return new Row(
        line,
        known.getOrDefault("file", ""),
        known.getOrDefault("artist", ""),
        known.getOrDefault("title", ""),
        known.getOrDefault("isrc", ""),
        known.getOrDefault("stem", ""),
        known.getOrDefault("bpm", ""),
        known.getOrDefault("key", ""),
        known.getOrDefault("licence", ""),
        extra);
  }

  /** Whether a licence cell is a dedication to the public domain. */
  public static boolean publicDomain(String licence) {
    String plain = licence.toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9]+", "");
    return plain.matches("cc0(10)?(universal)?|(cc)?pdm?(10)?|publicdomain(mark)?(10)?")
        || plain.matches(
            "https?creativecommonsorgpublicdomain(zero|mark)10(deed[a-z]*|legalcode)?");
  }
}
