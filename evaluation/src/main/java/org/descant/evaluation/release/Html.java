package org.descant.evaluation.release;

import java.util.List;
import java.util.stream.Collectors;

/**
 * Writes blocks as one page that asks for nothing but the files of its folder. Names of people and
 * recordings cannot become markup. Stateless.
 */
final class Html {
  /** The page may show its own pictures and play its own sounds, and nothing else. */
  private static final String POLICY =
      "default-src 'none'; img-src 'self' file:; media-src 'self' file:; style-src 'unsafe-inline'";

  private static final String STYLE =
      """
      :root { color-scheme: light dark; --line: #8886; --soft: #8882; }
      body { font: 16px/1.55 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
        padding: 0 1rem; }
      h1 { margin-bottom: 0; } h2 { margin-top: 2.4rem; border-bottom: 1px solid var(--line); }
      table { border-collapse: collapse; width: 100%; margin: 1rem 0; font-variant-numeric: tabular-nums; }
      th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0;
        border-bottom: 1px solid var(--line); }
      figure { margin: 1rem 0; } img { max-width: 100%; height: auto; }
      figcaption, .note { color: GrayText; font-size: .9rem; }
      .sound { display: grid; grid-template-columns: 1fr minmax(14rem, 20rem); gap: .2rem 1rem;
        align-items: center; padding: .5rem 0; border-bottom: 1px solid var(--line); }
      .sound .note { grid-column: 1 / -1; } audio { width: 100%; height: 2.2rem; }
      pre { overflow-x: auto; background: var(--soft); padding: .7rem; }
      @media (max-width: 40rem) { .sound { grid-template-columns: 1fr; }
        table { display: block; overflow-x: auto; } }
      """;

  private Html() {}

  static String of(String title, List<Block> blocks) {
    return """
    <!doctype html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta http-equiv="Content-Security-Policy" content="%s">
    <title>%s</title>
    <style>
    %s</style>
    </head>
    <body>
    <h1>%s</h1>
    %s
    </body>
    </html>
    """
        .formatted(
            POLICY,
            escaped(title),
            STYLE,
            escaped(title),
            blocks.stream().map(Html::of).collect(Collectors.joining("\n")));
  }

  private static String of(Block block) {
    return switch (block) {
      case Block.Heading(String text) -> "<h2>%s</h2>".formatted(escaped(text));
      case Block.Paragraph(String text) -> "<p>%s</p>".formatted(escaped(text));
      case Block.Bullets(List<String> lines) ->
          lines.stream()
              .map(line -> "<li>%s</li>".formatted(escaped(line)))
              .collect(Collectors.joining("\n", "<ul>\n", "\n</ul>"));
      case Block.Code(String text) -> "<pre>%s</pre>".formatted(escaped(text.strip()));
      case Block.Table(List<List<String>> rows) -> table(rows);
      case Block.Picture(String file, String description) ->
          "<figure><img src=\"%s\" alt=\"%s\"><figcaption>%s</figcaption></figure>"
              .formatted(escaped(file), escaped(description), escaped(description));
      case Block.Sound(String file, String label, String note) ->
          """
          <div class="sound"><span>%s</span>
          <audio controls preload="none" src="%s"></audio><span class="note">%s</span></div>\
          """
              .formatted(escaped(label), escaped(file), escaped(note));
    };
  }

  private static String table(List<List<String>> rows) {
    return rows.stream()
        .skip(1)
        .map(row -> row("td", row))
        .collect(
            Collectors.joining(
                "\n",
                "<table>\n<thead>" + row("th", rows.getFirst()) + "</thead>\n<tbody>\n",
                "\n</tbody></table>"));
  }

  private static String row(String tag, List<String> cells) {
    return cells.stream()
        .map(cell -> "<%s>%s</%s>".formatted(tag, escaped(cell), tag))
        .collect(Collectors.joining("", "<tr>", "</tr>"));
  }

  private static String escaped(String text) {
    return text.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("\"", "&quot;")
        .replace("'", "&#39;");
  }
}
