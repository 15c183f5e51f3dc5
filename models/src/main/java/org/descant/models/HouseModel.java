package org.descant.models;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import org.descant.models.codec.MagnitudeCodec;
import org.descant.models.flow.FlowModel;
import org.descant.models.lm.TokenLm;
import org.descant.tensor.DType;
import org.descant.tensor.Int8Weight;
import org.descant.tensor.NoGrad;
import org.descant.tensor.ParameterStore;
import org.descant.tensor.ParameterStore.Parameter;
import org.descant.tensor.Safetensors;
import org.descant.tensor.SafetensorsWriter;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.descant.tensor.TensorException;
import org.jspecify.annotations.Nullable;

/**
 * A trained model as it is shipped: a folder with {@code model.safetensors} (a codec, and a
 * language model of its tokens or a flow model of its latents) and {@code card.json}.
 *
 * <p>Matrices are stored as int8 with one scale per row, everything else as fp32; the file's
 * SHA-256 is the model's id. A scale has 17 significant bits, so that 127 · scale is exact in fp32
 * and a loaded model saves to the same bytes. Loading refuses a folder whose weights are not those
 * the card names.
 */
public final class HouseModel implements AutoCloseable {
  /** The weights' file in a model's folder. */
  public static final String WEIGHTS = "model.safetensors";

  private static final String CODEC = "codec.";
  private static final String LANGUAGE_MODEL = "lm.";
  private static final String FLOW = "flow.";

  private final ModelCard card;
  private final MagnitudeCodec codec;
  private final @Nullable TokenLm languageModel;
  private final @Nullable FlowModel flow;

  private HouseModel(
      ModelCard card,
      MagnitudeCodec codec,
      @Nullable TokenLm languageModel,
      @Nullable FlowModel flow) {
    this.card = card;
    this.codec = codec;
    this.languageModel = languageModel;
    this.flow = flow;
  }

  /** What it is and what it was trained on. */
  public ModelCard card() {
    return card;
  }

  /** {@code sha256:…} of the weights file. */
  public String id() {
    return card.id();
  }

  public MagnitudeCodec codec() {
    return codec;
  }

  /** Whether a flow model of latents makes the music, and not a language model of tokens. */
  public boolean isFlow() {
    return flow != null;
  }

  /**
   * What draws tokens.
   *
   * @throws ModelException when this is a flow model
   */
  public TokenLm languageModel() {
    if (languageModel == null) {
      throw new ModelException(
          card.name()
              + " is a flow model, which makes latents; it has no language model of tokens");
    }
    return languageModel;
  }

  /**
   * What makes latents.
   *
   * @throws ModelException when this is a token language model
   */
  public FlowModel flow() {
    if (flow == null) {
      throw new ModelException(card.name() + " is a token language model; it has no flow model");
    }
    return flow;
  }

  /**
   * Loads a model for use, without gradients; sessions and the codec decode with int8 copies of its
   * matrices.
   *
   * @throws ModelException when a file is missing, damaged, or not the one the card names
   */
  public static HouseModel load(Path folder) {
    ModelCard card = ModelCard.read(folder);
    Path weights = folder.resolve(WEIGHTS);
    if (!Files.isRegularFile(weights)) {
      throw new ModelException(
          "The model folder " + folder + " has no " + WEIGHTS + "; copy the whole folder");
    }
    String hash = hash(weights);
    if (!hash.equals(card.id())) {
      throw new ModelException(
          "The weights in "
              + folder
              + " have the hash "
              + hash
              + ", the card names "
              + card.id()
              + "; fetch the model again");
    }
    MagnitudeCodec codec = MagnitudeCodec.frozen(card.codec());
    TokenLm languageModel =
        card.languageModel() == null ? null : TokenLm.frozen(card.languageModel());
    FlowModel flow = card.flow() == null ? null : FlowModel.frozen(card.flow());
    HouseModel model = new HouseModel(card, codec, languageModel, flow);
    try (Safetensors file = Safetensors.open(weights)) {
      codec.parameters().restoreFrom(CODEC, file);
      if (languageModel != null) {
        languageModel.parameters().restoreFrom(LANGUAGE_MODEL, file);
      }
      if (flow != null) {
        flow.parameters().restoreFrom(FLOW, file);
      }
    } catch (TensorException e) {
      model.close();
      throw new ModelException("Cannot load the model in " + folder + ": " + e.getMessage(), e);
    }
    codec.pack();
    if (languageModel != null) {
      languageModel.pack();
    }
    return model;
  }

  /** Saves this model again: the same bytes of weights, under the given card. */
  public ModelCard save(Path folder, ModelCard as) {
    return write(folder, codec, languageModel, flow, as);
  }

  /**
   * Writes a model's folder; each file is written aside and renamed, the card last.
   *
   * @param draft the card; its id and its shapes are set from what is saved
   * @return the card as written
   */
  public static ModelCard save(
      Path folder, MagnitudeCodec codec, TokenLm languageModel, ModelCard draft) {
    return write(folder, codec, languageModel, null, draft);
  }

  /** Writes the folder of a flow model in the same way. */
  public static ModelCard save(Path folder, MagnitudeCodec codec, FlowModel flow, ModelCard draft) {
    return write(folder, codec, null, flow, draft);
  }

  private static ModelCard write(
      Path folder,
      MagnitudeCodec codec,
      @Nullable TokenLm languageModel,
      @Nullable FlowModel flow,
      ModelCard draft) {
    try {
      Files.createDirectories(folder);
    } catch (IOException e) {
      throw new ModelException("Cannot make the model folder " + folder + ": " + e.getMessage(), e);
    }
    Path weights = folder.resolve(WEIGHTS);
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      store(codec.parameters(), CODEC, tensors);
      if (languageModel != null) {
        store(languageModel.parameters(), LANGUAGE_MODEL, tensors);
      }
      if (flow != null) {
        store(flow.parameters(), FLOW, tensors);
      }
      Map<String, String> facts = new TreeMap<>();
      facts.put("format", "descant-house/" + ModelCard.FORMAT);
      facts.put("datasetRoot", draft.datasetRoot());
      facts.put("recipeHash", draft.recipeHash());
      SafetensorsWriter.write(weights, tensors, facts);
    }
    ModelCard card =
        new ModelCard(
            hash(weights),
            draft.name(),
            draft.licence(),
            draft.recipe(),
            draft.recipeHash(),
            draft.datasetRoot(),
            draft.recordings(),
            draft.training(),
            draft.evaluation(),
            draft.attribution(),
            codec.config(),
            languageModel == null ? null : languageModel.config(),
            flow == null ? null : flow.config());
    card.write(folder);
    return card;
  }

  private static void store(ParameterStore from, String prefix, Map<String, Tensor> target) {
    for (Parameter parameter : from.parameters()) {
      Tensor tensor = parameter.tensor().detach();
      String name = prefix + parameter.name();
      if (parameter.isState() || tensor.dim() < 2) {
        target.put(name, tensor);
        continue;
      }
      Int8Weight weight = int8(tensor);
      target.put(name, weight.values());
      target.put(name + ".scale", weight.scales());
    }
  }

  /** Rows of integers −127..127 and scales of 17 significant bits. */
  private static Int8Weight int8(Tensor weight) {
    Tensor rows = weight.flatten(1, -1);
    Tensor largest = rows.abs().amax(1, false);
    Tensor fine = largest.div(127).maskedFill(largest.eq(0.0), 1.0);
    // Veltkamp's split: what is left of a product with 2^7 + 1 has 24 - 7 bits.
    Tensor spread = fine.mul(129);
    Tensor scales = spread.sub(spread.sub(fine));
    Tensor integers = rows.div(scales.unsqueeze(1)).round().clamp(-127, 127);
    return new Int8Weight(integers.to(DType.I8).reshape(weight.shape()), scales);
  }

  private static String hash(Path file) {
    try (var in =
        new DigestInputStream(Files.newInputStream(file), MessageDigest.getInstance("SHA-256"))) {
      in.transferTo(OutputStream.nullOutputStream());
      return "sha256:" + HexFormat.of().formatHex(in.getMessageDigest().digest());
    } catch (IOException e) {
      throw new ModelException("Cannot read " + file + ": " + e.getMessage(), e);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("Every JDK has SHA-256", e);
    }
  }

  /** Writes text beside its place and renames it. */
  static void writeAside(Path file, String text) {
    Path aside = file.resolveSibling(file.getFileName() + ".tmp");
    try {
      Files.write(aside, text.getBytes(StandardCharsets.UTF_8));
      Files.move(aside, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      throw new ModelException("Cannot write " + file + ": " + e.getMessage(), e);
    }
  }

  @Override
  public void close() {
    codec.close();
    if (languageModel != null) {
      languageModel.close();
    }
    if (flow != null) {
      flow.close();
    }
  }
}
