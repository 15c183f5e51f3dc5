package org.descant.studio;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PagesTest {
  private static final Pattern LOADED =
      Pattern.compile("(?:src|href|from) ?=? ?[\"'](/?[^\"']+)[\"']");

  @ParameterizedTest
  @ValueSource(strings = {"index.html", "artist.html", "clip.html", "verify.html"})
  void aPageLoadsOnlyPartsThatAreHere(String name) {
    String html = text(name);
    Matcher loaded = LOADED.matcher(html);
    int found = 0;
    while (loaded.find()) {
      String part = loaded.group(1).substring(1);
      assertThat(Pages.find(part)).as(name + " loads " + part).isPresent();
      found++;
    }
    assertThat(found).isGreaterThan(1);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"../pom.xml", "Pages.class", "", "index.html/", "/etc/passwd", "nothing.html"})
  void anythingElseIsNotThere(String name) {
    assertThat(Pages.find(name)).isEmpty();
  }

  @Test
  void pagesHaveTheirMediaType() {
    assertThat(Pages.find("app.css").orElseThrow().contentType()).startsWith("text/css");
    assertThat(Pages.find("common.js").orElseThrow().contentType()).startsWith("text/javascript");
  }

  private static String text(String name) {
    return new String(Pages.find(name).orElseThrow().bytes(), StandardCharsets.UTF_8);
  }
}
