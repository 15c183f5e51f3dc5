package org.descant.evaluation.release;

import java.util.List;
import java.util.stream.Collectors;

/** Writes blocks as Markdown. Names of people and recordings cannot become markup. Stateless. */
final class Markdown {
  private static final String SPECIAL = "\\`*_[]<>|#";

  private Markdown() {}

  static String of(String title, List<Block> blocks) {
    StringBuilder text = new StringBuilder("# " + escaped(title) + "\n");
    blocks.forEach(block -> text.append('\n').append(of(block)).append('\n'));
    return text.toString();
  }

  private static String of(Block block) {
    return switch (block) {
      case Block.Heading(String text) -> "## " + escaped(text);
      case Block.Paragraph(String text) -> escaped(text);
      case Block.Bullets(List<String> lines) ->
          lines.stream().map(line -> "- " + escaped(line)).collect(Collectors.joining("\n"));
      case Block.Code(String text) -> "    " + text.strip().replace("\n", "\n    ");
      case Block.Table(List<List<String>> rows) -> table(rows);
      case Block.Picture(String file, String description) ->
          "![%s](%s)".formatted(escaped(description), file);
      case Block.Sound(String file, String label, String note) ->
          "- [%s](%s): %s".formatted(escaped(label), file, escaped(note));
    };
  }

  private static String table(List<List<String>> rows) {
    StringBuilder text = new StringBuilder(row(rows.getFirst()));
    text.append('\n').append("|---".repeat(rows.getFirst().size())).append('|');
    rows.stream().skip(1).forEach(row -> text.append('\n').append(row(row)));
    return text.toString();
  }

  private static String row(List<String> cells) {
    return cells.stream().map(Markdown::escaped).collect(Collectors.joining(" | ", "| ", " |"));
  }

  private static String escaped(String text) {
    StringBuilder safe = new StringBuilder();
    for (char c : text.replace('\n', ' ').toCharArray()) {
      if (SPECIAL.indexOf(c) >= 0) {
        safe.append('\\');
      }
      safe.append(c);
    }
    return safe.toString();
  }
}
