package org.descant.serving;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.descant.engine.EngineException;
import org.descant.ledger.UsageState;
import org.descant.provenance.Trace;
import org.descant.serving.Clip.CreditLine;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Clips of a flow model leave as those of a token model do: credited, signed, paid. */
class FlowDeliveryTest {
  @TempDir static Path folder;
  private static TestHouse home;
  private static Delivery delivery;

  @BeforeAll
  static void open() {
    home = TestHouse.withFlow(folder, 0.9);
    delivery = new Delivery(home.house());
  }

  @AfterAll
  static void close() {
    delivery.close();
    home.close();
  }

  private static Order order(
      long seed, @Nullable String from, @Nullable Double strength, @Nullable String keep) {
    return flow("", 2.0, 100.0, "D minor", List.of(), seed, 2, from, strength, keep);
  }

  private static Order flow(
      @Nullable String text,
      @Nullable Double seconds,
      @Nullable Double tempo,
      @Nullable String key,
      @Nullable List<String> tags,
      long seed,
      int steps,
      @Nullable String from,
      @Nullable Double strength,
      @Nullable String keep) {
    return new Order(
        text, seconds, tempo, key, tags, null, seed, null, null, null, null, null, null, null, null,
        steps, from, strength, keep, null);
  }

  private static Clip run(Order order) {
    return delivery.open(order).run(TestHouse.SILENT);
  }

  private static Clip fresh(long seed) {
    return run(order(seed, null, null, null));
  }

  @Test
  void aFlowClipIsCreditedPaidAndTraced() {
    Clip clip = fresh(1);
    assertThat(clip.madeFrom()).isEmpty();
    assertThat(clip.shareRule()).isEqualTo("attribution");
    assertThat(clip.attribution())
        .containsOnlyKeys(
            TestHouse.ADA.toString(), TestHouse.BO.toString(), TestHouse.CY.toString());
    assertThat(clip.credits().stream().mapToDouble(CreditLine::share).sum())
        .isCloseTo(1, within(1e-9));
    assertThat(clip.transfers()).isNotEmpty();
    assertThat(home.house().ledger().state(clip.usage())).isEqualTo(UsageState.POSTED);
  }

  @Test
  void aClipBegunFromAnotherNamesItAndCreditsWhatItRestsOn() {
    Clip parent = fresh(2);
    Clip child = run(order(3, parent.id(), 0.9, "0.5-1"));
    assertThat(child.madeFrom()).isEqualTo(parent.id());
    Clip alike = run(flow(null, null, null, null, null, 3, 1, parent.id(), 0.5, null));
    assertThat(alike.tempo()).isEqualTo(parent.tempo());
    assertThat(alike.key()).isEqualTo(parent.key());
    assertThat(alike.seconds()).isEqualTo(parent.seconds());
    assertThat(home.house().lineage().trace(child.id(), 1, 100).ancestors())
        .extracting(Trace.Step::artefact)
        .extracting(artefact -> artefact.id())
        .contains(parent.id(), child.model());
    // Half of each weight is the parent's.
    for (Map.Entry<String, Double> weight : parent.attribution().entrySet()) {
      assertThat(child.attribution().get(weight.getKey()))
          .isGreaterThanOrEqualTo(weight.getValue() / 2 - 1e-9);
    }
    assertThat(child.attribution().values().stream().mapToDouble(w -> w).sum())
        .isCloseTo(1, within(1e-9));
    assertThat(delivery.find(child.id())).get().extracting(Clip::madeFrom).isEqualTo(parent.id());
  }

  @Test
  void onlyClipsOfThisHouseAreBegunFromAndKnownByTheirFiles() throws Exception {
    Clip clip = fresh(4);
    Path copy = folder.resolve("copy.wav");
    Files.copy(delivery.file(clip, "wav"), copy);
    assertThat(delivery.identify(copy).id()).isEqualTo(clip.id());
    Files.write(copy, new byte[] {1}, java.nio.file.StandardOpenOption.APPEND);
    assertThatThrownBy(() -> delivery.identify(copy))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("no clip that this house delivered");
    assertThatThrownBy(() -> delivery.open(order(1, "clip-nobody", 0.5, null)))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("Only a clip of this house");

    Path own = delivery.file(clip, "wav");
    byte[] bytes = Files.readAllBytes(own);
    bytes[bytes.length - 1] ^= 1;
    Files.write(own, bytes);
    assertThatThrownBy(() -> delivery.open(order(1, clip.id(), 0.5, null)))
        .isInstanceOfSatisfying(
            RefusedException.class,
            refused -> assertThat(refused.reasons().getFirst()).contains("was changed"));
  }

  @Test
  void whatCannotBeAskedForIsSaidInASentence() {
    Clip clip = fresh(5);
    for (String keep : List.of("2", "a-b", "1-0.5", "0-9", "-1-2", "1-2-3")) {
      assertThatThrownBy(() -> delivery.open(order(1, clip.id(), 0.5, keep)))
          .as(keep)
          .isInstanceOf(EngineException.class);
    }
    assertThatThrownBy(() -> delivery.open(order(1, null, 0.5, null)))
        .isInstanceOf(EngineException.class)
        .hasMessageContaining("name the clip");
    Order both =
        new Order(
            null, 2.0, null, null, null, null, 1L, null, null, null, clip.id(), null, null, null,
            null, null, clip.id(), 0.5, null, null);
    assertThatThrownBy(() -> delivery.open(both)).hasMessageContaining("ask for one of them");
    Order goesOn =
        new Order(
            null, 2.0, null, null, null, null, 1L, null, null, null, clip.id(), null, null, null,
            null, null, null, null, null, null);
    assertThatThrownBy(() -> delivery.open(goesOn))
        .isInstanceOf(EngineException.class)
        .hasMessageContaining("is a flow model");
    assertThatThrownBy(() -> delivery.open(order(1, clip.id(), 0.0, null)))
        .isInstanceOf(EngineException.class)
        .hasMessageContaining("strength");
  }
}
