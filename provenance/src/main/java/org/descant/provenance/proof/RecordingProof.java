package org.descant.provenance.proof;

import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;
import org.descant.provenance.Checkpoint;
import org.descant.provenance.LogKey;
import org.descant.provenance.LogProof;
import org.descant.provenance.ProvenanceException;
import org.descant.provenance.SafeFiles;
import org.descant.provenance.TransparencyLog;
import org.descant.rights.Isrc;
import org.descant.rights.RightsException;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.json.JsonMapper;

/*
 * The file is one line of JSON. Its last field is an Ed25519 signature of the log's key over all
 * before it, as a C2SP signed note: so every byte counts, also those that no hash covers (the
 * notes, the recording's name in a proof of absence).
 *
 *   {"format":"descant-proof/1", …, "signature":"…"}
 */
/**
 * Whether a model learned from a recording, as a file that can be checked without the house that
 * made it: the model, its dataset's root, the recording's line or the place where it is missing,
 * and proofs that the log binds model, dataset and tree to each other. Immutable and thread-safe.
 */
public final class RecordingProof {
  private static final String FORMAT = "descant-proof/1";
  private static final String SIGNATURE = ",\"signature\":\"";
  private static final String END = "\"}\n";

  /** A list of 200,000 recordings fits. */
  private static final int BYTES_MAX = 64 << 20;

  private static final JsonMapper JSON =
      JsonMapper.builder()
          .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
          .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  private final Body body;
  private final String text;
  private final String signature;

  private RecordingProof(Body body, String text, String signature) {
    this.body = body;
    this.text = text;
    this.signature = signature;
  }

  /** What can be shown about a recording and a dataset. */
  public enum Answer {
    /** It is in the dataset. */
    INCLUDED,
    /** It was asked about and refused: not trained on. */
    REFUSED,
    /** It is not in the dataset's list. */
    ABSENT
  }

  /** What is signed; {@code list} is null when only the recording's place is shown. */
  @JsonPropertyOrder({
    "format",
    "recording",
    "answer",
    "notes",
    "model",
    "dataset",
    "recordings",
    "tree",
    "way",
    "list",
    "logKey",
    "modelProof",
    "treeProof"
  })
  private record Body(
      String format,
      String recording,
      Answer answer,
      List<String> notes,
      String model,
      String dataset,
      int recordings,
      String tree,
      DatasetTree.Way way,
      @Nullable List<String> list,
      String logKey,
      String modelProof,
      String treeProof) {
    private Body {
      Stream.of(format, recording, answer, model, dataset, tree, way, logKey, modelProof, treeProof)
          .forEach(Objects::requireNonNull);
      notes = List.copyOf(notes);
      list = list == null ? null : List.copyOf(list);
    }
  }

  /**
   * What a proof that holds says.
   *
   * @param recording it is about
   * @param answer shown
   * @param sentence the answer in words
   * @param notes what the house adds under its signature; not shown by hashes
   * @param reveals what the proof tells about other recordings
   * @param model id
   * @param dataset root, hex
   * @param logKey that signed it
   * @param head the log's head that vouches for it
   */
  public record Verified(
      Isrc recording,
      Answer answer,
      String sentence,
      List<String> notes,
      String reveals,
      String model,
      String dataset,
      String logKey,
      Checkpoint head) {
    public Verified {
      notes = List.copyOf(notes);
    }
  }

  /** What the log holds about a model: its id and its dataset's root. */
  public static byte[] modelEntry(String model, String dataset) {
    return "{\"dataset\":%s,\"model\":%s}"
        .formatted(JSON.writeValueAsString(dataset), JSON.writeValueAsString(model))
        .getBytes(StandardCharsets.UTF_8);
  }

  /**
   * Proves what a model's dataset says of a recording. The log gets the entries of the model and of
   * the tree if it has none yet.
   *
   * @param model id of a model of which the house knows that it was trained on the dataset
   * @param lines all of the dataset, in any order
   * @param notes what the house adds: why it refused, say
   * @param whole true to put in all lines, so that nothing but a hash has to be believed about the
   *     list; false to show the recording's place only
   * @throws ProvenanceException if the lines are no dataset's, or too many for a whole list
   */
  public static RecordingProof make(
      TransparencyLog log,
      String model,
      List<DatasetLine> lines,
      Isrc recording,
      List<String> notes,
      boolean whole) {
    var tree = new DatasetTree(lines);
    DatasetTree.Way way = tree.way(recording);
    Answer answer = answer(DatasetTree.check(tree.root(), recording, way));
    LogProof ofModel = log.prove(log.appendOnce(modelEntry(model, tree.dataset())));
    LogProof ofTree = log.prove(log.appendOnce(tree.logEntry()));
    var body =
        new Body(
            FORMAT,
            recording.value(),
            answer,
            notes,
            model,
            tree.dataset(),
            tree.size(),
            tree.root(),
            way,
            whole ? lines.stream().map(DatasetLine::text).sorted().toList() : null,
            log.verifierKey(),
            ofModel.text(),
            ofTree.text());
    String text = JSON.writeValueAsString(body);
    String note = log.sign(text + "\n").stripTrailing();
    var proof = new RecordingProof(body, text, note.substring(note.lastIndexOf(' ') + 1));
    if (proof.bytes().length > BYTES_MAX) {
      throw new ProvenanceException(
          "A proof with the whole list of %d recordings is too long: prove without the list."
              .formatted(tree.size()));
    }
    return proof;
  }

  private static Answer answer(Optional<DatasetLine> line) {
    return line.map(found -> found.allowed() ? Answer.INCLUDED : Answer.REFUSED)
        .orElse(Answer.ABSENT);
  }

  /** Whether a file says that it is such a proof, by its name's ending or its first byte. */
  public static boolean looksLikeOne(Path file) throws IOException {
    if (file.toString().endsWith(".json")) {
      return true;
    }
    try (var in = Files.newInputStream(file)) {
      return in.read() == '{';
    }
  }

  /**
   * Reads a proof; {@link #verify} says whether it holds.
   *
   * @throws ProvenanceException if the file is none
   */
  public static RecordingProof read(Path file) throws IOException {
    if (Files.size(file) > BYTES_MAX) {
      throw new ProvenanceException(
          "%s is longer than any proof of a recording.".formatted(file.getFileName()));
    }
    return parse(Files.readAllBytes(file));
  }

  /**
   * Reads a proof; {@link #verify} says whether it holds.
   *
   * @throws ProvenanceException if the bytes are none
   */
  public static RecordingProof parse(byte[] bytes) {
    String file = new String(bytes, StandardCharsets.UTF_8);
    int split = file.lastIndexOf(SIGNATURE);
    if (split < 0
        || !file.endsWith(END)
        || !Arrays.equals(bytes, file.getBytes(StandardCharsets.UTF_8))) {
      throw notAProof();
    }
    String text = file.substring(0, split) + "}";
    try {
      Body body = JSON.readValue(text, Body.class);
      if (!body.format().equals(FORMAT)) {
        throw notAProof();
      }
      String signature = file.substring(split + SIGNATURE.length(), file.length() - END.length());
      return new RecordingProof(body, text, signature);
    } catch (JacksonException | StringIndexOutOfBoundsException _) {
      throw notAProof();
    }
  }

  /** The file: one line of JSON. */
  public byte[] bytes() {
    return (text.substring(0, text.length() - 1) + SIGNATURE + signature + END)
        .getBytes(StandardCharsets.UTF_8);
  }

  /** Writes the file aside and renames it. */
  public void write(Path file) throws IOException {
    SafeFiles.write(file, bytes());
  }

  /**
   * Checks everything: signatures, log proofs, the way in the tree, and the list where there is
   * one.
   *
   * @param trustedKey the log's key as the house publishes it, or null to use the one in the proof,
   *     which then shows only that the proof holds together
   * @throws ProvenanceException with a sentence on the first thing that does not hold
   */
  public Verified verify(@Nullable String trustedKey) {
    var key = LogKey.parse(body.logKey());
    if (trustedKey != null && !LogKey.parse(trustedKey).toString().equals(key.toString())) {
      throw new ProvenanceException(
          "The proof is signed by the log %s and not by %s: ask the house which is its key."
              .formatted(key, trustedKey.strip()));
    }
    key.verified(text + "\n\n\u2014 " + key.name() + " " + signature + "\n");
    String dataset = body.dataset();
    LogProof.parse(body.modelProof()).verify(modelEntry(body.model(), dataset), key.toString());
    Checkpoint head =
        LogProof.parse(body.treeProof())
            .verify(DatasetTree.logEntry(dataset, body.recordings(), body.tree()), key.toString());
    Isrc recording = isrc(body.recording());
    Answer answer = answer(DatasetTree.check(body.tree(), recording, body.way()));
    if (answer != body.answer()) {
      throw new ProvenanceException(
          "The proof says %s of %s, its hashes say %s: do not trust it."
              .formatted(body.answer(), recording.formatted(), answer));
    }
    if (body.list() != null) {
      checkList(body.list());
    }
    return new Verified(
        recording,
        answer,
        sentence(recording, answer),
        body.notes(),
        reveals(recording),
        body.model(),
        dataset,
        key.toString(),
        head);
  }

  private void checkList(List<String> list) {
    List<DatasetLine> lines = list.stream().map(DatasetLine::parse).toList();
    var tree = new DatasetTree(lines);
    if (!tree.dataset().equals(body.dataset())) {
      throw new ProvenanceException(
          "The list in the proof is not the one whose hash is the dataset's root.");
    }
    if (!tree.root().equals(body.tree()) || tree.size() != body.recordings()) {
      throw new ProvenanceException(
          "The tree that the log holds for this dataset is not that of its list: the house has"
              + " logged a false one.");
    }
  }

  private String sentence(Isrc recording, Answer answer) {
    String said =
        switch (answer) {
          case INCLUDED -> "%s is in the dataset that model %s learned from";
          case REFUSED -> "%s was refused for the dataset of model %s, which was not trained on it";
          case ABSENT -> "%s is not in the dataset of model %s, which was not trained on it";
        };
    return (said + " (dataset root %s).")
        .formatted(recording.formatted(), body.model(), body.dataset());
  }

  private String reveals(Isrc recording) {
    if (body.list() != null) {
      return "It shows the whole list of %d recordings that were asked about, with each answer."
          .formatted(body.recordings());
    }
    String leaf = body.way().leaf();
    return leaf == null || DatasetLine.parse(leaf).isrc().equals(recording)
        ? "It shows no other recording, only that %d were asked about.".formatted(body.recordings())
        : "It shows one other recording, %s, and that %d were asked about."
            .formatted(DatasetLine.parse(leaf).isrc().formatted(), body.recordings());
  }

  private static Isrc isrc(String compact) {
    try {
      return new Isrc(compact);
    } catch (RightsException e) {
      throw new ProvenanceException("The proof names no recording.", e);
    }
  }

  private static ProvenanceException notAProof() {
    return new ProvenanceException(
        "This is not a proof about a recording, or it was changed: `descant prove` writes one line"
            + " of JSON, from %s to its signature.".formatted(FORMAT));
  }
}
