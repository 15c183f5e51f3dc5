package org.descant.serving.web;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.descant.serving.Delivery;
import org.descant.serving.Order;
import org.descant.serving.TestHouse;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The pages in a real browser against a real server: they fill, they work, and they complain of
 * nothing.
 */
class PagesInBrowserTest {
  private static final Path SHOTS = Path.of("target", "screenshots");

  @TempDir static Path folder;
  private static TestHouse home;
  private static Delivery delivery;
  private static Api api;
  private static WebServer server;
  private static Browser browser;

  @BeforeAll
  static void serve() throws Exception {
    Optional<Path> chromium = Browser.chromium();
    assumeTrue(chromium.isPresent(), "no Chromium here: install it to try the pages");
    home = TestHouse.in(folder);
    delivery = new Delivery(home.house());
    api = new Api(home.house(), delivery);
    server = WebServer.start(api, 0);
    browser = Browser.start(chromium.orElseThrow(), folder.resolve("profile"));
  }

  @AfterAll
  static void stop() throws Exception {
    if (home == null) {
      return;
    }
    if (browser != null) {
      browser.close();
    }
    server.close();
    api.close();
    home.close();
  }

  @BeforeEach
  void fromAnEmptyPage() throws Exception {
    browser.open("about:blank", "true");
    browser.complaints();
  }

  private static String address(String path) {
    return "http://127.0.0.1:" + server.port() + path;
  }

  private static void shoot(String name) throws Exception {
    browser.shoot(SHOTS.resolve(name + "-wide-light.png"), 1280, "light");
    browser.shoot(SHOTS.resolve(name + "-narrow-dark.png"), 390, "dark");
    assertThat(browser.eval("document.documentElement.scrollWidth <= innerWidth").asBoolean())
        .as(name + " fits a telephone's width")
        .isTrue();
  }

  private static String clip() {
    Order order =
        new Order(
            "a slow, warm evening", 6.0, 84.0, "D minor", List.of("lofi"), "ZZTST2600001", 3L);
    return delivery.open(order).run(TestHouse.SILENT).id();
  }

  @Test
  void thePlayPageMakesAClipAndShowsWhoIsBehindItAndWhoIsPaid() throws Exception {
    browser.open(address("/"), "document.querySelectorAll('[name=style] option').length > 3");
    assertThat(browser.eval("document.querySelector('#about').textContent").asString())
        .contains("3 recordings");
    browser.eval(
        """
        ask.text.value = 'a slow, warm evening'; ask.seconds.value = 4;
        ask.style.value = 'ZZTST2600001'; ask.tags.value = 'lofi, warm'; ask.requestSubmit()
        """);
    browser.await("document.querySelector('#state').textContent === 'complete'");

    assertThat(browser.eval("document.querySelector('descant-credits').innerText").asString())
        .contains("Ada Lumen", "Bo Winters", "Cy Marlow", "Settled");
    assertThat(browser.eval("document.querySelector('descant-money').innerText").asString())
        .contains("Ada Lumen", "the platform", "paid");
    assertThat(browser.eval("document.querySelector('descant-wave').drawn").asDouble())
        .isBetween(3.99, 4.01);
    assertThat(browser.eval("document.querySelector('#facts').innerText").asString())
        .contains("WAV", "FLAC", "longest span");
    browser.await("document.querySelector('#lately').innerText.includes('a slow, warm evening')");
    assertThat(browser.eval("document.querySelector('audio').duration").asDouble()).isEqualTo(4);
    assertThat(browser.eval("document.querySelector('audio').error").isNull()).isTrue();
    shoot("play");
    assertThat(browser.complaints()).isEmpty();

    browser.eval("ask.text.value = 'a tune like Cy Marlow'; ask.requestSubmit()");
    browser.await("document.querySelector('#refusal').innerText.includes('would rather not')");
    browser.shoot(SHOTS.resolve("play-refused-wide-dark.png"), 1280, "dark");
    assertThat(browser.complaints()).allMatch(said -> said.contains("403"));
  }

  @Test
  void theArtistPageTurnsAChoiceOffAndOn() throws Exception {
    clip();
    browser.open(address("/artist.html"), "document.querySelectorAll('td a').length === 3");
    shoot("artists");
    browser.eval("document.querySelector('td a').click()");
    String chip =
        "[...document.querySelectorAll('.chip')].find(chip => chip.textContent === 'style')";
    String box = "document.querySelector('input[aria-label=\"style, for everything\"]')";
    browser.await(chip + "?.className === 'chip yes'");
    assertThat(browser.eval("document.querySelector('h1').innerText").asString())
        .contains("Ada Lumen");
    browser.eval(box + ".click()");
    browser.await(chip + "?.className === 'chip no' && !" + box + ".checked");
    assertThat(home.rights().choicesOf(home.party(TestHouse.ADA))).hasSize(1);
    browser.eval("document.querySelector('.recording').open = true");
    browser.await("document.querySelector('.recording').innerText.includes('Ada Lumen')");
    shoot("artist");
    browser.eval(box + ".click()");
    browser.await(chip + "?.className === 'chip yes' && " + box + ".checked");
    assertThat(browser.complaints()).isEmpty();
  }

  @Test
  void theClipPageShowsTheWholeThread() throws Exception {
    String clip = clip();
    browser.open(
        address("/clip.html?id=" + clip), "document.querySelectorAll('ol.thread li').length > 5");
    String text = browser.eval("document.body.innerText").asString();
    assertThat(text)
        .contains("a slow, warm evening", "84 bpm", "D minor", "Ada Lumen", "transfers", clip)
        .contains("Half goes to the recording whose style was asked for");
    browser.await("document.querySelector('audio').duration === 6");
    browser.eval("document.querySelector('audio').currentTime = 4");
    browser.await(
        "document.querySelector('audio').currentTime === 4 &&"
            + " !document.querySelector('audio').seeking");
    shoot("clip");
    assertThat(browser.complaints()).isEmpty();

    browser.open(address("/clip.html?id=nothing"), "document.querySelector('.refusal')");
    assertThat(browser.eval("document.body.innerText").asString()).contains("There is no clip");
  }

  @Test
  void theVerifyPageTellsWhereAFileComesFrom() throws Exception {
    String clip = clip();
    browser.open(address("/verify.html"), "document.querySelector('#file')");
    browser.eval(
        """
        (async () => {
          const bytes = await (await fetch('/api/v1/clips/%s/flac')).blob();
          const files = new DataTransfer();
          files.items.add(new File([bytes], 'clip.flac'));
          const input = document.querySelector('#file');
          input.files = files.files;
          input.dispatchEvent(new Event('change'));
        })()
        """
            .formatted(clip));
    browser.await("document.querySelector('#answer a')");
    assertThat(browser.eval("document.querySelector('#answer').innerText").asString())
        .contains("It was made here", "Song 1", "a slow, warm evening");
    shoot("verify");
    assertThat(browser.complaints()).isEmpty();
  }
}
