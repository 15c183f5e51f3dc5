package org.descant.cli.playing;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.UnaryOperator;
import org.descant.cli.platform.Exit;
import org.descant.cli.platform.Invocation;
import org.descant.cli.platform.Output;
import org.descant.cli.platform.Platform;
import org.descant.cli.platform.UsageException;
import org.descant.serving.Attempts;
import org.descant.serving.Clip;
import org.descant.serving.Delivery;
import org.descant.serving.Order;
import org.descant.serving.RefusedException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** Makes one clip: credited, signed, paid. */
@Command(name = "generate", description = "Make a clip; it leaves credited, signed and paid for.")
public final class GenerateCommand implements Callable<Integer> {
  /** The model that is meant when none is named. */
  public static final String DEFAULT_MODEL = "house-demo";

  @ParentCommand Invocation main = new Invocation();

  @Parameters(arity = "0..1", paramLabel = "TEXT")
  @Nullable String text;

  @Option(names = "--seconds", paramLabel = "S", description = "of what is new; default: 10")
  @Nullable Double seconds;

  @Option(names = "--tempo", paramLabel = "BPM", description = "beats a minute")
  @Nullable Double tempo;

  @Option(names = "--key", paramLabel = "KEY", description = "such as \"D minor\"")
  @Nullable String key;

  @Option(
      names = "--tags",
      split = ",",
      paramLabel = "A,B",
      description = "words that the model knows, such as lofi,piano")
  List<String> tags = new ArrayList<>();

  @Option(names = "--style", paramLabel = "ISRC", description = "a recording whose style is open")
  @Nullable String style;

  @Option(names = "--seed", paramLabel = "N", description = "0, or that of the clip that goes on")
  @Nullable Long seed;

  @Option(
      names = "--no-retry",
      description =
          "this seed or none: try no other when a clip comes out too close to a recording")
  boolean noRetry;

  @Option(
      names = "--guidance",
      paramLabel = "G",
      description = "1 to 8, or such as style=2,melody=3,text=1.5")
  @Nullable String guidance;

  @Option(
      names = "--melody",
      paramLabel = "NOTES",
      description = "such as \"C4 E4 G4:2\", one a beat; or a clip of this house, by id or file")
  @Nullable String melody;

  @Option(
      names = "--continue",
      paramLabel = "CLIP",
      description = "a clip of this house that goes on, by its id or its file")
  @Nullable String goOnFrom;

  @Option(
      names = "--infill",
      paramLabel = "CLIP",
      description = "a clip of this house of which --from to --to is made anew")
  @Nullable String fillIn;

  @Option(names = "--from", paramLabel = "S", description = "where --infill begins, in seconds")
  @Nullable Double from;

  @Option(names = "--to", paramLabel = "S", description = "where --infill ends, in seconds")
  @Nullable Double to;

  @Option(names = "--new-only", description = "leave out the clip that was there")
  boolean onlyNew;

  @Option(names = "--steps", paramLabel = "N", description = "of a flow model; default: 16")
  @Nullable Integer steps;

  @Option(
      names = "--begin-from",
      paramLabel = "CLIP",
      description = "a clip of this house, by its id or its file, that a flow model begins from")
  @Nullable String beginFrom;

  @Option(
      names = "--strength",
      paramLabel = "S",
      description = "how much of --begin-from is made anew, over 0 to 1 (default)")
  @Nullable Double strength;

  @Option(
      names = "--keep",
      paramLabel = "A-B",
      description = "seconds of --begin-from that are kept")
  @Nullable String keep;

  @Option(
      names = "--model",
      paramLabel = "M",
      defaultValue = DEFAULT_MODEL,
      description = "a name from `descant models ls`, or a folder; default: ${DEFAULT-VALUE}")
  String model = DEFAULT_MODEL;

  @Option(names = "--out", required = true, paramLabel = "FILE", description = "a .wav or .flac")
  Path out = Path.of("");

  @Override
  public Integer call() throws IOException {
    String ending = ending(out);
    Path parent = out.toAbsolutePath().getParent();
    if (parent == null || !Files.isDirectory(parent) || Files.isDirectory(out)) {
      throw new UsageException("Cannot write " + out + "; name a file in a folder that is there.");
    }
    Output output = main.output();
    order(UnaryOperator.identity())
        .check(); // what cannot be asked for is said before anything is opened
    try (Platform platform = Platform.open(main.homeFolder());
        Platform.Player player = platform.player(model)) {
      Order order = order(clip -> clipId(player.delivery(), clip));
      Clip clip = make(player.delivery(), order, output);
      Path aside = out.resolveSibling(out.getFileName() + ".tmp");
      Files.copy(player.delivery().file(clip, ending), aside, StandardCopyOption.REPLACE_EXISTING);
      Files.move(aside, out, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      print(output, clip);
      output.say("written to %s", out);
      output.document(document(clip));
      return Exit.DONE;
    } catch (RefusedException refused) {
      return refused(output, refused);
    }
  }

  private Order order(UnaryOperator<String> clipId) {
    boolean ofClip = melody != null && isClip(melody);
    return new Order(
        text,
        seconds,
        tempo,
        key,
        tags,
        style,
        seed,
        guidance,
        ofClip ? null : melody,
        melody != null && ofClip ? clipId.apply(melody) : null,
        goOnFrom == null ? null : clipId.apply(goOnFrom),
        fillIn == null ? null : clipId.apply(fillIn),
        from,
        to,
        onlyNew ? Boolean.TRUE : null,
        steps,
        beginFrom == null ? null : clipId.apply(beginFrom),
        strength,
        keep,
        noRetry ? Boolean.FALSE : null);
  }

  /** Whether a melody's words name a clip, by its id or its file, rather than notes. */
  private static boolean isClip(String words) {
    return words.startsWith("clip-") || isFile(words);
  }

  private static boolean isFile(String words) {
    try {
      return Files.isRegularFile(Path.of(words));
    } catch (InvalidPathException e) {
      return false;
    }
  }

  /** The id of a clip that is named by it, or by its file. */
  private static String clipId(Delivery delivery, String clip) {
    return isFile(clip) ? delivery.identify(Path.of(clip)).id() : clip;
  }

  /** Makes the clip, with other seeds where it must be, and tells how far it is. */
  public static Clip make(Delivery delivery, Order order, Output output) {
    return delivery
        .finished(order)
        .run(
            new Attempts.Watcher() {
              @Override
              public void made(double seconds) {
                output.progress(String.format(Locale.ROOT, "  %.1f s made", seconds));
              }

              @Override
              public void again(RefusedException refused, long seed) {
                output.say("  %s", String.valueOf(refused.getMessage()));
                refused.reasons().forEach(reason -> output.say("    %s", reason));
                output.say("  Trying again with seed %d.", seed);
              }
            });
  }

  /** Tells why nothing was made; gives the exit status. */
  public static int refused(Output output, RefusedException refused) {
    output.say("Refused: %s", String.valueOf(refused.getMessage()));
    refused.reasons().forEach(reason -> output.say("  %s", reason));
    output.document(
        Map.of(
            "refused", true,
            "sentence", String.valueOf(refused.getMessage()),
            "reasons", refused.reasons()));
    return Exit.REFUSED;
  }

  /** A clip in lines for people: what it is, who is behind it, what they get. */
  public static void print(Output output, Clip clip) {
    output.say(
        "%s: %.1f s, %.0f bpm, %s, %.1f× real time, first sound after %d ms",
        clip.id(),
        clip.seconds(),
        clip.tempo(),
        clip.key(),
        clip.realTimeFactor(),
        clip.firstChunkMs());
    if (clip.attempt() > 1) {
      output.say(
          "  made with seed %d, attempt %d: with seed %d it came out too close to a recording",
          clip.seed(), clip.attempt(), clip.askedSeed());
    }
    if (!clip.madeFrom().isEmpty()) {
      output.say("  made from %s", clip.madeFrom());
    }
    if (!clip.melodyOf().isEmpty()) {
      output.say("  follows the melody of %s", clip.melodyOf());
    }
    output.say(
        "  longest span like any training recording: %.2f s (%s)",
        clip.copied().seconds(), clip.copied().recording());
    output.say("  shares by %s", clip.shareRule());
    people(clip).entrySet().stream()
        .sorted(Map.Entry.<String, Double>comparingByValue().reversed())
        .limit(8)
        .forEach(e -> output.say("  %5.1f %%  %s", 100 * e.getValue(), e.getKey()));
    Map<String, Long> money = new LinkedHashMap<>();
    clip.transfers().forEach(t -> money.merge(t.toName(), t.amount(), Long::sum));
    money.forEach((name, micros) -> output.say("  %,9d µ%s to %s", micros, clip.currency(), name));
  }

  private static Map<String, Double> people(Clip clip) {
    Map<String, Double> people = new LinkedHashMap<>();
    clip.credits().forEach(c -> people.merge(c.name() + ", " + c.role(), c.share(), Double::sum));
    return people;
  }

  static Map<String, Object> document(Clip clip) {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("clip", clipFacts(clip));
    document.put("model", Map.of("id", clip.model(), "datasetRoot", clip.datasetRoot()));
    document.put("credits", clip.credits());
    document.put("shareRule", clip.shareRule());
    document.put("attribution", clip.attribution());
    document.put("transfers", clip.transfers());
    return document;
  }

  /** What a clip is, as JSON tells it. */
  public static Map<String, Object> clipFacts(Clip clip) {
    Map<String, Object> facts = new LinkedHashMap<>();
    facts.put("id", clip.id());
    facts.put("wav", clip.wav());
    facts.put("flac", clip.flac());
    facts.put("seconds", clip.seconds());
    facts.put("sampleRate", clip.sampleRate());
    facts.put("tempo", clip.tempo());
    facts.put("key", clip.key());
    facts.put("seed", clip.seed());
    facts.put("askedSeed", clip.askedSeed());
    facts.put("attempt", clip.attempt());
    facts.put("madeFrom", clip.madeFrom());
    facts.put("melodyOf", clip.melodyOf());
    facts.put("copiedSeconds", clip.copied().seconds());
    facts.put("realTimeFactor", clip.realTimeFactor());
    return facts;
  }

  private static String ending(Path file) {
    String name = String.valueOf(file.getFileName()).toLowerCase(Locale.ROOT);
    if (name.endsWith(".wav")) {
      return "wav";
    }
    if (name.endsWith(".flac")) {
      return "flac";
    }
    throw new UsageException("--out takes a .wav or a .flac file, was " + file + ".");
  }
}
