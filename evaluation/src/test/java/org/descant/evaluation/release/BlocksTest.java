package org.descant.evaluation.release;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class BlocksTest {
  private static final String HOSTILE = "</td><script src='http://x'>|`[a](b)\"&\n# b";

  private static List<Block> blocks() {
    return List.of(
        new Block.Heading(HOSTILE),
        new Block.Paragraph(HOSTILE),
        new Block.Bullets(List.of(HOSTILE)),
        new Block.Table(List.of(List.of("a", "b"), List.of(HOSTILE, "2"))),
        new Block.Sound("a.flac", HOSTILE, HOSTILE));
  }

  @Test
  void namesCannotBecomeMarkupOnThePage() {
    String page = Html.of(HOSTILE, blocks());
    assertThat(page).doesNotContain("<script", "'http", "</td><script");
    assertThat(page).contains("&lt;script src=&#39;");
    assertThat(page.split("<td>", -1)).hasSize(3);
  }

  @Test
  void namesCannotBecomeMarkupInTheCard() {
    String card = Markdown.of(HOSTILE, blocks());
    assertThat(card).doesNotContain("<script src='http://x'>|").contains("\\<script");
    assertThat(card.lines().filter(line -> line.startsWith("# "))).hasSize(1);
    String row = card.lines().filter(line -> line.endsWith(" | 2 |")).findFirst().orElseThrow();
    assertThat(row.replace("\\|", "").split("\\|", -1)).hasSize(4);
  }
}
