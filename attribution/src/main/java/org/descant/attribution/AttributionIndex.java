package org.descant.attribution;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
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
 * What must be known of a model's training recordings to say which of them shaped a clip: how often
 * each has each token, 4 kB a codebook of 1,024; and, to say whether a clip repeats one, the {@link
 * Fingerprint} of each as the model's codec gives it back, 26 kB a minute. Immutable.
 */
public final class AttributionIndex {
  /** The index's file in a model's folder. */
  public static final String FILE = "attribution.safetensors";

  private static final String FORMAT = "descant-attribution/3";
  private static final String COUNTS = "counts";
  private static final String PRINT = "print.";
  private static final String SUM = "crc32c";

  private final String modelId;
  private final List<Isrc> recordings;
  private final TokenInfluence influence;
  private final List<byte[]> prints;

  private AttributionIndex(
      String modelId, List<Isrc> recordings, TokenInfluence influence, List<byte[]> prints) {
    this.modelId = modelId;
    this.recordings = List.copyOf(recordings);
    this.influence = influence;
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

  /** Of them, in the same order. */
  TokenInfluence influence() {
    return influence;
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
    try (HouseModel model = HouseModel.load(modelFolder)) {
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
      long start = System.nanoTime();
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
        double seconds = (System.nanoTime() - start) / 1e9;
        progress.accept(
            "attribution index: %d of %d recordings, %.0f s left"
                .formatted(
                    codes.size(),
                    trained.size(),
                    seconds / codes.size() * (trained.size() - codes.size())));
      }
      int codebooks =
          model.isFlow() ? model.codec().codebooks() : model.languageModel().config().codebooks();
      AttributionIndex index =
          new AttributionIndex(
              model.id(),
              trained,
              TokenInfluence.of(codes, codebooks, model.codec().codebookSize()),
              prints);
      index.write(modelFolder);
      return index;
    }
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
    int[][][] counts = influence.counts();
    int[] flat = flat(counts);
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      Map<String, Tensor> tensors = new HashMap<>();
      Tensor whole = Tensor.of(flat, counts.length, counts[0].length, counts[0][0].length);
      tensors.put(COUNTS, whole.to(DType.I32));
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
              SUM,
              sum(flat, prints)));
    }
  }

  private static int[] flat(int[][][] counts) {
    return Arrays.stream(counts).flatMap(Arrays::stream).flatMapToInt(Arrays::stream).toArray();
  }

  /** Damage would pay others or let copies pass, and nobody would notice. */
  private static String sum(int[] counts, List<byte[]> prints) {
    CRC32C sum = new CRC32C();
    ByteBuffer bytes = ByteBuffer.allocate(Integer.BYTES * counts.length);
    bytes.asIntBuffer().put(counts);
    sum.update(bytes);
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
          || !saved.contains(COUNTS)) {
        throw damaged(file, null);
      }
      List<Isrc> recordings = List.of(isrcs.split(",")).stream().map(Isrc::of).toList();
      long[] shape = saved.shape(COUNTS);
      if (shape.length != 3
          || shape[0] != recordings.size()
          || shape[1] * shape[2] == 0
          || saved.dtype(COUNTS) != DType.I32) {
        throw damaged(file, null);
      }
      int[] flat = saved.tensor(COUNTS).toInts();
      int[][][] counts = new int[(int) shape[0]][(int) shape[1]][(int) shape[2]];
      int at = 0;
      for (int[][] recording : counts) {
        for (int[] book : recording) {
          System.arraycopy(flat, at, book, 0, book.length);
          at += book.length;
        }
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
      if (!sum(flat, prints).equals(facts.get(SUM))) {
        throw damaged(file, null);
      }
      return new AttributionIndex(model, recordings, TokenInfluence.ofCounts(counts), prints);
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
