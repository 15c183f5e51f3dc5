package org.descant.models.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.descant.models.ModelException;
import org.descant.models.hub.ModelPull.Result;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Against two real servers on this machine, the hub and the one it redirects to. */
class ModelPullTest {
  private static final HubReference TUNE = HubReference.parse("hf:acme/tune");
  private static final String WEIGHTS = "model.safetensors";

  @TempDir Path models;

  /** Keeps what it hears. */
  private static final class Ear implements PullListener {
    final List<String> waits = new ArrayList<>();
    final List<String> files = new ArrayList<>();
    final List<PullProgress> progress = new ArrayList<>();

    @Override
    public void waiting(String sentence) {
      waits.add(sentence);
    }

    @Override
    public void file(String path, long bytes, long bytesFetched) {
      files.add(path + " " + bytes + " " + bytesFetched);
    }

    @Override
    public void progress(PullProgress at) {
      progress.add(at);
    }
  }

  private PulledModels shelf() {
    return PulledModels.in(models);
  }

  private Result pull(TestHub hub) {
    return pull(hub, TUNE, new Ear(), TestHub.QUICK);
  }

  private Result pull(TestHub hub, HubReference what, PullListener ear, HubTimings timings) {
    try (HubClient client = new HubClient(hub.endpoint(), TestHub.TOKEN, timings)) {
      return new ModelPull(client, shelf(), ear).pull(what);
    }
  }

  private void assertWhole(TestHub hub, Result result) throws IOException {
    for (PulledModel.Entry file : result.model().files()) {
      assertThat(result.folder().resolve(file.path())).hasBinaryContent(hub.files.get(file.path()));
    }
    assertThat(PulledModel.read(result.folder())).isEqualTo(result.model());
    assertThat(models.resolve(".hub/incoming/acme--tune")).doesNotExist();
  }

  private void assertNothing() throws IOException {
    assertThat(shelf().list().models()).isEmpty();
    assertThat(models.resolve("acme--tune")).doesNotExist();
  }

  /** A pull that must fail in one sentence and leave no model and no half blob. */
  private String refused(TestHub hub) throws IOException {
    String[] sentence = {""};
    assertThatThrownBy(() -> pull(hub))
        .isInstanceOfSatisfying(
            ModelException.class, e -> sentence[0] = String.valueOf(e.getMessage()));
    assertThat(sentence[0]).endsWith(".").doesNotContain(TestHub.TOKEN, "Exception");
    assertNothing();
    return sentence[0];
  }

  private List<Path> blobs() throws IOException {
    try (Stream<Path> all = Files.walk(models.resolve(".hub/blobs/sha256"))) {
      return all.filter(Files::isRegularFile).toList();
    }
  }

  private List<Path> parts() throws IOException {
    try (Stream<Path> all = Files.walk(models.resolve(".hub/incoming"))) {
      return all.filter(path -> path.toString().endsWith(".part")).toList();
    }
  }

  @Test
  void aModelIsPulledOnceAndRecorded() throws IOException {
    try (TestHub hub = TestHub.with(300_000, 1)) {
      hub.files.put("pytorch_model.bin", new byte[] {1});
      hub.files.put("README.md", new byte[] {2});
      hub.files.put("empty.txt", new byte[0]);
      Ear ear = new Ear();

      Result first = pull(hub, TUNE, ear, TestHub.QUICK);

      assertWhole(hub, first);
      assertThat(first.refused()).containsExactly("pytorch_model.bin");
      assertThat(first.left()).containsExactly("README.md");
      assertThat(first.bytesFetched()).isEqualTo(300_000 + 22);
      assertThat(ear.files)
          .containsExactly("config.json 22 22", WEIGHTS + " 300000 300000", "empty.txt 0 0");
      PulledModel record = first.model();
      assertThat(record.repo()).isEqualTo("acme/tune");
      assertThat(record.commit()).isEqualTo(TestHub.COMMIT);
      assertThat(record.endpoint()).isEqualTo(hub.endpoint().toString());
      assertThat(record.licence()).isEqualTo("mit");
      assertThat(record.files().get(1).sha256()).isEqualTo(TestHub.sha256(hub.files.get(WEIGHTS)));
      assertThat(first.folder()).isEqualTo(models.resolve("acme--tune").resolve(TestHub.COMMIT));
      assertThat(first.folder().resolve("pytorch_model.bin")).doesNotExist();
      assertThat(hub.of("pytorch_model.bin")).isEmpty();

      hub.requests.clear();
      Result again = pull(hub);

      assertThat(again.bytesFetched()).isZero();
      assertThat(again.model()).isEqualTo(record);
      assertThat(hub.requests).hasSize(1).allMatch(r -> r.path().startsWith("/api/models/"));
    }
  }

  @Test
  void theSameContentTakesNoBytesInAnotherModelOrRevision() throws IOException {
    try (TestHub hub = TestHub.with(50_000, 2)) {
      Result first = pull(hub);
      String other = TestHub.COMMIT.replace('0', 'f');
      hub.listing = json -> json.replace(TestHub.COMMIT, other);

      Result second = pull(hub, HubReference.parse("hf:acme/tune@next"), new Ear(), TestHub.QUICK);

      assertThat(second.bytesFetched()).isZero();
      assertThat(second.folder()).isNotEqualTo(first.folder());
      assertWhole(hub, second);
      assertThat(blobs()).hasSize(2);
      assertThat(shelf().find("acme/tune@next")).contains(second.model());
      assertThat(shelf().find("hf:acme/tune@" + TestHub.COMMIT.substring(0, 7)))
          .contains(first.model());
    }
  }

  @Test
  void aDamagedFolderIsMadeAgainFromItsBlobs() throws IOException {
    try (TestHub hub = TestHub.with(50_000, 3)) {
      Result first = pull(hub);
      Files.delete(first.folder().resolve("config.json"));
      assertThat(PulledModels.damaged(first.model(), shelf().folder(first.model()), false))
          .containsExactly("config.json");

      Result again = pull(hub);

      assertThat(again.bytesFetched()).isZero();
      assertWhole(hub, again);
      assertThat(PulledModels.damaged(again.model(), shelf().folder(again.model()), true))
          .isEmpty();
    }
  }

  @Test
  void theTokenGoesToTheHubAndToNobodyElse() throws IOException {
    try (TestHub hub = TestHub.with(10_000, 4)) {
      hub.relative = true;

      assertWhole(hub, pull(hub));

      assertThat(hub.requests.stream().map(TestHub.Request::server)).contains("hub", "store");
      assertThat(hub.requests)
          .allSatisfy(r ->
              assertThat(r.authorization())
                  .isEqualTo(r.server().equals("hub") ? "Bearer " + TestHub.TOKEN : "null"));
      assertThat(hub.requests).anyMatch(r -> r.path().equals("/api/resolve-cache/config.json"));
    }
  }

  @Test
  void aTokenIsNotSentInClearAndIsNeverShown() {
    assertThatThrownBy(() ->
            new HubClient(HubEndpoint.parse("http://192.0.2.1"), TestHub.TOKEN, HubTimings.usual()))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("in clear")
        .hasMessageNotContaining(TestHub.TOKEN);
    assertThatThrownBy(() ->
            new HubClient(
                HubEndpoint.parse("https://hub.example"), "two\nlines", HubTimings.usual()))
        .isInstanceOf(ModelException.class)
        .hasMessageNotContaining("lines");
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aCutDownloadGoesOnWhereItWas(boolean listed) throws IOException {
    try (TestHub hub = TestHub.with(400_000, 5)) {
      hub.listsHashes = listed;
      hub.files.remove("config.json");
      hub.faults.add(TestHub.cutAfter(100_000));
      hub.faults.add(TestHub.cutAfter(50_001));

      Result result = pull(hub);

      assertWhole(hub, result);
      assertThat(hub.of(WEIGHTS).stream().filter(r -> r.server().equals("store")))
          .extracting(TestHub.Request::range)
          .containsExactly("null", "bytes=100000-", "bytes=150001-");
      assertThat(result.bytesFetched()).isEqualTo(400_000);
    }
  }

  @Test
  void theNextPullGoesOnWithWhatAFailedOneLeft() throws IOException {
    try (TestHub hub = TestHub.with(100_000, 6)) {
      hub.files.remove("config.json");
      hub.faults.add(TestHub.cutAfter(30_000));
      for (int i = 0; i < TestHub.QUICK.triesInARowMax(); i++) {
        hub.faults.add(TestHub.status(503));
      }
      assertThat(refused(hub)).contains("503").contains("goes on where it was");
      assertThat(parts()).hasSize(1).allMatch(part -> part.toFile().length() == 30_000);
      hub.requests.clear();

      Result result = pull(hub);

      assertWhole(hub, result);
      assertThat(result.bytesFetched()).isEqualTo(70_000);
    }
  }

  @Test
  void aFileThatChangesWhileItComesStartsAgain() throws IOException {
    try (TestHub hub = TestHub.with(80_000, 7)) {
      hub.files.remove("config.json");
      byte[] right = hub.files.get(WEIGHTS);
      byte[] older = right.clone();
      older[10] ^= 1;
      // The first answer is of an older file, which has another entity tag.
      hub.faults.add((exchange, content) -> {
        exchange.getResponseHeaders().set("ETag", "\"older\"");
        TestHub.serve(exchange, older, 40_000);
      });

      Result result = pull(hub);

      assertWhole(hub, result);
      assertThat(result.bytesFetched()).isEqualTo(40_000 + 80_000);
    }
  }

  @Test
  void piecesOfTwoVersionsWithoutEntityTagsAreFetchedFromTheStartOnce() throws IOException {
    try (TestHub hub = TestHub.with(80_000, 8)) {
      hub.files.remove("config.json");
      byte[] older = hub.files.get(WEIGHTS).clone();
      older[10] ^= 1;
      hub.faults.add((exchange, content) -> {
        exchange.getResponseHeaders().remove("ETag");
        TestHub.serve(exchange, older, 40_000);
      });

      Result result = pull(hub);

      assertWhole(hub, result);
      assertThat(result.bytesFetched()).isEqualTo(80_000 + 80_000);
    }
  }

  @Test
  void aServerThatIgnoresOrMistakesRangesIsCopedWith() throws IOException {
    try (TestHub hub = TestHub.with(60_000, 9)) {
      hub.files.remove("config.json");
      hub.faults.add(TestHub.cutAfter(20_000));
      hub.faults.add((exchange, content) -> TestHub.send(exchange, 200, content, 0, 30_000));
      hub.faults.add((exchange, content) -> {
        exchange.getResponseHeaders().set("Content-Range", "bytes 0-59999/60000");
        TestHub.send(exchange, 206, content, 0, 60_000);
      });
      hub.faults.add(TestHub.cutAfter(50_000));
      hub.faults.add(TestHub.status(416));

      assertWhole(hub, pull(hub));
      assertThat(hub.faults).isEmpty();
    }
  }

  @Test
  void aWrongContentIsAClearErrorAndNothingIsKept() throws IOException {
    try (TestHub hub = TestHub.with(5_000, 10)) {
      byte[] wrong = hub.files.get(WEIGHTS).clone();
      wrong[4_999] ^= 1;
      hub.redirects = false;
      hub.files.remove("config.json");
      hub.faults.add((exchange, content) -> TestHub.serve(exchange, wrong, 5_000));

      assertThat(refused(hub)).contains(WEIGHTS).contains("does not have the content");
      assertThat(blobs()).isEmpty();
      assertThat(parts()).isEmpty();
    }
  }

  @Test
  void aSmallFileIsCheckedByGitsHash() throws IOException {
    try (TestHub hub = TestHub.with(100, 11)) {
      hub.faults.add((exchange, content) ->
          TestHub.serve(
              exchange, "{\"model_type\": \"evil\"}".getBytes(StandardCharsets.UTF_8), 99));

      assertThat(refused(hub)).contains("config.json").contains("git:");
    }
  }

  @Test
  void aWrongSizeIsAClearError() throws IOException {
    try (TestHub hub = TestHub.with(5_000, 12)) {
      hub.files.remove("config.json");
      hub.faults.add((exchange, content) ->
          TestHub.send(exchange, 200, Arrays.copyOf(content, 6_000), 0, 6_000));
      assertThat(refused(hub)).contains("5000 bytes").contains("6000");

      // Without a length at the front it is noticed when it has come.
      hub.faults.add((exchange, content) -> {
        exchange.sendResponseHeaders(200, 0);
        exchange.getResponseBody().write(Arrays.copyOf(content, 6_000));
      });
      assertThat(refused(hub)).contains("longer than the 5000 bytes");

      hub.hubHeaders.put("X-Linked-Size", "4999");
      assertThat(refused(hub)).contains("5000 bytes").contains("4999");
      hub.hubHeaders.clear();
      hub.hubHeaders.put("X-Linked-ETag", "\"" + "a".repeat(64) + "\"");
      assertThat(refused(hub)).contains("a".repeat(64));
      hub.hubHeaders.clear();
      hub.hubHeaders.put("X-Repo-Commit", "b".repeat(40));
      assertThat(refused(hub)).contains("b".repeat(40));
      assertThat(blobs()).isEmpty();
      assertThat(parts()).isEmpty();
    }
  }

  @Test
  void compressedAnswersAreRefused() throws IOException {
    try (TestHub hub = TestHub.with(5_000, 13)) {
      hub.faults.add(TestHub.status(200, "Content-Encoding", "gzip"));
      assertThat(refused(hub)).contains("gzip");
    }
  }

  @Test
  void whatCannotBeCheckedIsNotTaken() throws IOException {
    try (TestHub hub = TestHub.with(5_000, 14)) {
      hub.listsHashes = false;
      hub.hubHeaders.put("X-Linked-ETag", "\"no-hash\"");
      assertThat(refused(hub)).contains("which hash");
    }
  }

  @Test
  void redirectsEnd() throws IOException {
    try (TestHub hub = TestHub.with(5_000, 15)) {
      hub.redirects = false;
      for (int i = 0; i < 100; i++) {
        hub.faults.add(
            (exchange, content) -> TestHub.redirect(exchange, exchange.getRequestURI().getPath()));
      }
      assertThat(refused(hub)).contains("redirects more than 8 times");
      assertThat(hub.faults).hasSize(91);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "ftp://127.0.0.1/x",
        "file:///etc/passwd",
        "http://a:b@127.0.0.1/",
        "http://[",
        "http:x",
        "data:,x"
      })
  void aRedirectToNoServerIsRefused(String location) throws IOException {
    try (TestHub hub = TestHub.with(5_000, 16)) {
      hub.redirects = false;
      hub.faults.add((exchange, content) -> TestHub.redirect(exchange, location));
      assertThat(refused(hub)).contains("no address of a server");
    }
  }

  @Test
  void aHubThatAsksForAPauseGetsIt() throws IOException {
    try (TestHub hub = TestHub.with(5_000, 17)) {
      hub.listingFaults.add(TestHub.status(429, "Retry-After", "1"));
      hub.faults.add(
          TestHub.status(
              503,
              "Retry-After",
              DateTimeFormatter.RFC_1123_DATE_TIME.format(
                  ZonedDateTime.of(2020, 1, 1, 0, 0, 0, 0, ZoneOffset.UTC))));
      Ear ear = new Ear();

      assertWhole(hub, pull(hub, TUNE, ear, TestHub.QUICK));

      assertThat(ear.waits).hasSize(2);
      assertThat(ear.waits.getFirst()).contains("429").endsWith("trying again in 1.0 s");
      assertThat(ear.waits.getLast()).contains("503").endsWith("trying again in 0.0 s");

      try (TestHub busy = TestHub.with(5_000, 17)) {
        busy.listingFaults.add(TestHub.status(429, "Retry-After", "3600"));
        assertThatThrownBy(() -> pull(busy)).hasMessageContaining("come back in 3600 s");
      }
    }
  }

  @Test
  void errorsSayWhatToDo() throws IOException {
    try (TestHub hub = TestHub.with(5_000, 18)) {
      assertThatThrownBy(
              () -> pull(hub, HubReference.parse("hf:acme/nothing"), new Ear(), TestHub.QUICK))
          .hasMessageContaining("check the spelling");
      hub.listingFaults.add(TestHub.status(404, "X-Error-Code", "RevisionNotFound"));
      assertThatThrownBy(
              () -> pull(hub, HubReference.parse("hf:acme/tune@v9"), new Ear(), TestHub.QUICK))
          .hasMessageContaining("no revision 'v9'")
          .hasMessageContaining("leave @v9 away");
      hub.listingFaults.add(TestHub.status(401, "X-Error-Message", "Who are\u009b31m you?"));
      assertThat(refused(hub))
          .contains("does not accept HF_TOKEN")
          .contains("Who are")
          .doesNotContain("\u009b");
      hub.listingFaults.add(TestHub.status(403));
      assertThat(refused(hub)).contains("accept the model's terms");
      hub.listingFaults.add(TestHub.status(451));
      assertThat(refused(hub)).contains("taken acme/tune down");
      hub.listingFaults.add(TestHub.status(400));
      assertThat(refused(hub)).contains("answered 400");
      hub.faults.add(TestHub.status(404));
      assertThat(refused(hub)).contains("acme/tune/config.json");
    }
    try (TestHub gone = TestHub.with(1, 1)) {
      HubEndpoint endpoint = gone.endpoint();
      gone.close();
      try (HubClient client = new HubClient(endpoint, null, TestHub.QUICK)) {
        assertThatThrownBy(() -> client.list(TUNE))
            .isInstanceOf(ModelException.class)
            .hasMessageContaining("cannot be reached, at 4 tries");
      }
    }
  }

  @Test
  void anAddressThatHasGoneStaleIsAskedForAgain() throws IOException {
    try (TestHub hub = TestHub.with(5_000, 19)) {
      hub.files.remove("config.json");
      hub.faults.add(TestHub.status(403));
      assertWhole(hub, pull(hub));
    }
  }

  @Test
  void aTrickleIsGivenUpAndTriedAgain() throws IOException {
    HubTimings impatient =
        new HubTimings(
            Duration.ofSeconds(2),
            Duration.ofSeconds(5),
            Duration.ofMillis(200),
            1_000,
            3,
            9,
            Duration.ofMillis(1),
            Duration.ofMillis(1),
            Duration.ofSeconds(1),
            Duration.ofSeconds(1));
    try (TestHub hub = TestHub.with(50_000, 20)) {
      hub.files.remove("config.json");
      CountDownLatch end = new CountDownLatch(1);
      TestHub.Fault trickle =
          (exchange, content) -> {
            exchange.sendResponseHeaders(200, content.length);
            OutputStream out = exchange.getResponseBody();
            try {
              for (int i = 0; i < 1_000 && end.getCount() > 0; i++) {
                out.write(content[i]);
                out.flush();
                Thread.sleep(20);
              }
            } catch (InterruptedException e) {
              Thread.currentThread().interrupt();
            }
          };
      hub.faults.add(trickle);
      Ear ear = new Ear();

      assertWhole(hub, pull(hub, TUNE, ear, impatient));

      assertThat(ear.waits).anyMatch(wait -> wait.contains("came in 0.2 s"));
      end.countDown();
    }
    try (TestHub silent = TestHub.with(500, 21)) {
      HubTimings short_ =
          new HubTimings(
              Duration.ofSeconds(2),
              Duration.ofMillis(150),
              Duration.ofSeconds(1),
              1,
              2,
              9,
              Duration.ofMillis(1),
              Duration.ofMillis(1),
              Duration.ofSeconds(1),
              Duration.ofSeconds(1));
      CountDownLatch end = new CountDownLatch(1);
      TestHub.Fault silence =
          (exchange, content) -> {
            try {
              end.await();
            } catch (InterruptedException e) {
              Thread.currentThread().interrupt();
            }
          };
      silent.listingFaults.add(silence);
      silent.listingFaults.add(silence);

      assertThatThrownBy(() -> pull(silent, TUNE, new Ear(), short_))
          .hasMessageContaining("did not answer");
      end.countDown();
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "../../.bashrc.json",
        "/etc/cron.txt",
        "a\\\\..\\\\b.json",
        "a/../../b.json",
        "x\\u0000.json",
        "x\\u202e.json"
      })
  void pathsThatLeadOutArePulledNowhere(String path) throws IOException {
    try (TestHub hub = TestHub.with(100, 22)) {
      hub.listing = json -> json.replace("config.json", path);
      assertThat(refused(hub)).contains("nothing was pulled");
      assertThat(hub.requests).hasSize(1);
    }
  }

  @Test
  void listingsThatAreNoneOrTooMuchAreRefused() throws IOException {
    try (TestHub hub = TestHub.with(100, 23)) {
      String entry = "{\"rfilename\": \"config.json\", ";
      for (String[] edit :
          new String[][] {
            {"", "<html>", "is not a model's listing"},
            {"\"" + TestHub.COMMIT, "\"main", "names no commit"},
            {"\"siblings\"", "\"sibling\"", "no files"},
            {entry, entry + "\"size\": -1, \"x\": ", "not a model's listing|size -1"},
            {"\"size\": 100, \"blob", "\"size\": 99, \"blob", "two sizes"},
            {"\"size\": 22", "\"size\": 1e3", "which is none"},
            {"\"size\": 22", "\"size\": 99999999999", "more than"},
            {"\"blobId\": \"", "\"blobId\": \"x", "which is none"},
            {"config.json", "model.safetensors", "twice"},
            {"config.json", "model.safetensors/config.json", "as a folder"},
            {"config.json", "README.md", null}
          }) {
        hub.listing = json -> edit[0].isEmpty() ? edit[1] : json.replace(edit[0], edit[1]);
        if (edit[2] != null) {
          assertThat(refused(hub)).containsPattern(edit[2]);
        }
      }
      hub.listing = json -> " ".repeat(HubListing.JSON_BYTES_MAX) + json;
      assertThat(refused(hub)).contains("longer than");
      hub.listing = json -> "[".repeat(100_000);
      assertThat(refused(hub)).contains("not a model's listing");
      hub.listing =
          json ->
              json.replace(
                  entry, "{\"rfilename\": \"a.md\"}, ".repeat(HubListing.LISTED_MAX + 1) + entry);
      assertThat(refused(hub)).contains("are not looked at");
      StringBuilder many = new StringBuilder();
      for (int i = 0; i <= HubListing.TAKEN_MAX; i++) {
        many.append("{\"rfilename\": \"").append(i).append(".txt\"}, ");
      }
      hub.listing = json -> json.replace(entry, many + entry);
      assertThat(refused(hub)).contains("files to take");
      assertThat(hub.of(WEIGHTS)).isEmpty();
    }
  }

  @Test
  void weightsThatAreOnlyPicklesAreRefused() throws IOException {
    try (TestHub hub = TestHub.with(100, 24)) {
      byte[] weights = hub.files.remove(WEIGHTS);
      hub.files.put("pytorch_model.bin", weights);
      assertThat(refused(hub)).contains("run code").contains("pytorch_model.bin");
      assertThat(hub.requests).hasSize(1);
    }
  }

  @Test
  void twoPullsAtOnceDoTheWorkOnce() throws Exception {
    try (TestHub hub = TestHub.with(700_000, 25);
        var pool = Executors.newFixedThreadPool(3)) {
      List<Callable<Result>> tasks = List.of(() -> pull(hub), () -> pull(hub), () -> pull(hub));
      long fetched = 0;
      for (Future<Result> done : pool.invokeAll(tasks)) {
        assertWhole(hub, done.get());
        fetched += done.get().bytesFetched();
      }
      assertThat(fetched).isEqualTo(700_022);
    }
  }

  /**
   * Whatever a server does to the bytes on their way, the model is whole and right in the end or it
   * is not there, with a sentence that says why; and when the server behaves again, a last pull
   * brings it.
   */
  @Test
  void whateverHappensOnTheWayTheModelIsWholeOrNotThere() throws IOException {
    SplittableRandom random = new SplittableRandom(26);
    int whole = 0;
    int refused = 0;
    for (int round = 0; round < 60; round++) {
      Path home = models.resolve("round-" + round);
      int size = random.nextInt(1, 60_000);
      try (TestHub hub = TestHub.with(size, round)) {
        hub.redirects = random.nextBoolean();
        hub.listsHashes = random.nextInt(4) > 0;
        int faults = random.nextInt(1, 9);
        for (int i = 0; i < faults; i++) {
          hub.faults.add(fault(random, size));
        }
        PulledModels shelf = PulledModels.in(home);
        Result result = null;
        for (int tries = 0; result == null; tries++) {
          assertThat(tries).as("round %d", round).isLessThanOrEqualTo(faults);
          try (HubClient client = hub.client()) {
            result = new ModelPull(client, shelf, PullListener.silent()).pull(TUNE);
            whole++;
          } catch (ModelException e) {
            assertThat(e.getMessage()).endsWith(".");
            assertThat(shelf.list().models()).isEmpty();
            assertThat(home.resolve("acme--tune")).doesNotExist();
            refused++;
          }
        }
        assertThat(result.folder().resolve(WEIGHTS)).hasBinaryContent(hub.files.get(WEIGHTS));
        assertThat(PulledModels.damaged(result.model(), shelf.folder(result.model()), true))
            .isEmpty();
      }
    }
    assertThat(whole).isEqualTo(60);
    assertThat(refused).isBetween(5, 400);
  }

  private static TestHub.Fault fault(SplittableRandom random, int size) {
    int at = random.nextInt(0, size + 1);
    return switch (random.nextInt(9)) {
      case 0, 1, 2 -> TestHub.cutAfter(at);
      case 3 -> TestHub.status(random.nextInt(500, 505));
      case 4 -> TestHub.status(416);
      case 5 -> (exchange, content) -> TestHub.send(exchange, 200, content, 0, at);
      case 6 ->
          (exchange, content) -> {
            byte[] changed = content.clone();
            changed[at % content.length] ^= 1;
            TestHub.serve(exchange, changed, at);
          };
      case 7 ->
          (exchange, content) -> {
            exchange.getResponseHeaders().remove("ETag");
            byte[] changed = content.clone();
            changed[at % content.length] ^= 1;
            TestHub.serve(exchange, changed, content.length);
          };
      default ->
          (exchange, content) -> {
            exchange.sendResponseHeaders(200, 0);
            exchange.getResponseBody().write(content, 0, Math.min(at, content.length));
          };
    };
  }
}
