package org.descant.attribution;

import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.zip.CRC32C;
import org.descant.audio.AudioException;
import org.descant.audio.Pcm;
import org.descant.audio.analysis.Fingerprint;
import org.descant.models.HouseModel;
import org.descant.models.ModelCard;
import org.descant.rights.Isrc;
import org.descant.shards.Dataset;
import org.descant.tensor.DType;
import org.descant.tensor.NoGrad;
import org.descant.tensor.Safetensors;
import org.descant.tensor.SafetensorsWriter;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.descant.tensor.TensorException;
import org.jspecify.annotations.Nullable;

/**
 * What must be known of a model's training recordings to say which of them shaped a clip: one row
 * of numbers each and the metric that they are compared in; and, to say whether a clip repeats one,
 * the {@link Fingerprint} of each as the model's codec gives it back, 26 kB a minute. Immutable.
 */
public final class AttributionIndex {
  /** The index's file in a model's folder. */
  public static final String FILE = "attribution.safetensors";

  /** Numbers of a recording, fewer where many recordings would make the file large. */
  private static final int SKETCH_SIZE_MAX = 1 << 14;

  private static final int SKETCH_SIZE_MIN = 1 << 11;
  private static final int BYTES_WANTED = 1_250_000;

  private static final String FORMAT = "descant-attribution/2";
  private static final String ROWS = "recordings";
  private static final String METRIC = "metric";
  private static final String PRINT = "print.";
  private static final String PRINTS_SUM = "prints-crc32c";

  private final String modelId;
  private final List<Isrc> recordings;
  private final Influence influence;
  private final float[] inverseRoots;
  private final List<byte[]> prints;

  private AttributionIndex(
      String modelId,
      List<Isrc> recordings,
      Influence influence,
      float[] inverseRoots,
      List<byte[]> prints) {
    this.modelId = modelId;
    this.recordings = List.copyOf(recordings);
    this.influence = influence;
    this.inverseRoots = inverseRoots;
    this.prints = List.copyOf(prints);
  }

  /** Id of the weights that it was built with. */
  public String modelId() {
    return modelId;
  }

  /** Recordings that it knows, sorted by ISRC. */
  public List<Isrc> recordings() {
    return recordings;
  }

  /** Their rows, in the same order. */
  Influence influence() {
    return influence;
  }

  /** See {@link LossGradients#inverseRoots()}. */
  float[] inverseRoots() {
    return inverseRoots;
  }

  /** See {@link Attributor#throughCodec}. */
  Fingerprint throughCodec(Isrc recording) {
    int at = recordings.indexOf(recording);
    if (at < 0) {
      throw new AttributionException(
          "The model did not learn from %s; ask for one of the %d recordings that it did learn from"
              .formatted(recording, recordings.size()));
    }
    return Fingerprint.fromBytes(prints.get(at));
  }

  /** Builds the index without telling anybody how far it is. */
  public static AttributionIndex build(Path modelFolder, Dataset dataset) {
    return build(modelFolder, dataset, line -> {});
  }

  /**
   * Builds the index of a model and writes it into the model's folder, aside first. The same model
   * and dataset give the same bytes on one kind of CPU.
   *
   * @param dataset that the model was trained on
   * @param progress hears one line a recording
   * @throws AttributionException when a recording of the model is not in the dataset
   */
  public static AttributionIndex build(
      Path modelFolder, Dataset dataset, Consumer<String> progress) {
    try (HouseModel model = HouseModel.load(modelFolder);
        Questioned trainable = Questioned.of(model)) {
      List<Isrc> trained = trainedOn(model.card());
      if (!model.card().datasetRoot().equals(dataset.manifest().root())) {
        throw new AttributionException(
            "The model %s was trained on the dataset with root %s, this one has %s; name the right"
                    .formatted(
                        model.card().name(), model.card().datasetRoot(), dataset.manifest().root())
                + " dataset");
      }
      Map<Isrc, Integer> where = new LinkedHashMap<>();
      for (int i = 0; i < dataset.size(); i++) {
        where.put(Isrc.of(dataset.isrc(i)), i);
      }
      List<int[][]> codes = new ArrayList<>();
      List<byte[]> prints = new ArrayList<>();
      for (Isrc isrc : trained) {
        Integer at = where.get(isrc);
        if (at == null) {
          throw new AttributionException(
              "The model learned from %s, which is not in the dataset %s; name the right dataset"
                  .formatted(isrc, dataset.folder()));
        }
        Pcm sound = dataset.read(at).resampled(model.codec().sampleRate());
        codes.add(model.codec().encode(sound.channels()));
        Pcm back = new Pcm(model.codec().decode(codes.getLast()), model.codec().sampleRate());
        prints.add(Fingerprint.of(back).toBytes());
        progress.accept(
            "attribution index: %d of %d recordings coded".formatted(codes.size(), trained.size()));
      }
      LossGradients gradients =
          LossGradients.measured(trainable, sketchSize(trained.size()), codes);
      List<LossGradients.Sketch> all = new ArrayList<>();
      long start = System.nanoTime();
      for (int[][] one : codes) {
        all.add(gradients.of(one));
        double seconds = (System.nanoTime() - start) / 1e9;
        progress.accept(
            "attribution index: %d of %d recordings, %.0f s left"
                .formatted(
                    all.size(),
                    trained.size(),
                    seconds / all.size() * (trained.size() - all.size())));
      }
      new AttributionIndex(
              model.id(), trained, Influence.fit(all), gradients.inverseRoots(), prints)
          .write(modelFolder);
      // What is read back is rounded to bf16; what is handed out should be the same.
      return read(modelFolder);
    }
  }

  private static int sketchSize(int recordings) {
    int size = SKETCH_SIZE_MAX;
    while (size > SKETCH_SIZE_MIN && 2L * size * recordings > BYTES_WANTED) {
      size /= 2;
    }
    return size;
  }

  /** The recordings that shaped a model, sorted. */
  static List<Isrc> trainedOn(ModelCard card) {
    List<Isrc> trained =
        card.recordings().stream()
            .filter(r -> !r.heldOut())
            .map(r -> Isrc.of(r.isrc()))
            .sorted(Comparator.comparing(Isrc::toString))
            .toList();
    if (trained.isEmpty()) {
      throw new AttributionException(
          "The card of the model %s lists no recording that it was trained on"
              .formatted(card.name()));
    }
    return trained;
  }

  private void write(Path modelFolder) {
    float[][] rows = influence.rows();
    int size = rows[0].length;
    float[] flat = new float[rows.length * size];
    for (int r = 0; r < rows.length; r++) {
      System.arraycopy(rows[r], 0, flat, r * size, size);
    }
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      Map<String, Tensor> tensors = new HashMap<>();
      tensors.put(ROWS, Tensor.of(flat, rows.length, size).to(DType.BF16));
      tensors.put(METRIC, Tensor.of(inverseRoots, inverseRoots.length).to(DType.BF16));
      for (int i = 0; i < prints.size(); i++) {
        byte[] print = prints.get(i);
        tensors.put(
            PRINT + recordings.get(i),
            Tensor.empty(DType.U8, print.length).copyFrom(MemorySegment.ofArray(print)));
      }
      SafetensorsWriter.write(
          modelFolder.resolve(FILE),
          tensors,
          Map.of(
              "format",
              FORMAT,
              "model",
              modelId,
              "isrcs",
              String.join(",", recordings.stream().map(Isrc::toString).toList()),
              PRINTS_SUM,
              sum(prints)));
    }
  }

  /** A damaged fingerprint would let copies pass and nobody would notice. */
  private static String sum(List<byte[]> prints) {
    CRC32C sum = new CRC32C();
    prints.forEach(sum::update);
    return Long.toHexString(sum.getValue());
  }

  /**
   * Reads the index in a model's folder.
   *
   * @throws AttributionException when there is none, it is damaged, or of an earlier version
   */
  public static AttributionIndex read(Path modelFolder) {
    Path file = modelFolder.resolve(FILE);
    if (!Files.isRegularFile(file)) {
      throw new AttributionException(
          "The model folder %s has no %s: build it with `%s`"
              .formatted(modelFolder, FILE, command(modelFolder)));
    }
    try (Safetensors saved = Safetensors.open(file);
        Scope scope = Scope.open()) {
      Map<String, String> facts = saved.metadata();
      String model = facts.get("model");
      String isrcs = facts.get("isrcs");
      if (!FORMAT.equals(facts.get("format"))
          || model == null
          || isrcs == null
          || !saved.contains(ROWS)
          || !saved.contains(METRIC)) {
        throw damaged(file, null);
      }
      List<Isrc> recordings = List.of(isrcs.split(",")).stream().map(Isrc::of).toList();
      long[] shape = saved.shape(ROWS);
      if (shape.length != 2 || shape[0] != recordings.size() || Long.bitCount(shape[1]) != 1) {
        throw damaged(file, null);
      }
      float[] flat = saved.tensor(ROWS, DType.F32).toFloats();
      int size = (int) shape[1];
      float[][] rows = new float[recordings.size()][size];
      for (int r = 0; r < rows.length; r++) {
        System.arraycopy(flat, r * size, rows[r], 0, size);
      }
      List<byte[]> prints = new ArrayList<>();
      for (Isrc recording : recordings) {
        int[] values = saved.tensor(PRINT + recording).toInts();
        byte[] print = new byte[values.length];
        for (int i = 0; i < print.length; i++) {
          print[i] = (byte) values[i];
        }
        Fingerprint.fromBytes(print); // or it is none
        prints.add(print);
      }
      if (!sum(prints).equals(facts.get(PRINTS_SUM))) {
        throw damaged(file, null);
      }
      return new AttributionIndex(
          model,
          recordings,
          Influence.of(rows),
          saved.tensor(METRIC, DType.F32).toFloats(),
          prints);
    } catch (TensorException | AudioException e) {
      throw damaged(file, e);
    }
  }

  private static AttributionException damaged(Path file, @Nullable Throwable cause) {
    return new AttributionException(
        "%s is not an attribution index of this version: build it again with `%s`"
            .formatted(file, command(file.toAbsolutePath().getParent())),
        cause);
  }

  /** What builds a model's index. */
  static String command(@Nullable Path modelFolder) {
    return "descant evaluate %s --parts INDEX".formatted(modelFolder);
  }
}
