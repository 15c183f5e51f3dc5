package org.descant.cli.playing;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.descant.cli.platform.Exit;
import org.descant.cli.platform.Invocation;
import org.descant.cli.platform.Output;
import org.descant.cli.platform.Platform;
import org.descant.cli.platform.Steps;
import org.descant.cli.platform.UsageException;
import org.descant.models.ModelCard;
import org.descant.models.hub.PulledModel;
import org.descant.models.published.TunedModel;
import org.descant.provenance.proof.RecordingProof;
import org.descant.provenance.proof.RecordingProof.Verified;
import org.descant.rights.Isrc;
import org.descant.shards.Dataset;
import org.descant.shards.Manifest;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;

/** Was this recording in what the model learned from? The answer can be checked without us. */
@Command(
    name = "prove",
    description = {
      "Prove that a recording is, or is not, in the dataset that a model learned from.",
      "`descant verify FILE` checks the proof on any machine. With --json the proof itself is"
          + " printed."
    })
public final class ProveCommand implements Callable<Integer> {
  @ParentCommand Invocation main = new Invocation();

  @Option(names = "--recording", paramLabel = "ISRC", required = true)
  String recording = "";

  @Option(
      names = "--model",
      paramLabel = "M",
      required = true,
      description = "a name from `descant models ls`, or a folder")
  String model = "";

  @Option(
      names = "--list",
      description =
          "Put in the whole list, so that it can be checked that the tree in the log is the list's;"
              + " this shows every recording that was asked about.")
  boolean list;

  @Option(names = "--out", paramLabel = "FILE", description = "Write the proof, one line of JSON.")
  @Nullable Path file;

  @Override
  public Integer call() throws IOException {
    Output out = main.output();
    Path home = main.homeFolder();
    Isrc isrc = Isrc.of(recording);
    if (file != null) {
      Path parent = file.toAbsolutePath().getParent();
      if (parent == null || !Files.isDirectory(parent) || Files.isDirectory(file)) {
        throw new UsageException(
            "Cannot write " + file + "; name a file in a folder that is there.");
      }
    }
    Path modelFolder = Steps.modelFolder(home, model);
    requireOwn(modelFolder);
    ModelCard card = ModelCard.read(modelFolder);
    Path dataset =
        Steps.manifestWithRoot(home, card.datasetRoot())
            .orElseThrow(() ->
                new UsageException(
                    "The dataset "
                        + card.datasetRoot()
                        + " of this model is not in this home; build it first (the demo builds its"
                        + " own)."));
    try (Platform platform = Platform.open(home)) {
      Steps.recordShipped(platform, modelFolder, card);
      if (!learnedFrom(platform, card)) {
        throw new UsageException(
            "Nothing but its card says what "
                + model
                + " learned from, and a card proves nothing; ask the house that trained it.");
      }
      Manifest manifest = Manifest.read(dataset);
      RecordingProof proof =
          RecordingProof.make(
              platform.log(),
              card.id(),
              Steps.lines(manifest),
              isrc,
              notes(isrc, card, manifest, dataset),
              list);
      Verified verified = proof.verify(platform.log().verifierKey());
      print(out, verified);
      out.say("  signed by the log %s", verified.logKey());
      if (file != null) {
        proof.write(file);
        out.say("written to %s; `descant verify %s` checks it anywhere", file, file);
      }
      out.verbatim(new String(proof.bytes(), StandardCharsets.UTF_8));
      return Exit.DONE;
    }
  }

  static void print(Output out, Verified verified) {
    out.say("%s", verified.sentence());
    verified.notes().forEach(note -> out.say("  the house says: %s", note));
    out.say(
        "  the house is bound to this by its log's head of %,d entries; that it trained on nothing"
            + " else, a replay of the run shows",
        verified.head().size());
    out.say("  %s", verified.reveals());
  }

  /** Whether the thread, and not only a card, leads from the model to its dataset. */
  private static boolean learnedFrom(Platform platform, ModelCard card) {
    return platform.lineage().find(card.id()).isPresent()
        && platform.lineage().trace(card.id()).ancestors().stream()
            .anyMatch(step -> step.artefact().id().equals(card.datasetRoot()));
  }

  /** What has learned from more than a dataset of this home cannot be answered for. */
  private void requireOwn(Path modelFolder) {
    if (PulledModel.isPulled(modelFolder)) {
      throw new UsageException(
          model + " was pulled for study; nobody here knows what it learned from.");
    }
    if (TunedModel.isTuned(modelFolder)) {
      throw new UsageException(
          "%s was tuned from %s, and nobody here knows what that learned from."
              .formatted(model, TunedModel.read(modelFolder).base().name()));
    }
  }

  /** What is known here beside the list: why, and whether it was withdrawn or held out. */
  private static List<String> notes(Isrc isrc, ModelCard card, Manifest manifest, Path dataset) {
    List<String> notes = new ArrayList<>();
    manifest.excluded().stream()
        .filter(excluded -> excluded.isrc().equals(isrc.value()))
        .flatMap(excluded -> excluded.reasons().stream())
        .forEach(reason -> notes.add(reason.sentence()));
    boolean heldOut =
        card.recordings().stream()
            .anyMatch(trained -> trained.heldOut() && trained.isrc().equals(isrc.value()));
    if (heldOut) {
      notes.add("It was held out: the model was measured on it and not trained on it.");
    }
    Dataset.withdrawals(dataset).stream()
        .filter(tombstone -> tombstone.isrc().equals(isrc.value()))
        .forEach(tombstone ->
            notes.add(
                "It was withdrawn after the dataset was built: "
                    + String.join(" ", tombstone.reasons())));
    return notes;
  }
}
