package org.descant.evaluation.release;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.descant.evaluation.MemorisationReport;
import org.descant.evaluation.release.ReleaseRecord.CodecPair;
import org.descant.evaluation.release.ReleaseRecord.Example;
import org.descant.evaluation.release.ReleaseRecord.Figure;
import org.descant.evaluation.release.ReleaseRecord.Judgement;
import org.descant.evaluation.release.ReleaseRecord.Person;
import org.descant.models.ModelCard;
import org.descant.models.lm.TokenLmConfig;
import org.jspecify.annotations.Nullable;

/** A release told to people: the card and the page say the same. */
final class ReleaseText {
  private static final int PEOPLE_SHOWN = 40;
  private static final int CREDITS_SHOWN = 4;

  private final ReleaseRecord record;
  private final ModelCard card;
  private final String model;
  private final String spectrograms;
  private final List<Block> blocks = new ArrayList<>();

  ReleaseText(ReleaseRecord record, ModelCard card, String model, String spectrograms) {
    this.record = record;
    this.card = card;
    this.model = model;
    this.spectrograms = spectrograms;
  }

  List<Block> blocks() {
    blocks.clear();
    what();
    data();
    listen();
    codec();
    control();
    copies();
    distance();
    training();
    attribution();
    limits();
    again();
    people();
    clock();
    return List.copyOf(blocks);
  }

  // ---------------------------------------------------------------- parts

  private int layers() {
    TokenLmConfig language = card.languageModel();
    return language == null ? Objects.requireNonNull(card.flow()).layers() : language.layers();
  }

  private void what() {
    paragraph(
        "A model of music that makes clips of a tempo, key and character that somebody asks for,"
            + " made for playing new music while the people behind it are shown and paid. It codes"
            + " sound at %s kb/s and makes the codes with a %s of %s layers.",
        number("codec.kilobitsPerSecond", 2), card.kind(), layers());
    if (!record.full()) {
      paragraph(
          "This is a quick look with few clips: its figures are rough and it is no full release.");
    }
    table(
        List.of("part", "what it is"),
        List.of(
            List.of(
                "weights",
                text(
                    "%,.1f MB, sha256 %s",
                    record.parents().weightsBytes() / 1e6, record.parents().weights())),
            List.of(
                "recipe",
                "%s, hash %s; %s"
                    .formatted(
                        record.parents().recipe().name(),
                        record.parents().recipe().hash(),
                        record.parents().recipe().keys().isEmpty()
                            ? record.parents().recipe().from()
                            : "every key is in record.json")),
            List.of("run", run(record.parents().run())),
            List.of(
                "dataset",
                "%s, root %s"
                    .formatted(record.parents().datasetId(), record.parents().datasetRoot())),
            List.of("trained by code", orElse(record.parents().trainedByCode(), "not stated")),
            List.of("measured by code", record.parents().evaluatedByCode()),
            List.of("licence", card.licence())));
  }

  private static String run(ReleaseRecord.@Nullable Run run) {
    return run == null
        ? "its folder is not in this home"
        : "%s, seed %d, %,d steps, %d threads on %s; sha256 of its record %s"
            .formatted(
                run.id(),
                run.seed(),
                run.steps(),
                run.threads(),
                run.processor(),
                run.recordSha256());
  }

  private void data() {
    ReleaseRecord.Data data = record.data();
    heading("What it learned from");
    paragraph(
        "%d recordings, %.0f minutes; %d more (%.1f minutes) were kept out of training to measure"
            + " it. %d recordings that were asked about are not in it%s.",
        data.trained(),
        data.trainedMinutes(),
        data.heldOut(),
        data.heldOutMinutes(),
        data.refused(),
        data.refusedFor().isEmpty()
            ? ""
            : data.refusedFor().entrySet().stream()
                .map(reason -> reason.getKey() + " " + reason.getValue())
                .collect(Collectors.joining(", ", " (", ")")));
    ReleaseRecord.Agreements agreements = data.agreements();
    if (agreements == null) {
      paragraph(
          "Under which agreements they were cleared is not known here; the dataset's manifest names"
              + " the decision on each.");
    } else {
      paragraph(
          "They were cleared for training under %d agreements of %d parties (%s). Every recording"
              + " and its decision is in the dataset's manifest.",
          agreements.agreements(),
          agreements.parties(),
          agreements.byKind().entrySet().stream()
              .map(kind ->
                  kind.getValue() + " " + kind.getKey().toLowerCase(Locale.ROOT).replace('_', ' '))
              .collect(Collectors.joining(", ")));
    }
  }

  private void listen() {
    heading("Listen");
    paragraph(
        "Made by this model, each in one try with the seed that is named: nothing was chosen by"
            + " ear. Every other one has a tempo and key that no training recording has.");
    int number = 0;
    for (Example example : record.examples()) {
      number++;
      String label =
          text(
              "%d. %.0f bpm, %s: %s",
              number,
              example.request().tempo(),
              example.request().key(),
              String.join(", ", example.request().tags()));
      String note =
          text(
              "Seed %d, %s pair. Heard as %.0f bpm, %s. Longest span like a training recording"
                  + " %.1f s. Credits (%s): %s.",
              example.request().seed(),
              example.knownPair() ? "known" : "new",
              example.heardTempo(),
              example.heardKey(),
              example.copiedSeconds(),
              example.shareRule(),
              people(example.credits(), CREDITS_SHOWN));
      if (example.file().isEmpty()) {
        paragraph("%s. Not let out: it repeats %s. %s", label, example.copiedFrom(), note);
      } else {
        blocks.add(new Block.Sound(example.file(), label, note));
      }
    }
    blocks.add(
        new Block.Picture(
            spectrograms,
            "Spectrograms: what the model made on the left, held-out music and what its codec makes"
                + " of it on the right. Time goes right, 20 Hz to half the sample rate go up."));
  }

  private void codec() {
    heading("Codec");
    List<List<String>> rows = new ArrayList<>();
    rows.add(codecRow("this codec", "codec."));
    rows.add(codecRow("Opus, nearest rate", "opus.nearest."));
    if (!codecRow("", "opus.nearest.").equals(codecRow("", "opus.lowest."))) {
      rows.add(codecRow("Opus, lowest rate", "opus.lowest."));
    }
    table(
        List.of("on held-out music", "kb/s", "mel distance, dB", "STFT distance", "SI-SDR, dB"),
        rows);
    paragraph(
        "%s. A codec that makes up phases cannot have a high SI-SDR; distances are lower when"
            + " nearer to the original.",
        sample("codec.melDistance"));
    for (CodecPair pair : record.codecPairs()) {
      String place = text("%s from %.0f s", pair.isrc(), pair.fromSeconds());
      blocks.add(new Block.Sound(pair.original(), place + ", original", "Held out of training."));
      blocks.add(
          new Block.Sound(
              pair.coded(),
              place + ", coded",
              text(
                  "%.2f kb/s, mel distance %.1f dB.",
                  pair.kilobitsPerSecond(), pair.melDistanceDb())));
    }
  }

  private List<String> codecRow(String name, String prefix) {
    return List.of(
        name,
        number(prefix + "kilobitsPerSecond", 2),
        number(prefix + "melDistance", 2),
        number(prefix + "stftDistance", 2),
        number(prefix + "siSdr", 1));
  }

  private void control() {
    heading("Tempo and key");
    List<List<String>> rows = new ArrayList<>();
    controlRow(rows, "generations", "control.");
    controlRow(rows, "those whose pair a training recording has", "control.knownPairs.");
    controlRow(rows, "those whose pair none has", "control.newPairs.");
    controlRow(rows, "against the wrong questions (chance)", "control.shuffled.");
    controlRow(rows, "our ears on held-out real music, truth known", "estimators.heldOut.");
    controlRow(rows, "the same through the codec", "estimators.heldOutThroughCodec.");
    controlRow(rows, "the same against the wrong truths (chance)", "estimators.heldOutShuffled.");
    controlRow(rows, "our ears on all real music of the dataset", "estimators.");
    if (rows.isEmpty()) {
      paragraph("No recording has a known tempo and key, so it was not measured.");
      return;
    }
    table(
        List.of("share of clips", "tempo", "or its octave", "key", "or a relative", "clips"), rows);
    paragraph(
        "A tempo is right within 4 %%, a key when tonic and mode are. %s; seed %s.",
        sample("control.tempo"),
        record.figure("control.tempo").map(Figure::seed).map(String::valueOf).orElse("none"));
  }

  private void controlRow(List<List<String>> rows, String name, String prefix) {
    if (record.figure(prefix + "tempo").isPresent()) {
      rows.add(
          List.of(
              name,
              percent(prefix + "tempo"),
              percent(prefix + "tempoOrOctave"),
              percent(prefix + "key"),
              percent(prefix + "keyOrRelative"),
              number(prefix + "clips", 0)));
    }
  }

  private void copies() {
    ReleaseRecord.Memorisation memorisation = record.memorisation();
    heading("Copies of the training set");
    paragraph(
        "Every generation was compared with all %d training recordings, %.0f minutes.",
        memorisation.comparedWith(), memorisation.comparedMinutes());
    List<List<String>> rows = new ArrayList<>();
    rows.add(row("threshold", j -> value(j.threshold())));
    rows.add(row("largest of all generations", j -> value(j.largest())));
    rows.add(row("it repeats", j -> orElse(j.from(), "none in particular")));
    rows.add(row("generations above the threshold", j -> j.copies() + " of " + j.clips()));
    rows.add(
        row(
            "held-out music: median, 95th percentile, largest",
            j ->
                "%s, %s, %s"
                    .formatted(
                        value(j.heldOut().median()),
                        value(j.heldOut().percentile95()),
                        value(j.heldOut().largest()))));
    rows.add(
        row(
            "held-out music above the threshold",
            j -> j.heldOut().aboveThreshold() + " of " + j.heldOut().samples()));
    rows.add(row("odds that held-out music has as much", j -> value(j.probability())));
    rows.add(row("planted copies found", j -> j.plantedFound() + " of " + j.planted()));
    table(
        List.of(
            "",
            "span in the sound (fingerprint), s",
            "run of equal tokens (first codebook), s",
            "token runs of %d frames that the training set has, share"
                .formatted(MemorisationReport.NGRAM_FRAMES)),
        rows);
    table(
        List.of(
            "mean share of token runs that the training set has",
            "2 frames",
            "4 frames",
            "8 frames"),
        List.of(
            ngramRow("generations", "memorisation."),
            ngramRow("held-out music", "memorisation.heldOut."),
            ngramRow("planted copies", "memorisation.planted.")));
    paragraph("%s", memorisation.chosen());
  }

  private List<String> row(String name, Function<Judgement, String> cell) {
    return List.of(
        name,
        cell.apply(record.memorisation().sound()),
        cell.apply(record.memorisation().tokenRun()),
        cell.apply(record.memorisation().tokenNgrams()));
  }

  private List<String> ngramRow(String name, String prefix) {
    return List.of(
        name, percent(prefix + "ngram2"), percent(prefix + "ngram4"), percent(prefix + "ngram8"));
  }

  private void distance() {
    heading("Nearness to the music it learned from");
    table(
        List.of("Fréchet distance", "value", "sample"),
        List.of(
            List.of(
                "generations to training recordings",
                number("frechet.generatedToTrained", 2),
                sample("frechet.generatedToTrained")),
            List.of(
                "held-out real music to training recordings",
                number("frechet.heldOutToTrained", 2),
                sample("frechet.heldOutToTrained"))));
    paragraph(
        "The embedding is in this repository: mean and deviation of this model's codec latents over"
            + " a second.");
  }

  private void training() {
    heading("Training");
    if (record.curve().file().isEmpty()) {
      paragraph("%s", record.curve().missing());
    } else {
      blocks.add(
          new Block.Picture(
              record.curve().file(),
              "Training curves by the step of their stage: "
                  + String.join(", ", record.curve().names())));
    }
    List<List<String>> rows = new ArrayList<>();
    for (Figure figure : record.figures()) {
      if (figure.name().startsWith("heldOut") || figure.name().startsWith("unigram")) {
        rows.add(List.of(figure.name(), number(figure.name(), 3), figure.sample()));
      }
    }
    if (!rows.isEmpty()) {
      table(List.of("figure of the run", "value", "sample"), rows);
    }
  }

  private void attribution() {
    Figure score = record.figure("attribution.tokens.spearman").orElse(null);
    if (score == null) {
      return;
    }
    heading("Attribution");
    paragraph(
        "Rank correlation of attribution with leave-one-out retraining: %s (95 %% interval %s to"
            + " %s); by loss gradients %s, by similarity alone %s, by equal shares %s. Measured on"
            + " %s.",
        number("attribution.tokens.spearman", 2),
        number("attribution.tokens.low", 2),
        number("attribution.tokens.high", 2),
        number("attribution.gradient.spearman", 2),
        number("attribution.similarity.spearman", 2),
        number("attribution.equalShare.spearman", 2),
        score.sample());
    blocks.add(new Block.Code(score.command()));
  }

  private void limits() {
    heading("What these figures do not say");
    blocks.add(new Block.Bullets(record.limits()));
  }

  private void again() {
    heading("Make it again");
    List<String> commands = new ArrayList<>();
    commands.add("./descant train " + record.parents().recipe().name());
    commands.add(record.command());
    record.examples().stream().limit(1).forEach(example -> commands.add(example.command()));
    commands.add("./descant models show " + model + " --check");
    blocks.add(new Block.Code(String.join("\n", commands)));
    paragraph(
        "Train on the dataset of the root above; the same recipe, data and kind of processor give"
            + " the same weights. The command of every example is in record.json; sounds are the"
            + " same sample for sample on the same kind of processor with as many threads. The last"
            + " command compares every file here with its hash.");
  }

  private void people() {
    heading("Who is behind it");
    paragraph(
        "%s. All recordings that it learned from have the same share here; each clip has credits of"
            + " its own. Names from %s.",
        people(record.data().people(), PEOPLE_SHOWN), record.data().peopleFrom());
  }

  /** The only part that another run of the same command may write otherwise. */
  private void clock() {
    heading("On the clock");
    ReleaseRecord.Clock clock = record.clock();
    paragraph(
        "Measured at %s. Speeds, in seconds of sound a second: %s. Parts took: %s. Recordings whose"
            + " consent was taken back since: %s.",
        clock.at(),
        values(clock.speeds(), "%s %.1f"),
        values(clock.seconds(), "%s %.1f s"),
        clock.fallen().isEmpty() ? "none" : String.join(", ", clock.fallen()));
  }

  // -------------------------------------------------------------- writing

  private static String values(Map<String, Double> values, String format) {
    return values.entrySet().stream()
        .map(value -> text(format, value.getKey(), value.getValue()))
        .collect(Collectors.joining(", "));
  }

  private static String people(List<Person> people, int shown) {
    String names =
        people.stream()
            .limit(shown)
            .map(person ->
                text("%s, %s %.1f %%", person.name(), person.role(), 100 * person.share()))
            .collect(Collectors.joining("; "));
    int more = people.size() - shown;
    return more > 0 ? names + "; and " + more + " more" : names;
  }

  private String number(String figure, int digits) {
    return record
        .figure(figure)
        .map(f -> String.format(Locale.ROOT, "%." + digits + "f", f.value()))
        .orElse("not measured");
  }

  private String percent(String figure) {
    return record.figure(figure).map(f -> text("%.0f %%", 100 * f.value())).orElse("not measured");
  }

  private String sample(String figure) {
    return record.figure(figure).map(Figure::sample).orElse("not measured");
  }

  private static String value(double value) {
    return text("%.2f", value);
  }

  private static String orElse(String text, String other) {
    return text.isEmpty() ? other : text;
  }

  private static String text(String format, @Nullable Object... values) {
    return String.format(Locale.ROOT, format, values);
  }

  private void heading(String text) {
    blocks.add(new Block.Heading(text));
  }

  private void paragraph(String format, Object... values) {
    blocks.add(new Block.Paragraph(text(format, values)));
  }

  private void table(List<String> head, List<List<String>> rows) {
    List<List<String>> all = new ArrayList<>(List.of(head));
    all.addAll(rows);
    blocks.add(new Block.Table(all));
  }
}
