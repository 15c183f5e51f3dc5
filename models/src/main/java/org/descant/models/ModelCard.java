package org.descant.models;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.descant.models.codec.CodecConfig;
import org.descant.models.codec.StyleEmbedding;
import org.descant.models.flow.FlowConfig;
import org.descant.models.lm.TokenLmConfig;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * What a model is, what it was made of and what it is worth; {@code card.json} beside the weights.
 *
 * @param id {@code sha256:} and the lower-case hex SHA-256 of {@code model.safetensors}
 * @param name short name, such as {@code house-demo}
 * @param licence SPDX identifier or a plain sentence
 * @param recipe name of the recipe that trained it
 * @param recipeHash hash of the effective recipe
 * @param datasetRoot root of the dataset manifest; the recordings below belong to it
 * @param recordings what it was trained on, in the dataset's order
 * @param training facts of the run (steps, seconds, losses, precision, threads), sorted by name
 * @param evaluation figures, sorted by name
 * @param attribution how sure attribution is with this model, null before it was measured
 * @param codec shape of the codec
 * @param languageModel shape of the token language model, null in a flow model
 * @param flow shape of the flow model, null in a token language model, as in every card that was
 *     written before there were others
 */
public record ModelCard(
    String id,
    String name,
    String licence,
    String recipe,
    String recipeHash,
    String datasetRoot,
    List<TrainedOn> recordings,
    SortedMap<String, Object> training,
    SortedMap<String, Double> evaluation,
    @Nullable Reliability attribution,
    CodecConfig codec,
    @JsonInclude(JsonInclude.Include.NON_NULL) @Nullable TokenLmConfig languageModel,
    @JsonInclude(JsonInclude.Include.NON_NULL) @Nullable FlowConfig flow) {

  private static final long BYTES_MAX = 16 << 20;

  /** Card and weights belong to one format; a reader refuses any other. */
  static final int FORMAT = 1;

  private static final JsonMapper JSON =
      JsonMapper.builder()
          .enable(SerializationFeature.INDENT_OUTPUT)
          .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          // What an older card does not say is false; a shape of 0 is refused by its own checks.
          .disable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
          .build();

  /**
   * A recording that shaped the model.
   *
   * @param isrc its code
   * @param artist name by which it was tagged in training
   * @param tags tags it was trained with
   * @param tempoBpm its tempo, 0 when unknown
   * @param key its key such as {@code D minor}, empty when unknown
   * @param heldOut kept out of training for evaluation
   * @param style its {@link StyleEmbedding}, empty before it was computed
   */
  public record TrainedOn(
      String isrc,
      String title,
      String artist,
      List<String> tags,
      double tempoBpm,
      String key,
      boolean heldOut,
      List<Float> style) {
    public TrainedOn {
      tags = List.copyOf(tags);
      style = List.copyOf(style);
    }
  }

  /**
   * How well attribution agreed with leave-one-out retraining.
   *
   * @param method name of the attribution method
   * @param score rank correlation between predicted and measured influence
   * @param groups recordings left out, one or a few at a time
   * @param command the command that measured it
   */
  public record Reliability(String method, double score, int groups, String command) {}

  public ModelCard {
    if ((languageModel == null) == (flow == null)) {
      throw new ModelException(
          "A model card has the shape of a language model or of a flow model, and of one only");
    }
    recordings = List.copyOf(recordings);
    training = new TreeMap<>(training);
    evaluation = new TreeMap<>(evaluation);
  }

  /** The card of a token language model. */
  public ModelCard(
      String id,
      String name,
      String licence,
      String recipe,
      String recipeHash,
      String datasetRoot,
      List<TrainedOn> recordings,
      SortedMap<String, Object> training,
      SortedMap<String, Double> evaluation,
      @Nullable Reliability attribution,
      CodecConfig codec,
      TokenLmConfig languageModel) {
    this(
        id,
        name,
        licence,
        recipe,
        recipeHash,
        datasetRoot,
        recordings,
        training,
        evaluation,
        attribution,
        codec,
        languageModel,
        null);
  }

  /** Which kind of model it is, in words. */
  public String kind() {
    return flow == null ? "token language model" : "flow model";
  }

  /** The card under another id, as saving assigns it. */
  public ModelCard withId(String other) {
    return new ModelCard(
        other,
        name,
        licence,
        recipe,
        recipeHash,
        datasetRoot,
        recordings,
        training,
        evaluation,
        attribution,
        codec,
        languageModel,
        flow);
  }

  /** The card with these figures added; a figure of the same name is replaced. */
  public ModelCard withEvaluation(Map<String, Double> figures) {
    SortedMap<String, Double> all = new TreeMap<>(evaluation);
    all.putAll(figures);
    return new ModelCard(
        id,
        name,
        licence,
        recipe,
        recipeHash,
        datasetRoot,
        recordings,
        training,
        all,
        attribution,
        codec,
        languageModel,
        flow);
  }

  /** The card with the reliability of its attribution. */
  public ModelCard withAttribution(Reliability reliability) {
    return new ModelCard(
        id,
        name,
        licence,
        recipe,
        recipeHash,
        datasetRoot,
        recordings,
        training,
        evaluation,
        reliability,
        codec,
        languageModel,
        flow);
  }

  /** The card with these recordings. */
  public ModelCard withRecordings(List<TrainedOn> others) {
    return new ModelCard(
        id,
        name,
        licence,
        recipe,
        recipeHash,
        datasetRoot,
        others,
        training,
        evaluation,
        attribution,
        codec,
        languageModel,
        flow);
  }

  /** The card as JSON text, one property a line, in the order of the record. */
  public String toJson() {
    return JSON.writeValueAsString(new Stored(FORMAT, this)) + "\n";
  }

  /**
   * Reads a card.
   *
   * @throws ModelException when the text is not a card of this format
   */
  public static ModelCard fromJson(String text) {
    try {
      Stored stored = JSON.readValue(text, Stored.class);
      if (stored.format != FORMAT) {
        throw new ModelException(
            "The model card has format " + stored.format + "; this version reads format " + FORMAT);
      }
      return stored.card;
    } catch (JacksonException e) {
      throw new ModelException("The model card cannot be read: " + firstLine(e), e);
    }
  }

  private static String firstLine(JacksonException e) {
    Throwable cause = e.getCause();
    if (cause instanceof ModelException model && model.getMessage() != null) {
      return model.getMessage();
    }
    return e.getOriginalMessage();
  }

  /** Reads {@code card.json} of a model folder. */
  public static ModelCard read(Path folder) {
    Path file = folder.resolve("card.json");
    try {
      if (Files.size(file) > BYTES_MAX) {
        throw new ModelException(
            "The model card " + file + " is larger than 16 MB; it is not a card");
      }
      return fromJson(Files.readString(file));
    } catch (NoSuchFileException e) {
      throw new ModelException(
          "The folder " + folder + " has no card.json; name the folder of a saved model", e);
    } catch (IOException e) {
      throw new ModelException("Cannot read the model card " + file + ": " + e.getMessage(), e);
    }
  }

  /** Writes {@code card.json} of a model folder, aside first, then renamed. */
  public void write(Path folder) {
    HouseModel.writeAside(folder.resolve("card.json"), toJson());
  }

  private record Stored(int format, ModelCard card) {}
}
