package org.descant.training.stage;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.descant.lab.RunFolder;
import org.descant.lab.RunRecord;
import org.descant.models.HouseModel;
import org.descant.models.ModelCard;
import org.descant.models.codec.MagnitudeCodec;
import org.descant.shards.Dataset;
import org.descant.tensor.Safetensors;
import org.descant.tensor.SafetensorsWriter;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.descant.training.TrainingException;
import org.descant.training.loop.Checkpoints;
import org.descant.training.recipe.Recipe;
import org.descant.training.recipe.RecipeText;

/**
 * The codec that a recipe's {@code codec.from} names, which an earlier run has learned from the
 * same dataset: its run takes the place of the codec's stage. The run that begins with it keeps a
 * copy in {@code codec/} of its folder and its hash in the effective recipe, so nothing depends on
 * the earlier folder from then on.
 *
 * <p>A run gives the codec of its last checkpoint, as it learned it; a model's folder the one that
 * ships, whose matrices are rounded to 8 bits.
 */
public final class GivenCodec implements AutoCloseable {
  private static final String FOLDER = "codec";

  private final MagnitudeCodec codec;
  private final ModelCard card;
  private final String hash;

  private GivenCodec(MagnitudeCodec codec, ModelCard card) {
    this.codec = codec;
    this.card = card;
    this.hash = Sha256.of(codec);
  }

  /**
   * Reads the codec that a recipe names.
   *
   * @throws TrainingException when there is none, its shape is another, or what it has learned from
   *     does not fit: another dataset, a recording that is withdrawn by now or that the recipe
   *     holds out
   */
  public static GivenCodec of(Recipe recipe, Dataset dataset) {
    Path from = Path.of(recipe.codec().from());
    Path folder = RunFolder.isRun(from) ? checkpoint(from) : from;
    ModelCard card = ModelCard.read(folder);
    requireFits(from, card, recipe, dataset);
    if (!card.id().isEmpty()) {
      HouseModel.load(folder).close(); // refuses weights that are not the card's
    }
    return new GivenCodec(restored(recipe, folder), card);
  }

  /** The last checkpoint of a run that has come to the end of its codec's stage. */
  private static Path checkpoint(Path run) {
    RunRecord record = RunFolder.record(run);
    if (!record.effectiveRecipe().containsKey("codec")) {
      throw new TrainingException("codec.from: %s has learned no codec".formatted(run));
    }
    long steps = RecipeText.fromMap(record.effectiveRecipe()).codecSteps();
    return new Checkpoints(run, 1, 1)
        .latest()
        .filter(saved -> saved.facts().step() >= steps)
        .orElseThrow(() ->
            new TrainingException(
                "codec.from: %s has not learned its codec to the end; let it run on"
                    .formatted(run)))
        .path();
  }

  private static void requireFits(Path from, ModelCard card, Recipe recipe, Dataset dataset) {
    if (!card.datasetRoot().equals(dataset.manifest().root())) {
      throw new TrainingException(
          "codec.from: %s has learned from a dataset with root %.12s, this one has root %.12s"
              .formatted(from, card.datasetRoot(), dataset.manifest().root()));
    }
    if (!card.codec().equals(recipe.codec().model())) {
      throw new TrainingException(
          "codec.from: %s has a codec of another shape than codec.model: %s, not %s"
              .formatted(from, card.codec(), recipe.codec().model()));
    }
    List<String> heldOut = dataset.heldOut(recipe.heldOut()).stream().map(dataset::isrc).toList();
    List<String> learned =
        card.recordings().stream()
            .filter(recording -> !recording.heldOut())
            .map(ModelCard.TrainedOn::isrc)
            .toList();
    for (String isrc : learned) {
      if (dataset.tombstones().stream().anyMatch(gone -> gone.isrc().equals(isrc))) {
        throw new TrainingException(
            "codec.from: the codec of %s has learned from %s, which was withdrawn since; train one"
                    .formatted(from, isrc)
                + " without it");
      }
      if (heldOut.contains(isrc)) {
        throw new TrainingException(
            "codec.from: the codec of %s has learned from %s, which heldOut=%d sets aside; set"
                    .formatted(from, isrc, recipe.heldOut())
                + " heldOut as that run did");
      }
    }
  }

  private static MagnitudeCodec restored(Recipe recipe, Path folder) {
    MagnitudeCodec codec = MagnitudeCodec.create(recipe.codec().model(), 0);
    try (Safetensors file = Safetensors.open(folder.resolve(HouseModel.WEIGHTS))) {
      codec.parameters().restoreFrom(CodecStage.WEIGHTS, file);
      return codec;
    } catch (RuntimeException e) {
      codec.close();
      throw e;
    }
  }

  /** The recipe that names the codec by its hash. */
  public Recipe in(Recipe recipe) {
    return RecipeText.withOverrides(recipe, List.of("codec.from=" + hash));
  }

  /** What a record says of where a codec comes from. */
  public Map<String, Object> origin() {
    return Map.of("name", card.name(), "recipeHash", card.recipeHash(), "hash", hash);
  }

  /** Copies it into a run that begins. */
  public void keep(Path run) {
    Path folder = folder(run);
    try {
      Files.createDirectories(folder);
    } catch (IOException e) {
      throw new TrainingException("cannot make " + folder + ": " + e.getMessage(), e);
    }
    try (Scope scope = Scope.open()) {
      var tensors = new LinkedHashMap<String, Tensor>();
      codec.parameters().saveTo(CodecStage.WEIGHTS, tensors);
      SafetensorsWriter.write(folder.resolve(HouseModel.WEIGHTS), tensors, Map.of());
    }
    new ModelCard(
            "", // these weights alone are no model
            card.name(),
            card.licence(),
            card.recipe(),
            card.recipeHash(),
            card.datasetRoot(),
            card.recordings(),
            card.training(),
            card.evaluation(),
            null,
            card.codec(),
            card.languageModel(),
            card.flow())
        .write(folder);
  }

  /** Where a run keeps the codec that it was given. */
  public static Path folder(Path run) {
    return run.resolve(FOLDER);
  }

  /**
   * Puts the codec that a run was given into its stage.
   *
   * @throws TrainingException when the copy is not the one that the effective recipe names
   */
  public static void restore(Setting setting, MagnitudeCodec codec) {
    Path folder = folder(setting.path());
    try (Safetensors file = Safetensors.open(folder.resolve(HouseModel.WEIGHTS))) {
      codec.parameters().restoreFrom(CodecStage.WEIGHTS, file);
    }
    if (!Sha256.of(codec).equals(setting.recipe().codec().from())) {
      throw new TrainingException(
          "%s is not the codec that the run began with; run the recipe into another folder"
              .formatted(folder));
    }
  }

  @Override
  public void close() {
    codec.close();
  }
}
