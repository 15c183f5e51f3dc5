package org.descant.serving;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.descant.audio.AudioFile;
import org.descant.engine.EngineException;
import org.descant.ledger.UsageState;
import org.descant.provenance.ContentCredential;
import org.descant.rights.Isrc;
import org.descant.rights.Use;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What becomes of a clip that came out too close. The catalogue is given the clips of the first
 * seeds as its recordings, so the check finds what it is there to find.
 */
class AttemptsTest {
  private static final long ASKED = 7;

  @TempDir Path folder;

  private TestHouse home;
  private Delivery delivery;

  @BeforeEach
  void open() {
    home = TestHouse.in(folder);
    delivery = new Delivery(home.house());
  }

  @AfterEach
  void close() {
    delivery.close();
    home.close();
  }

  private static Order order(Boolean retry) {
    return new Order(
        "tones", 5.0, 100.0, "D minor", List.of(), null, ASKED, null, null, null, null, null, null,
        null, null, null, null, null, null, retry);
  }

  /** From now on the clips of the first seeds are recordings that the model learned from. */
  private void refuseTheFirst(int seeds) throws Exception {
    List<Isrc> recordings = List.of(TestHouse.ADA, TestHouse.BO, TestHouse.CY);
    List<Clip> clips = new ArrayList<>();
    for (int i = 0; i < seeds; i++) {
      long seed = i == 0 ? ASKED : Attempts.seed(ASKED, i + 1);
      clips.add(delivery.open(order(null).withSeed(seed)).run(TestHouse.SILENT));
    }
    for (int i = 0; i < seeds; i++) {
      home.exchange(recordings.get(i), delivery.file(clips.get(i), "wav"));
    }
    delivery.close();
    delivery = new Delivery(home.house());
  }

  /** Keeps what it is told. */
  private static final class Told implements Attempts.Watcher {
    final List<Long> seeds = new ArrayList<>();
    double seconds;

    @Override
    public void made(double made) {
      seconds = made;
    }

    @Override
    public void again(RefusedException refused, long seed) {
      seeds.add(seed);
    }
  }

  private List<String> states() {
    return home.strings("select state from serving.clip order by asked_at");
  }

  private void assertNothingIsPending() {
    assertThat(states()).doesNotContain("OPEN");
    for (String usage : home.strings("select usage_id from serving.clip")) {
      assertThat(home.house().ledger().state(usage)).isNotEqualTo(UsageState.PENDING);
    }
    assertThat(home.house().ledger().check().balanced()).isTrue();
    assertThat(delivery.recover(Instant.now().plusSeconds(1))).isZero();
    assertThat(home.files()).noneMatch(name -> name.endsWith(".tmp"));
  }

  @Test
  void aClipThatCameOutTooCloseIsMadeWithTheNextSeedsAndNamesItsOwn() throws Exception {
    refuseTheFirst(2);
    int before = states().size();
    Told told = new Told();
    Attempts attempts = delivery.finished(order(null));

    Clip clip = attempts.run(told);

    long third = Attempts.seed(ASKED, 3);
    assertThat(told.seeds).containsExactly(Attempts.seed(ASKED, 2), third);
    assertThat(told.seconds).isBetween(5 - 1e-9, 5 + 1e-9);
    assertThat(clip.seed()).isEqualTo(third);
    assertThat(clip.askedSeed()).isEqualTo(ASKED);
    assertThat(clip.attempt()).isEqualTo(3);
    assertThat(clip.id()).isNotEqualTo(attempts.id());
    assertThat(delivery.find(clip.id()).orElseThrow().askedSeed()).isEqualTo(ASKED);
    assertThat(states().subList(before, before + 3))
        .containsExactly("VOIDED", "VOIDED", "DELIVERED");
    assertThat(home.house().ledger().state(clip.usage())).isEqualTo(UsageState.POSTED);
    assertThat(home.strings("select request ->> 'seed' from serving.clip order by asked_at"))
        .endsWith(String.valueOf(ASKED), told.seeds.getFirst().toString(), String.valueOf(third));
    assertThat(home.house().lineage().trace(clip.id()).subject().facts())
        .contains("\"seed\":" + third, "\"askedSeed\":" + ASKED);
    for (String ending : ClipFiles.ENDINGS) {
      assertThat(
              ContentCredential.verify(delivery.file(clip, ending), home.house().key().root())
                  .credential()
                  .seed())
          .isEqualTo(third);
    }
    assertNothingIsPending();

    Clip again = delivery.finished(order(null)).run(new Told());
    assertThat(again.seed()).isEqualTo(third);
    assertThat(AudioFile.decode(delivery.file(again, "wav")))
        .isEqualTo(AudioFile.decode(delivery.file(clip, "wav")));
    Clip asked = delivery.finished(order(false).withSeed(third)).run(new Told());
    assertThat(AudioFile.decode(delivery.file(asked, "flac")))
        .as("the seed that is named makes the same clip")
        .isEqualTo(AudioFile.decode(delivery.file(clip, "flac")));
    assertThat(asked.attempt()).isEqualTo(1);
  }

  @Test
  void whenAllAttemptsAreTooCloseTheRefusalSaysHowManyThereWere() throws Exception {
    refuseTheFirst(3);
    int before = states().size();

    assertThatThrownBy(() -> delivery.finished(order(null)).run(new Told()))
        .hasMessageStartingWith("3 attempts")
        .hasMessageContaining("too close to an existing recording")
        .isInstanceOfSatisfying(
            RefusedException.class,
            refused -> {
              assertThat(refused.isByChance()).isTrue();
              assertThat(refused.reasons()).hasSize(3);
              assertThat(refused.reasons().getFirst())
                  .startsWith("Seed 7: ")
                  .contains("s are like " + TestHouse.ADA);
              assertThat(refused.reasons().getLast())
                  .startsWith("Seed " + Attempts.seed(ASKED, 3) + ": ");
            });

    assertThat(states().subList(before, states().size()))
        .containsExactly("VOIDED", "VOIDED", "VOIDED");
    assertNothingIsPending();
  }

  @Test
  void whoWantsThisSeedAndAStreamAreToldAfterTheFirst() throws Exception {
    refuseTheFirst(1);
    int before = states().size();
    Told told = new Told();

    assertThatThrownBy(() -> delivery.finished(order(false)).run(told))
        .isInstanceOf(RefusedException.class)
        .hasMessageStartingWith("This one came out too close");
    assertThatThrownBy(() -> delivery.open(order(null)).run(TestHouse.SILENT))
        .isInstanceOf(RefusedException.class)
        .hasMessageStartingWith("This one came out too close");
    assertThatThrownBy(() -> delivery.open(order(true)))
        .isInstanceOf(EngineException.class)
        .hasMessageContaining("stream is made once");

    assertThat(told.seeds).isEmpty();
    assertThat(states()).hasSize(before + 2);
    assertNothingIsPending();
  }

  @Test
  void aNoBetweenTwoAttemptsIsHeardAndAWatcherThatFailsLeavesNothing() throws Exception {
    refuseTheFirst(1);
    Attempts.Watcher refusing =
        new Attempts.Watcher() {
          @Override
          public void made(double seconds) {}

          @Override
          public void again(RefusedException refused, long seed) {
            home.choose(TestHouse.BO, Use.TRAIN, false);
          }
        };
    assertThatThrownBy(() -> delivery.finished(order(null)).run(refusing))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("has to rest");
    assertNothingIsPending();
    home.choose(TestHouse.BO, Use.TRAIN, true);

    Attempts.Watcher failing =
        new Attempts.Watcher() {
          @Override
          public void made(double seconds) {}

          @Override
          public void again(RefusedException refused, long seed) {
            throw new IllegalStateException("the watcher fell over");
          }
        };
    assertThatThrownBy(() -> delivery.finished(order(null)).run(failing))
        .hasMessage("the watcher fell over");
    assertNothingIsPending();

    delivery.finished(order(null)).abandon("nobody waited");
    assertNothingIsPending();
  }

  @Test
  void theSeedsAreAFunctionOfTheAskedOneAndItsNeighboursAreOthers() {
    List<Long> seeds =
        Stream.of(-1L, 0L, 1L, 2L, Long.MAX_VALUE)
            .flatMap(asked -> Stream.of(Attempts.seed(asked, 2), Attempts.seed(asked, 3)))
            .toList();
    assertThat(seeds).doesNotHaveDuplicates().allMatch(seed -> seed >= 0 && seed < 1L << 32);
    assertThat(Attempts.seed(1, 2))
        .isEqualTo(4_202_090_323L); // pinned: an old answer can be made again
  }
}
