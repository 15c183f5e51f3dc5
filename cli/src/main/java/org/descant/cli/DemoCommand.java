package org.descant.cli;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.function.Predicate;
import org.descant.audio.MusicalKey;
import org.descant.catalog.CatalogEntry;
import org.descant.catalog.DemoDelivery;
import org.descant.catalog.ImportOptions;
import org.descant.catalog.ImportReport;
import org.descant.catalog.Ingest;
import org.descant.cli.learning.TrainCommand;
import org.descant.cli.music.CatalogCommand;
import org.descant.cli.music.DatasetCommand;
import org.descant.cli.platform.Exit;
import org.descant.cli.platform.Invocation;
import org.descant.cli.platform.Output;
import org.descant.cli.platform.Platform;
import org.descant.cli.platform.Steps;
import org.descant.cli.platform.UsageException;
import org.descant.cli.playing.GenerateCommand;
import org.descant.cli.playing.ServeCommand;
import org.descant.engine.Engine;
import org.descant.engine.Generation;
import org.descant.engine.GenerationRequest;
import org.descant.lab.RunRecord;
import org.descant.lab.RunStatus;
import org.descant.ledger.BooksCheck;
import org.descant.ledger.Usage;
import org.descant.models.ModelCard;
import org.descant.provenance.ContentCredential;
import org.descant.provenance.CredentialReport;
import org.descant.rights.Decision;
import org.descant.rights.DecisionContext;
import org.descant.rights.Isrc;
import org.descant.rights.Use;
import org.descant.serving.Clip;
import org.descant.serving.Delivery;
import org.descant.serving.Order;
import org.descant.serving.RefusedException;
import org.descant.shards.Dataset;
import org.descant.shards.Manifest;
import org.descant.storage.DiskSpace;
import org.descant.training.Progress;
import org.descant.training.Trainer;
import org.descant.training.recipe.Recipe;
import org.descant.training.recipe.RecipeText;
import org.descant.training.recipe.Recipes;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;

/**
 * The main job, from a recording with a recorded right to a paid-for second of new sound; each step
 * is the same code that its own command runs.
 */
@Command(
    name = "demo",
    description =
        "The whole way: catalogue, rights, dataset, training, generation, credits, credential,"
            + " money, page.")
final class DemoCommand implements Callable<Integer> {
  private static final long DISK_BYTES = 1_500L << 20;
  private static final String RECIPE = "house-tiny";
  private static final double SECONDS = 10;

  @ParentCommand Invocation main = new Invocation();

  @Option(
      names = "--no-serve",
      description = "End after the last step instead of serving the page.")
  boolean noServe;

  @Option(names = "--port", paramLabel = "N", defaultValue = "8080")
  int port;

  @Option(
      names = "--catalog",
      paramLabel = "DIR",
      description =
          "The same chain on recordings of your own; the clip is made by the model trained on"
              + " them.")
  @Nullable Path catalog;

  @Option(
      names = "--set",
      paramLabel = "k=v",
      description = "Override a key of the short training.")
  List<String> overrides = new ArrayList<>();

  @Option(names = "--seed", paramLabel = "N", defaultValue = "1")
  long seed;

  private final List<Map<String, Object>> steps = new ArrayList<>();

  @Override
  public Integer call() throws Exception {
    Path home = main.homeFolder();
    Output out = main.output();
    if (catalog != null && !Files.exists(catalog)) {
      throw new UsageException("There is nothing at " + catalog + "; name a folder of recordings.");
    }
    try {
      Files.createDirectories(home);
    } catch (IOException e) {
      throw new UsageException(
          "The state folder " + home + " cannot be made; name a writable one with --home.");
    }
    if (!Files.isWritable(home)) {
      throw new UsageException(
          "The state folder "
              + home
              + " is read-only; make it writable or name another with --home.");
    }
    DiskSpace.require(home, DISK_BYTES, "the demo");
    try (FileChannel channel =
            FileChannel.open(
                home.resolve("demo.lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        FileLock lock = lock(channel)) {
      if (lock == null) {
        throw new UsageException(
            "Another demo is at work in " + home + "; wait for it, or name another --home.");
      }
      return run(home, out);
    } catch (RefusedException refused) {
      return GenerateCommand.refused(out, refused);
    }
  }

  private static @Nullable FileLock lock(FileChannel channel) throws IOException {
    try {
      return channel.tryLock();
    } catch (OverlappingFileLockException held) {
      return null;
    }
  }

  /** What a step does. */
  private interface Work<T> {
    T run() throws Exception;
  }

  private <T> T step(Output out, String name, Work<T> work) throws Exception {
    out.say("");
    out.say("%d. %s", steps.size() + 1, name);
    long start = System.nanoTime();
    T result = work.run();
    double seconds = (System.nanoTime() - start) / 1e9;
    out.say("   done in %.1f s", seconds);
    steps.add(Map.of("name", name, "seconds", Math.round(seconds * 10) / 10.0));
    return result;
  }

  private int run(Path home, Output out) throws Exception {
    Platform platform = step(out, "Start the platform", () -> Platform.open(home));
    try (platform) {
      Predicate<CatalogEntry> ours =
          step(out, "Receive the catalogue", () -> receive(platform, home, out));
      LocalDate day = catalog == null ? DemoDelivery.VALID_AT : LocalDate.now(ZoneOffset.UTC);
      step(out, "Ask the rights", () -> rights(platform, ours, day, out));
      Manifest manifest =
          step(
              out,
              "Build the dataset of exactly what is cleared",
              () -> {
                String name = catalog == null ? "demo" : "catalog";
                Manifest built = Steps.buildDataset(platform, name, Use.TRAIN, ours, day);
                DatasetCommand.print(out, built);
                return built;
              });
      Path trained = step(out, "Train " + RECIPE, () -> train(platform, home, manifest, out));
      if (trained.toString().isEmpty()) {
        out.progress("Stopped safely; the same command goes on.");
        return Exit.INTERRUPTED;
      }
      String model = catalog == null ? GenerateCommand.DEFAULT_MODEL : trained.toString();
      if (catalog == null) {
        step(out, "A first clip of this checkpoint, for the ear", () -> study(home, trained, out));
      }
      try (Platform.Player player = platform.player(model)) {
        player.delivery().recover(java.time.Instant.now());
        Clip clip = step(out, "Generate ten seconds", () -> generate(player, out));
        step(out, "Check the credential", () -> verify(platform, player, clip, out));
        BooksCheck books = step(out, "Read the statements", () -> statements(platform, clip, out));
        out.say("");
        out.say("`descant trace %s` shows its whole thread.", clip.id());
        out.document(document(manifest, clip, books));
        if (!noServe) {
          ServeCommand.serve(player, port, out);
        }
        return books.balanced() ? Exit.DONE : Exit.REFUSED;
      }
    }
  }

  private Predicate<CatalogEntry> receive(Platform platform, Path home, Output out) {
    Path delivery;
    Set<Isrc> isrcs = new HashSet<>();
    if (catalog == null) {
      delivery = home.resolve("deliveries").resolve("demo");
      isrcs.addAll(
          DemoDelivery.write(
              delivery,
              (what, done, total) ->
                  out.progress("   delivered %d/%d %s".formatted(done, total, what))));
      out.say("   All artists, people and music of this delivery are fictional and our own.");
    } else {
      delivery = catalog;
    }
    ImportReport report =
        new Ingest(platform.catalog(), platform.rights())
            .importPath(
                delivery,
                ImportOptions.defaults()
                    .withProgress((what, done, total) ->
                        out.progress("   imported %d/%d %s".formatted(done, total, what))));
    CatalogCommand.print(out, report);
    for (ImportReport.Item item : report.items()) {
      if (catalog != null && item.isrc() != null) {
        isrcs.add(Isrc.of(item.isrc()));
      }
    }
    Steps.recordRecordings(platform);
    return entry -> isrcs.contains(entry.isrc());
  }

  /** How many recordings each use is open for, and one refusal of each kind in words. */
  private Void rights(Platform platform, Predicate<CatalogEntry> ours, LocalDate day, Output out) {
    List<Isrc> isrcs =
        platform.catalog().list().stream().filter(ours).map(CatalogEntry::isrc).toList();
    for (Use use : Use.values()) {
      List<Decision> decisions =
          platform.clearance().decideAll(use, isrcs, new DecisionContext(day, null));
      long allowed = decisions.stream().filter(Decision::allowed).count();
      out.say("   %-6s allowed for %d of %d recordings", use, allowed, isrcs.size());
      Set<String> codes = new HashSet<>();
      for (Decision decision : decisions) {
        String kinds =
            decision.reasons().stream().map(r -> r.code().name()).distinct().toList().toString();
        if (!decision.allowed() && use != Use.VOICE && codes.add(kinds)) {
          out.say("          %s: %s", decision.isrc(), decision.reasons().getFirst().sentence());
        }
      }
    }
    return null;
  }

  private Path train(Platform platform, Path home, Manifest manifest, Output out)
      throws InterruptedException {
    Recipe recipe = RecipeText.withOverrides(Recipes.named(RECIPE), overrides);
    Path folder =
        home.resolve("runs").resolve(Trainer.runId(recipe) + "-" + manifest.root().substring(0, 8));
    try (Dataset dataset = Dataset.open(Steps.dataset(home, manifest.id()))) {
      RunRecord record = TrainCommand.run(recipe, dataset, folder, Progress.to(System.err));
      if (record.status() != RunStatus.FINISHED) {
        return Path.of("");
      }
      Path model = Trainer.modelFolder(folder);
      Steps.recordRun(platform, record, ModelCard.read(model));
      record.facts().forEach((name, value) -> out.say("   %-34s %s", name, value));
      return model;
    }
  }

  private Path study(Path home, Path model, Output out) throws IOException {
    Path folder = Files.createDirectories(home.resolve("study"));
    try (Engine engine = Engine.open(model, Runtime.getRuntime().availableProcessors())) {
      Generation generation =
          engine.generate(
              new GenerationRequest(
                  "",
                  SECONDS,
                  100d,
                  MusicalKey.parse("C major"),
                  List.of(),
                  null,
                  seed,
                  GenerationRequest.GUIDANCE_DEFAULT),
              chunk -> {},
              () -> false);
      Path file = Delivery.study(generation, folder, RECIPE);
      out.say("   %s (a study: not for release)", file);
      return file;
    }
  }

  private Clip generate(Platform.Player player, Output out) {
    Order order = order(player.delivery());
    out.say("   asked: %s", order);
    Clip clip = GenerateCommand.make(player.delivery(), order, out);
    GenerateCommand.print(out, clip);
    out.say("   %s", clip.wav());
    out.say("   %s", clip.flac());
    return clip;
  }

  private Order order(Delivery delivery) {
    return catalog == null
        ? new Order(
            "a warm, unhurried evening with soft drums and electric piano",
            SECONDS,
            84d,
            "D minor",
            List.of("lofi", "warm"),
            openStyle(delivery),
            seed)
        : new Order("", SECONDS, null, null, List.of(), null, seed);
  }

  /** A lofi recording whose style is open, as somebody on the page would choose it. */
  private static @Nullable String openStyle(Delivery delivery) {
    return delivery.model().recordings().stream()
        .filter(recording -> recording.tags().contains("lofi"))
        .map(recording -> recording.isrc().toString())
        .filter(
            isrc -> delivery.styles().stream().anyMatch(s -> s.allowed() && s.isrc().equals(isrc)))
        .findFirst()
        .orElse(null);
  }

  private static Void verify(Platform platform, Platform.Player player, Clip clip, Output out) {
    for (String ending : List.of("wav", "flac")) {
      CredentialReport report =
          ContentCredential.verify(
              player.delivery().file(clip, ending), platform.signingKey().root());
      out.say("   %s: %s", ending.toUpperCase(Locale.ROOT), report.sentence());
      if (!report.holds()) {
        throw new UsageException("The credential of " + clip.id() + " does not hold.");
      }
    }
    return null;
  }

  private static BooksCheck statements(Platform platform, Clip clip, Output out) {
    Map<String, Long> earned = new LinkedHashMap<>();
    for (String party : platform.ledger().parties()) {
      long total =
          platform.ledger().statement(party).lines().stream()
              .filter(line -> line.clipId().equals(clip.id()))
              .mapToLong(line -> line.amountMicros())
              .sum();
      if (total > 0) {
        earned.put(platform.rights().party(party).map(p -> p.name()).orElse(party), total);
      }
    }
    earned.entrySet().stream()
        .sorted(Map.Entry.<String, Long>comparingByValue().reversed())
        .forEach(e -> out.say("   %s  %s", Usage.format(e.getValue(), Usage.EUR), e.getKey()));
    BooksCheck books = platform.ledger().check();
    long sum = platform.ledger().balances().values().stream().mapToLong(Long::longValue).sum();
    out.say(
        "   books: %d transfers, %s, all accounts together hold %d",
        books.transfers(), books.balanced() ? "balanced" : "NOT balanced", sum);
    return books;
  }

  private Map<String, Object> document(Manifest manifest, Clip clip, BooksCheck books) {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("steps", steps);
    document.put("dataset", DatasetCommand.document(manifest));
    document.put(
        "model",
        Map.of("id", clip.model(), "name", clip.modelName(), "datasetRoot", clip.datasetRoot()));
    document.put("clip", GenerateCommand.clipFacts(clip));
    document.put("credits", clip.credits());
    document.put("shareRule", clip.shareRule());
    document.put("transfers", clip.transfers());
    document.put("books", Map.of("balanced", books.balanced(), "transfers", books.transfers()));
    return document;
  }
}
