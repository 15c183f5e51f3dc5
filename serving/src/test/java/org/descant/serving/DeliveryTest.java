package org.descant.serving;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.descant.audio.AudioFile;
import org.descant.audio.AudioWriter;
import org.descant.audio.Pcm;
import org.descant.audio.analysis.CopiedSpan;
import org.descant.audio.analysis.Fingerprint;
import org.descant.engine.Engine;
import org.descant.engine.EngineException;
import org.descant.ledger.BooksCheck;
import org.descant.ledger.UsageState;
import org.descant.models.HouseModel;
import org.descant.models.codec.MagnitudeCodec;
import org.descant.provenance.Artefact;
import org.descant.provenance.ContentCredential;
import org.descant.provenance.CredentialReport;
import org.descant.provenance.Trace;
import org.descant.rights.Isrc;
import org.descant.rights.Use;
import org.descant.serving.Clip.CreditLine;
import org.descant.serving.Clip.TransferLine;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DeliveryTest {
  @TempDir static Path folder;

  private static TestHouse home;
  private static Delivery delivery;

  @BeforeAll
  static void open() {
    home = TestHouse.in(folder);
    delivery = new Delivery(home.house());
  }

  @AfterAll
  static void close() {
    delivery.close();
    home.close();
  }

  private static Order order(String text, Isrc style) {
    return new Order(
        text, 2.0, 100.0, "D minor", List.of(), style == null ? null : style.toString(), 7L);
  }

  /** Keeps what it hears, and does something at the first chunk. */
  private static class Ear implements Delivery.Listener {
    final List<String> order = new ArrayList<>();
    final List<Pcm> chunks = new ArrayList<>();
    final List<CreditLine> provisional = new ArrayList<>();
    private final Runnable first;

    Ear() {
      this(() -> {});
    }

    Ear(Runnable first) {
      this.first = first;
    }

    @Override
    public void chunk(Pcm samples) {
      if (chunks.isEmpty()) {
        order.add("chunk");
        first.run();
      }
      chunks.add(samples);
    }

    @Override
    public void credits(List<CreditLine> credits, boolean isProvisional) {
      order.add(isProvisional ? "provisional credits" : "credits");
      if (isProvisional) {
        provisional.addAll(credits);
      }
    }

    @Override
    public void money(long total, List<TransferLine> transfers, boolean isProvisional) {
      order.add(isProvisional ? "provisional money" : "money");
    }
  }

  private static UsageState usage(Clip clip) {
    return home.house().ledger().state(clip.usage());
  }

  private static UsageState usage(Delivery.Session session) {
    return home.house().ledger().state("usage-" + session.id().substring("clip-".length()));
  }

  private static void assertNothingIsLeft(Delivery.Session session) {
    assertThat(usage(session)).isEqualTo(UsageState.VOIDED);
    assertThat(home.state(session.id())).isEqualTo("VOIDED");
    assertThat(home.files()).noneMatch(name -> name.contains(session.id()));
    assertThat(delivery.find(session.id())).isEmpty();
    assertThat(home.house().lineage().find(session.id())).isEmpty();
  }

  @Test
  void creditsAndAPendingUsageAreDurableBeforeTheFirstChunk() {
    Delivery.Session session = delivery.open(order("tones", null));
    assertThat(usage(session)).isEqualTo(UsageState.PENDING);
    List<String> atFirstChunk = new ArrayList<>();
    Ear ear =
        new Ear(() -> {
          atFirstChunk.add(usage(session).name());
          atFirstChunk.add(home.state(session.id()));
          atFirstChunk.addAll(home.files().stream().filter(f -> f.contains(session.id())).toList());
        });

    Clip clip = session.run(ear);

    assertThat(atFirstChunk).containsExactly("PENDING", "OPEN");
    assertThat(ear.order)
        .containsExactly("provisional credits", "provisional money", "chunk", "credits", "money");
    assertThat(ear.chunks.size()).isGreaterThan(2);
    assertThat(ear.provisional.stream().mapToDouble(CreditLine::share).sum()).isEqualTo(1);
    assertThat(usage(clip)).isEqualTo(UsageState.POSTED);
    assertThat(home.state(clip.id())).isEqualTo("DELIVERED");
  }

  @Test
  void aClipIsPaidForToTheLastMillionthAndTheBooksBalance() {
    Clip clip = delivery.open(order("", null)).run(new Ear());

    assertThat(clip.transfers().stream().mapToLong(TransferLine::amount).sum()).isEqualTo(2_000);
    assertThat(clip.credits().stream().mapToDouble(CreditLine::share).sum()).isEqualTo(1);
    assertThat(clip.credits())
        .extracting(CreditLine::recording)
        .contains("ZZTST2600001", "ZZTST2600002", "ZZTST2600003");
    assertThat(clip.shareRule()).isEqualTo("equal-share");
    assertThat(clip.reliability()).isNull();
    assertThat(clip.attribution().values().stream().mapToDouble(w -> w).sum())
        .isBetween(1 - 1e-9, 1 + 1e-9);
    BooksCheck books = home.house().ledger().check();
    assertThat(books.balanced()).as(books.problems().toString()).isTrue();
    assertThat(home.house().ledger().balances().values().stream().mapToLong(b -> b).sum()).isZero();
  }

  @Test
  void theFilesAreWhatWasHeardAndTheirCredentialsHold() throws Exception {
    Ear ear = new Ear();
    Clip clip = delivery.open(order("a tune", null)).run(ear);

    Pcm wav = AudioFile.decode(delivery.file(clip, "wav"));
    assertThat(wav.frames()).isEqualTo(2 * 44_100);
    assertThat(AudioFile.decode(delivery.file(clip, "flac"))).isEqualTo(wav);
    int at = 0;
    for (Pcm chunk : ear.chunks) {
      for (int i = 0; i < chunk.frames(); i++, at++) {
        assertThat(wav.channel(0)[at]).isCloseTo(chunk.channel(0)[i], within(1f / 32768));
      }
    }
    for (String ending : List.of("wav", "flac")) {
      CredentialReport report =
          ContentCredential.verify(delivery.file(clip, ending), home.house().key().root());
      assertThat(report.state()).isEqualTo(CredentialReport.State.TRUSTED);
      CredentialReport.Credential credential = report.credential();
      assertThat(credential.clipId()).isEqualTo(clip.id());
      assertThat(credential.modelId()).isEqualTo(clip.model());
      assertThat(credential.datasetRoot()).isEqualTo(clip.datasetRoot());
      assertThat(credential.ingredients().toString()).contains("Song 1", "Song 2", "Song 3");
    }
    assertThat(home.files()).noneMatch(name -> name.endsWith(".tmp"));
  }

  @Test
  void theThreadReachesRecordingsAndTransfers() {
    Clip clip = delivery.open(order("", TestHouse.ADA)).run(new Ear());

    Trace trace = home.house().lineage().trace(clip.id());
    List<Artefact> above = trace.ancestors().stream().map(Trace.Step::artefact).toList();
    assertThat(above)
        .extracting(Artefact::id)
        .contains("ZZTST2600001", "ZZTST2600002", "ZZTST2600003", clip.datasetRoot(), clip.model());
    assertThat(above)
        .filteredOn(a -> a.kind() == Artefact.Kind.DECISION)
        .anyMatch(a -> a.facts().contains("STYLE"));
    assertThat(trace.descendants())
        .extracting(step -> step.artefact().kind())
        .contains(Artefact.Kind.USAGE)
        .filteredOn(kind -> kind == Artefact.Kind.TRANSFER)
        .hasSize(clip.transfers().size());
    assertThat(home.house().log().checkpoint().size()).isPositive();
  }

  @Test
  void halfOfAllGoesToTheStyleThatWasAskedFor() {
    Clip clip = delivery.open(order("", TestHouse.BO)).run(new Ear());

    double bo =
        clip.credits().stream()
            .filter(line -> line.recording().equals("ZZTST2600002"))
            .mapToDouble(CreditLine::share)
            .sum();
    assertThat(bo).isBetween(0.5 + 0.5 / 3 - 1e-5, 0.5 + 0.5 / 3 + 1e-5);
    assertThat(clip.shareRule()).isEqualTo("half-to-style, equal-share");
    assertThat(clip.style()).isEqualTo("ZZTST2600002");
  }

  @ParameterizedTest
  @ValueSource(doubles = {0.29, 0.31})
  void attributionDividesOnlyWhenItIsReliable(double score, @TempDir Path other) {
    try (TestHouse measured = TestHouse.withReliability(other, score);
        Delivery door = new Delivery(measured.house())) {
      Clip clip = door.open(order("", null)).run(new Ear());

      assertThat(clip.reliability().decides()).isEqualTo(score > 0.3);
      assertThat(clip.shareRule()).isEqualTo(score > 0.3 ? "attribution" : "equal-share");
      double first =
          clip.credits().stream()
              .filter(line -> line.recording().equals("ZZTST2600001"))
              .mapToDouble(CreditLine::share)
              .sum();
      double expected = score > 0.3 ? clip.attribution().get("ZZTST2600001") : 1.0 / 3;
      assertThat(first).isBetween(expected - 1e-5, expected + 1e-5);
    }
  }

  @Test
  void aListenerThatFailsVoidsTheClip() {
    Delivery.Session session = delivery.open(order("", null));
    Ear ear =
        new Ear(() -> {
          throw new IllegalStateException("the listener fell over");
        });

    assertThatThrownBy(() -> session.run(ear)).hasMessage("the listener fell over");

    assertNothingIsLeft(session);
    assertThatThrownBy(() -> session.run(new Ear())).isInstanceOf(IllegalStateException.class);
    session.abandon("again");
    assertNothingIsLeft(session);
  }

  @Test
  void aListenerThatFailsAtTheVeryEndDoesNotUndoAPaidClip() {
    Delivery.Session session = delivery.open(order("", null));

    assertThatThrownBy(() ->
            session.run(
                new Ear() {
                  @Override
                  public void money(long total, List<TransferLine> lines, boolean provisional) {
                    if (!provisional) {
                      throw new IllegalStateException("too late");
                    }
                  }
                }))
        .hasMessage("too late");

    Clip clip = delivery.find(session.id()).orElseThrow();
    assertThat(usage(clip)).isEqualTo(UsageState.POSTED);
    assertThat(delivery.file(clip, "wav")).isRegularFile();
  }

  @Test
  void aFolderThatCannotBeWrittenVoidsTheClip(@TempDir Path other) throws Exception {
    try (TestHouse broken = TestHouse.in(other);
        Delivery door = new Delivery(broken.house())) {
      Delivery.Session session = door.open(order("", null));
      Files.delete(broken.house().clips());
      Files.writeString(broken.house().clips(), "a file where the folder was");

      assertThatThrownBy(() -> session.run(new Ear())).hasMessageContaining("annot write");

      String usage = "usage-" + session.id().substring(5);
      assertThat(broken.house().ledger().state(usage)).isEqualTo(UsageState.VOIDED);
      assertThat(door.find(session.id())).isEmpty();
    }
  }

  @Test
  void anAbandonedRequestIsVoided() {
    Delivery.Session session = delivery.open(order("", null));
    session.abandon("nobody waited");
    assertNothingIsLeft(session);
  }

  @Test
  void aModelOfAnUnknownDatasetIsNotPlayed() {
    try (Engine stranger = home.strangersEngine()) {
      assertThatThrownBy(() -> new Delivery(home.with(stranger)))
          .isInstanceOf(RefusedException.class)
          .hasMessageContaining("is not one of this home's");
    }
  }

  @Test
  void aPulledModelIsNotPlayedWhateverItsCardSays() throws IOException {
    try (Engine pulled = home.pulledEngine()) {
      assertThat(pulled.info().id()).isEqualTo(home.house().engine().info().id());
      assertThatThrownBy(() -> new Delivery(home.with(pulled)))
          .isInstanceOfSatisfying(
              RefusedException.class,
              refused -> {
                assertThat(refused).hasMessageContaining("hf:acme/tune may not be played");
                assertThat(refused.reasons()).hasSize(2);
              });
    }
  }

  @Test
  void aStyleThatIsNotOpenIsRefusedWithReasons() {
    assertThatThrownBy(() -> delivery.open(order("", TestHouse.CY)))
        .isInstanceOfSatisfying(
            RefusedException.class, refused -> assertThat(refused.reasons()).isNotEmpty());
    assertThatThrownBy(() -> delivery.open(order("", Isrc.of("ZZTST2699999"))))
        .isInstanceOf(RefusedException.class);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "something like Cy Marlow",
        "CY  MARLOW!",
        "in the manner of cy-marlow",
        "Çy Márlow",
        "cy\nmarlow"
      })
  void namingAnArtistAsksForTheirStyle(String text) {
    assertThatThrownBy(() -> delivery.open(order(text, null)))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("Cy Marlow would rather not be asked");
    Order tagged = new Order("", 2.0, null, null, List.of("warm", text), null, 1L);
    assertThatThrownBy(() -> delivery.open(tagged)).isInstanceOf(RefusedException.class);
  }

  @ParameterizedTest
  @ValueSource(strings = {"like Ada Lumen", "fancy marlowe", "Marlow", "cy"})
  void otherWordsDoNot(String text) {
    delivery.open(order(text, null)).abandon("only asked");
  }

  @Test
  void anArtistWithoutSpacesInTheirNameIsFoundInARunningText() {
    assertThat(StyleGate.words("初音ミク風の曲")).contains("初音ミク");
    assertThat(StyleGate.words("  ")).isEmpty();
    assertThat(StyleGate.words("Hello, Wörld")).isEqualTo(" hello world ");
  }

  @Test
  void badWordsAreRefusedInASentence() {
    assertThatThrownBy(() -> delivery.open(order("x".repeat(1 << 20), null)))
        .isInstanceOf(EngineException.class)
        .hasMessageContaining("at most");
    assertThatThrownBy(() -> delivery.open(order("a\u0000b", null)))
        .isInstanceOf(EngineException.class)
        .hasMessageContaining("cannot be written");
    List<String> tags = new ArrayList<>();
    tags.add(null);
    assertThatThrownBy(() -> delivery.open(new Order("", 2.0, null, null, tags, null, 1L)))
        .isInstanceOf(EngineException.class)
        .hasMessageContaining("null");
  }

  @Test
  void aRunningGenerationStopsWhenItsStyleIsTakenBack() {
    Delivery.Session session =
        delivery.open(
            new Order("", 60.0, 100.0, "D minor", List.of(), TestHouse.BO.toString(), 7L));
    long[] said = {0};
    try {
      Ear ear =
          new Ear(() -> {
            said[0] = System.nanoTime();
            home.choose(TestHouse.BO, Use.STYLE, false);
          });

      assertThatThrownBy(() -> session.run(ear))
          .isInstanceOfSatisfying(
              RefusedException.class, refused -> assertThat(refused.reasons()).isNotEmpty())
          .hasMessageContaining("taken their yes back");

      System.out.printf(
          "A running generation ended %d ms after the refusal, with %.1f of 60 s made%n",
          (System.nanoTime() - said[0]) / 1_000_000,
          ear.chunks.stream().mapToDouble(Pcm::seconds).sum());
      assertNothingIsLeft(session);
    } finally {
      home.choose(TestHouse.BO, Use.STYLE, true);
    }
  }

  @Test
  void aStyleTakenBackBetweenOpeningAndRunningIsNotHeard() {
    Delivery.Session session = delivery.open(order("", TestHouse.BO));
    try {
      home.choose(TestHouse.BO, Use.STYLE, false);
      Ear ear = new Ear();
      assertThatThrownBy(() -> session.run(ear)).isInstanceOf(RefusedException.class);
      assertThat(ear.order).isEmpty();
      assertNothingIsLeft(session);
    } finally {
      home.choose(TestHouse.BO, Use.STYLE, true);
    }
  }

  @Test
  void aModelRestsWithoutRunOffAndIsFlaggedWithIt() {
    assertThat(delivery.flagged()).isEmpty();
    home.choose(TestHouse.ADA, Use.TRAIN, false);
    try {
      assertThat(delivery.flagged())
          .extracting(Delivery.FlagLine::isrc)
          .containsExactly("ZZTST2600001");
      delivery.open(order("", null)).abandon("only asked");

      home.choose(TestHouse.BO, Use.TRAIN, false);
      assertThatThrownBy(() -> delivery.open(order("", null)))
          .isInstanceOfSatisfying(
              RefusedException.class,
              refused ->
                  assertThat(refused.reasons())
                      .singleElement()
                      .asString()
                      .contains("ZZ-TST-26-00002"))
          .hasMessageContaining("has to rest");
      assertThatThrownBy(delivery::flagged).isInstanceOf(RefusedException.class);
    } finally {
      home.choose(TestHouse.ADA, Use.TRAIN, true);
      home.choose(TestHouse.BO, Use.TRAIN, true);
    }
    assertThat(delivery.flagged()).isEmpty();
  }

  @Test
  void recoveringVoidsWhatTheDeadLeftAndNotWhatTheLivingAreAt() {
    Delivery.Session living = delivery.open(order("", null));
    Delivery.Session dead = delivery.open(order("", null));
    home.sql("update serving.clip set door = 0 where id = '" + dead.id() + "'");
    Path left = home.house().clips().resolve(dead.id() + ".wav.tmp");
    write(left);
    try (Delivery other = new Delivery(home.house())) {
      assertThat(other.recover(Instant.now().plusSeconds(1))).isEqualTo(1);
      assertThat(other.recover(Instant.now().plusSeconds(1))).isZero();
    }

    assertNothingIsLeft(dead);
    assertThat(usage(living)).isEqualTo(UsageState.PENDING);
    Clip clip = living.run(new Ear());
    assertThat(usage(clip)).isEqualTo(UsageState.POSTED);
    assertThatThrownBy(() -> dead.run(new Ear())).hasMessageContaining("voided");
  }

  @Test
  void aProcessThatLosesItsConnectionLosesItsClaim() {
    Delivery lost = new Delivery(home.house());
    Delivery.Session session = lost.open(order("", null));
    assertThat(delivery.recover(Instant.now().plusSeconds(1))).isZero();
    // What the server does when a process is killed.
    home.sql(
        """
        select pg_terminate_backend(pid) from pg_locks
        where locktype = 'advisory' and objid = (select door from serving.clip where id = '%s')
        """
            .formatted(session.id()));
    int voided = 0;
    for (int i = 0; i < 100 && voided == 0; i++) {
      voided = delivery.recover(Instant.now().plusSeconds(1));
    }

    assertThat(voided).isEqualTo(1);
    assertThatThrownBy(() -> session.run(new Ear())).hasMessageContaining("voided");
    assertNothingIsLeft(session);
    lost.close();
  }

  private static void write(Path file) {
    try {
      Files.writeString(file, "half a file");
    } catch (java.io.IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  @Test
  void whatWasPaidForWhenAProcessDiedIsFinished() {
    // As if the process had ended between the books and the names of the files.
    Clip clip = delivery.open(order("paid", null)).run(new Ear());
    Path wav = delivery.file(clip, "wav");
    home.sql(
        """
        update serving.clip set state = 'OPEN', door = 0, draft = result, result = null
        where id = '%s'
        """
            .formatted(clip.id()));
    move(wav, wav.resolveSibling(wav.getFileName() + ".tmp"));
    assertThat(delivery.find(clip.id())).isEmpty();

    assertThat(delivery.recover(Instant.now().plusSeconds(1))).isZero();

    Clip again = delivery.find(clip.id()).orElseThrow();
    assertThat(again.transfers()).isEqualTo(clip.transfers());
    assertThat(again.wavSha256()).isEqualTo(clip.wavSha256());
    assertThat(wav).isRegularFile();
  }

  private static void move(Path from, Path to) {
    try {
      Files.move(from, to);
    } catch (java.io.IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  @Test
  void aClipOfAnotherVersionCanBeRead() {
    Clip clip = delivery.open(order("", null)).run(new Ear());
    home.sql(
        """
        update serving.clip
        set result = (result - 'reliability' - 'realTimeFactor' - 'flacSha256')
          || '{"mood": "blue", "copied": {"seconds": 0, "recording": "", "surprise": [1]}}'
        where id = '%s'
        """
            .formatted(clip.id()));

    Clip read = delivery.find(clip.id()).orElseThrow();
    assertThat(read.credits()).isEqualTo(clip.credits());
    assertThat(read.attribution().entrySet())
        .containsExactlyElementsOf(clip.attribution().entrySet());
    assertThat(List.copyOf(read.attribution().values()))
        .isSortedAccordingTo(java.util.Comparator.reverseOrder());
    assertThat(delivery.newest(50)).extracting(Clip::id).contains(clip.id());
  }

  @Test
  void sessionsFromManyThreadsAllEndPaid() throws Exception {
    try (ExecutorService threads = Executors.newFixedThreadPool(4)) {
      List<Future<Clip>> made = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        Order order = new Order("", 2.0, null, null, List.of(), null, (long) i);
        made.add(threads.submit(() -> delivery.open(order).run(new Ear())));
      }
      for (Future<Clip> each : made) {
        assertThat(usage(each.get())).isEqualTo(UsageState.POSTED);
      }
    }
    assertThat(home.house().ledger().check().balanced()).isTrue();
  }

  @Test
  void closingTheDoorStopsAndVoidsWhatIsBehindIt() {
    Delivery door = new Delivery(home.house());
    Delivery.Session waiting = door.open(order("", null));
    Delivery.Session running = door.open(new Order("", 60.0, null, null, List.of(), null, 1L));
    CompletableFuture<Void> started = new CompletableFuture<>();
    CompletableFuture<Clip> ended =
        CompletableFuture.supplyAsync(() -> running.run(new Ear(() -> started.complete(null))));
    started.join();

    door.close();

    // The door has closed behind the session; its own thread may need a moment to say so.
    assertThat(ended)
        .failsWithin(java.time.Duration.ofSeconds(30))
        .withThrowableThat()
        .withMessageContaining("being closed");
    assertNothingIsLeft(running);
    assertNothingIsLeft(waiting);
    assertThatThrownBy(() -> door.open(order("", null))).hasMessageContaining("closed");
    door.close();
  }

  @Test
  void aStudyIsMarkedAndPaysNobody() throws Exception {
    var generation =
        home.house()
            .engine()
            .generate(
                new org.descant.engine.GenerationRequest("", 2, 100d, null, List.of(), null, 1, 2),
                chunk -> {},
                () -> false);
    Path file = Delivery.study(generation, folder, "ear");
    assertThat(file).hasFileName("ear.study.wav");
    try (InputStream in = Files.newInputStream(file)) {
      assertThat(in.readNBytes(4)).isEqualTo("RIFF".getBytes());
    }
  }

  // ---------------------------------------------------------------- clips from clips

  private static Order from(
      String goOnFrom, String fillIn, Double from, Double to, Boolean onlyNew, String melodyOf) {
    return new Order(
        null,
        fillIn == null ? 2.0 : null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        melodyOf,
        goOnFrom,
        fillIn,
        from,
        to,
        onlyNew,
        null,
        null,
        null,
        null,
        null);
  }

  private static List<String> above(Clip clip) {
    return home.house().lineage().trace(clip.id()).ancestors().stream()
        .map(step -> step.artefact().id())
        .toList();
  }

  private static Clip made(Order order) {
    return delivery.open(order).run(new Ear());
  }

  @Test
  void aClipGoesOnInItsTempoKeyAndStyleAndIsAParentOfWhatComes() {
    Clip first = made(order("a tune", TestHouse.ADA));
    Delivery.Session session = delivery.open(from(first.id(), null, null, null, null, null));
    assertThat(session.seconds()).isEqualTo(4);
    Clip second = session.run(new Ear());
    assertThat(second.seconds()).isEqualTo(4);
    assertThat(second.madeFrom()).isEqualTo(first.id());
    assertThat(second.tempo()).isEqualTo(first.tempo());
    assertThat(second.key()).isEqualTo(first.key());
    assertThat(second.text()).isEqualTo("a tune");
    // The style goes on, through its gate, and so do its half of credit and money.
    assertThat(second.style()).isEqualTo(TestHouse.ADA.toString());
    assertThat(second.shareRule()).isEqualTo(first.shareRule()).startsWith("half-to-style");
    assertThat(above(second)).contains(first.id(), first.styleDecision(), first.model());
    assertThat(home.house().ledger().usage(second.usage()).orElseThrow().seconds()).isEqualTo(2);
    Clip part = made(from(second.id(), null, null, null, true, null));
    assertThat(part.seconds()).isEqualTo(2);
    assertThat(delivery.identify(delivery.file(part, "wav")).id()).isEqualTo(part.id());
    assertThat(delivery.identify(delivery.file(part, "flac")).id()).isEqualTo(part.id());
  }

  @Test
  void aSpanIsMadeAnewAndAMelodyTakenFromAClip() {
    Clip first = made(order("", null));
    Clip second = made(from(null, first.id(), 0.5, 1.5, null, first.id()));
    assertThat(second.seconds()).isEqualTo(first.seconds());
    assertThat(second.melodyOf()).isEqualTo(first.id());
    assertThat(second.wavSha256()).isNotEqualTo(first.wavSha256());
    assertThat(home.house().ledger().usage(second.usage()).orElseThrow().seconds()).isEqualTo(1);
    assertThat(above(second)).contains(first.id());
  }

  @Test
  void whatIsNoClipOfThisHouseIsRefusedAndPartsThatDoNotGoTogetherToo() throws Exception {
    assertThatThrownBy(() -> delivery.open(from("clip-none", null, null, null, null, null)))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("no clip clip-none");
    Path stranger = folder.resolve("stranger.wav");
    AudioWriter.wav16(new Pcm(new float[2][44_100], 44_100), stranger);
    assertThatThrownBy(() -> delivery.identify(stranger))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("no clip that this house delivered");
    Clip first = made(order("", TestHouse.ADA));
    Order otherStyle =
        new Order(
            null,
            2.0,
            null,
            null,
            null,
            TestHouse.BO.toString(),
            null,
            null,
            null,
            null,
            first.id(),
            null,
            null,
            null,
            null,
            null,
            null,
            null,
            null,
            null);
    assertThatThrownBy(() -> delivery.open(otherStyle)).hasMessageContaining("one style");
    Order inSteps =
        new Order(
            null, 2.0, null, null, null, null, null, null, null, null, null, null, null, null, null,
            4, null, null, null, null);
    assertThatThrownBy(() -> delivery.open(inSteps))
        .isInstanceOf(EngineException.class)
        .hasMessageContaining("belong to flow models");
    for (Order wrong :
        List.of(
            from(first.id(), first.id(), 1.0, 2.0, null, null),
            from(null, first.id(), 1.0, null, null, null),
            from(null, null, 1.0, 2.0, null, null),
            from(null, null, null, null, true, null),
            from(null, first.id(), 1.0, 7.0, null, null))) {
      assertThatThrownBy(() -> delivery.open(wrong)).isInstanceOf(EngineException.class);
    }
  }

  // ---------------------------------------------------------------- copies

  /**
   * What a model makes that knows a recording by heart: its codes from a frame on, and them
   * decoded.
   */
  private static Pcm recited(MagnitudeCodec codec, Pcm recording, int from) {
    int[][] codes = codec.encode(recording.resampled(codec.sampleRate()).channels());
    for (int book = 0; book < codes.length; book++) {
      codes[book] = Arrays.copyOfRange(codes[book], from, codes[book].length);
    }
    return new Pcm(codec.decode(codes), codec.sampleRate());
  }

  /**
   * An order that goes on from a clip of this house whose sound was exchanged: the model's codec
   * codes and decodes it, and the new clip begins with that.
   */
  private static Order afterClipOf(Pcm sound) throws IOException {
    Clip clip = made(order("", null));
    Path flac = delivery.file(clip, "flac");
    AudioWriter.flac(sound, flac);
    home.sql(
        "update serving.clip set result = result || '{\"flacSha256\": \"%s\"}' where id = '%s'"
            .formatted(ClipFiles.sha256(flac), clip.id()));
    return from(clip.id(), null, null, null, null, null);
  }

  @Test
  void whatRecitesARecordingIsFoundByWhatTheCodecGivesBackAlone() {
    try (HouseModel model = HouseModel.load(home.model())) {
      MagnitudeCodec codec = model.codec();
      CopyCheck check =
          new CopyCheck(
              home.house().catalog(), home.house().attributor(), delivery.model().trainedOn());
      for (Isrc isrc : List.of(TestHouse.ADA, TestHouse.BO, TestHouse.CY)) {
        Pcm recording = home.house().catalog().audio(isrc);
        Pcm copy = recited(codec, recording, 8);
        // The recording itself does not tell, or this test would not either.
        assertThat(CopiedSpan.longest(Fingerprint.of(copy), Fingerprint.of(recording)).seconds())
            .isLessThan(Delivery.COPIED_SECONDS_MAX);
        assertThatThrownBy(() -> check.require(copy))
            .isInstanceOfSatisfying(
                RefusedException.class,
                refused ->
                    assertThat(refused.reasons())
                        .singleElement()
                        .asString()
                        .contains("s are like " + isrc));
        assertThatThrownBy(() -> check.require(recording)).isInstanceOf(RefusedException.class);
      }
      for (int seed = 10; seed < 15; seed++) {
        Pcm other = TestHouse.tune(seed, 5);
        assertThat(check.require(other).seconds()).isLessThan(1.5);
        assertThat(check.require(recited(codec, other, 8)).seconds()).isLessThan(1.5);
      }
    }
  }

  @Test
  void aClipThatRecitesARecordingIsNotDeliveredAndOtherMusicIs() throws Exception {
    Order copying = afterClipOf(home.house().catalog().audio(TestHouse.BO));
    Delivery.Session session = delivery.open(copying);
    assertThatThrownBy(() -> session.run(TestHouse.SILENT))
        .hasMessageContaining("too close to an existing recording")
        .isInstanceOfSatisfying(
            RefusedException.class, refused -> assertThat(refused.isByChance()).isTrue());
    assertNothingIsLeft(session);

    Clip other = made(afterClipOf(TestHouse.tune(10, 5)));
    assertThat(other.copied().seconds()).isLessThan(Delivery.COPIED_SECONDS_MAX);
  }
}
