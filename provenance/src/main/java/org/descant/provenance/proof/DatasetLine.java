package org.descant.provenance.proof;

import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.descant.provenance.Hashes;
import org.descant.provenance.ProvenanceException;
import org.descant.rights.Isrc;
import org.descant.rights.RightsException;
import org.descant.rights.Use;

/**
 * One line of the list whose hash is a dataset's root: a recording that was asked about, and the
 * answer.
 *
 * @param isrc the recording
 * @param pcmHash hex SHA-256 of its sound, {@code -} when nobody delivered any
 * @param use what was asked
 * @param allowed whether it is in the dataset; otherwise it was refused
 * @param rulesHash hex SHA-256 of the agreements and choices that decided
 */
public record DatasetLine(Isrc isrc, String pcmHash, Use use, boolean allowed, String rulesHash) {
  private static final String HEADER = "descant-dataset/1\t%s\n";
  private static final Pattern LINE =
      Pattern.compile(
          "([A-Z0-9]{12})\t(-|[0-9a-f]{64})\t([A-Z]{1,16})\t(allowed|refused)\t([0-9a-f]{64})");

  /** Checks the form of the hashes. */
  public DatasetLine {
    if (!LINE.matcher(text(isrc, pcmHash, use, allowed, rulesHash)).matches()) {
      throw new ProvenanceException(
          "The line of %s in a dataset's list has no proper hashes: build the dataset again."
              .formatted(isrc.formatted()));
    }
  }

  /**
   * Reads what {@link #text} writes.
   *
   * @throws ProvenanceException if it is no such line
   */
  public static DatasetLine parse(String text) {
    Matcher fields = LINE.matcher(text);
    try {
      if (fields.matches()) {
        return new DatasetLine(
            new Isrc(fields.group(1)),
            fields.group(2),
            Use.valueOf(fields.group(3)),
            fields.group(4).equals("allowed"),
            fields.group(5));
      }
    } catch (RightsException | IllegalArgumentException _) {
      // No ISRC or no use: the one sentence below.
    }
    throw new ProvenanceException("\"%.120s\" is no line of a dataset's list.".formatted(text));
  }

  /** ISRC, PCM hash, use, result and rules hash, parted by tabs. */
  public String text() {
    return text(isrc, pcmHash, use, allowed, rulesHash);
  }

  private static String text(
      Isrc isrc, String pcmHash, Use use, boolean allowed, String rulesHash) {
    return String.join(
        "\t", isrc.value(), pcmHash, use.name(), allowed ? "allowed" : "refused", rulesHash);
  }

  /**
   * The dataset's root: hex SHA-256 of a header line with the use and of the lines, sorted. Their
   * order does not matter here.
   *
   * @throws ProvenanceException if there is none, two uses, or a recording twice
   */
  public static String root(List<DatasetLine> lines) {
    if (lines.isEmpty()) {
      throw new ProvenanceException("A dataset's list has at least one line, this one has none.");
    }
    Use use = lines.getFirst().use();
    var seen = new HashSet<Isrc>();
    for (DatasetLine line : lines) {
      if (line.use() != use || !seen.add(line.isrc())) {
        throw new ProvenanceException(
            "Recording %s is twice, or for another use, in the dataset's list."
                .formatted(line.isrc().formatted()));
      }
    }
    var text = new StringBuilder(HEADER.formatted(use));
    lines.stream().map(DatasetLine::text).sorted().forEach(line -> text.append(line).append('\n'));
    return HexFormat.of()
        .formatHex(Hashes.sha256(text.toString().getBytes(StandardCharsets.US_ASCII)));
  }
}
