package org.descant.evaluation.release;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import org.descant.attribution.AttributionIndex;
import org.descant.engine.Engine;
import org.descant.evaluation.ModelEvaluation;
import org.descant.evaluation.release.ReleaseRecord.Agreements;
import org.descant.evaluation.release.ReleaseRecord.Data;
import org.descant.evaluation.release.ReleaseRecord.Parents;
import org.descant.evaluation.release.ReleaseRecord.Person;
import org.descant.lab.Lab;
import org.descant.lab.RunFolder;
import org.descant.lab.RunRecord;
import org.descant.models.HouseModel;
import org.descant.models.ModelCard;
import org.descant.rights.Agreement;
import org.descant.rights.Credit;
import org.descant.rights.Isrc;
import org.descant.rights.RecordingWeight;
import org.descant.rights.Rights;
import org.descant.shards.Dataset;
import org.descant.shards.Manifest;
import org.descant.tensor.Tensor;
import org.descant.training.CodeTree;
import org.descant.training.Trainer;
import org.descant.training.TrainingException;
import org.descant.training.recipe.RecipeText;
import org.descant.training.recipe.Recipes;
import org.jspecify.annotations.Nullable;

/** Where a model came from: its run, recipe, music, agreements and people. */
final class Origins {
  private static final String METRICS = "metrics.jsonl";

  private final Path modelFolder;
  private final ModelCard card;
  private final Dataset dataset;
  private final @Nullable Rights rights;
  private final @Nullable Path runFolder;

  /**
   * @param rights of the home, null when they are not at hand
   * @param runs folder in which the run is looked for
   */
  Origins(Path modelFolder, ModelCard card, Dataset dataset, @Nullable Rights rights, Path runs) {
    this.modelFolder = modelFolder;
    this.card = card;
    this.dataset = dataset;
    this.rights = rights != null && knowsAll(rights, dataset) ? rights : null;
    this.runFolder = runFolder(modelFolder, card, runs).orElse(null);
  }

  private static boolean knowsAll(Rights rights, Dataset dataset) {
    List<Isrc> all =
        dataset.manifest().included().stream().map(one -> Isrc.of(one.isrc())).toList();
    return rights.recordings(all).size() == all.size();
  }

  /** The run of these very weights: the one around the model's folder, or one of {@code runs}. */
  private static Optional<Path> runFolder(Path modelFolder, ModelCard card, Path runs) {
    List<Path> places = new ArrayList<>();
    Path around = modelFolder.toAbsolutePath().normalize().getParent();
    if (around != null && RunFolder.isRun(around)) {
      places.add(around);
    }
    Lab.list(runs).forEach(run -> places.add(run.path()));
    return places.stream().filter(place -> made(place, card)).findFirst();
  }

  private static boolean made(Path runFolder, ModelCard card) {
    RunRecord record = RunFolder.record(runFolder);
    Path model = Trainer.modelFolder(runFolder);
    return record.recipeHash().equals(card.recipeHash())
        && record.datasetRoot().equals(card.datasetRoot())
        && Files.isRegularFile(model.resolve("card.json"))
        && ModelCard.read(model).id().equals(card.id());
  }

  /** The folder of its run, when it is here. */
  Optional<Path> run() {
    return Optional.ofNullable(runFolder);
  }

  /** Rights that know every recording of the dataset, when there are any. */
  Optional<Rights> rights() {
    return Optional.ofNullable(rights);
  }

  Parents parents() {
    Path weights = modelFolder.resolve(HouseModel.WEIGHTS);
    Path index = modelFolder.resolve(AttributionIndex.FILE);
    Manifest manifest = dataset.manifest();
    return new Parents(
        Hashes.of(weights),
        weights.toFile().length(),
        Files.isRegularFile(index) ? Hashes.of(index) : null,
        recipe(),
        runFacts(),
        manifest.root(),
        manifest.id(),
        String.valueOf(card.training().getOrDefault("codeTree", "")),
        CodeTree.of(
            List.of(
                Tensor.class,
                HouseModel.class,
                Dataset.class,
                Engine.class,
                AttributionIndex.class,
                Trainer.class,
                ModelEvaluation.class)));
  }

  private ReleaseRecord.@Nullable Run runFacts() {
    if (runFolder == null) {
      return null;
    }
    RunRecord record = RunFolder.record(runFolder);
    Path metrics = runFolder.resolve(METRICS);
    return new ReleaseRecord.Run(
        record.id(),
        Hashes.of(runFolder.resolve("run.json")),
        Files.isRegularFile(metrics) ? Hashes.of(metrics) : "",
        record.seed(),
        record.steps(),
        record.processor(),
        record.threads());
  }

  private ReleaseRecord.RecipeText recipe() {
    if (runFolder != null) {
      Map<String, Object> keys = RunFolder.record(runFolder).effectiveRecipe();
      boolean same;
      try {
        same = RecipeText.hash(RecipeText.fromMap(keys)).equals(card.recipeHash());
      } catch (TrainingException e) {
        same = false;
      }
      return recipe(
          keys,
          same
              ? "the run's record: the effective recipe, whose hash this is"
              : "the run's record: the effective recipe, which this version writes otherwise");
    }
    Object requested = card.training().get("requestedRecipeHash");
    if (Recipes.names().contains(card.recipe())) {
      Record recipe = Recipes.named(card.recipe());
      if (RecipeText.hash(recipe).equals(requested)) {
        return recipe(
            RecipeText.toMap(recipe),
            "this version's recipe %s, whose hash %s is that of what the run was asked for"
                .formatted(card.recipe(), requested));
      }
    }
    return recipe(
        Map.of(),
        "the run's folder is not here, and this version has no recipe %s with the hash that the"
                .formatted(card.recipe())
            + " run was asked for");
  }

  private ReleaseRecord.RecipeText recipe(Map<String, Object> keys, String from) {
    return new ReleaseRecord.RecipeText(
        card.recipe(), card.recipeHash(), new TreeMap<>(keys), from);
  }

  Data data() {
    Manifest manifest = dataset.manifest();
    Set<String> heldOut = new TreeSet<>();
    card.recordings().stream()
        .filter(ModelCard.TrainedOn::heldOut)
        .forEach(recording -> heldOut.add(recording.isrc()));
    double heldOutSeconds =
        manifest.included().stream()
            .filter(one -> heldOut.contains(one.isrc()))
            .mapToDouble(Manifest.Included::seconds)
            .sum();
    SortedMap<String, Integer> refusedFor = new TreeMap<>();
    manifest
        .excluded()
        .forEach(one ->
            one.reasons().stream()
                .map(Manifest.Reason::code)
                .distinct()
                .forEach(code -> refusedFor.merge(code, 1, Integer::sum)));
    return new Data(
        manifest.included().size() - heldOut.size(),
        (manifest.seconds() - heldOutSeconds) / 60,
        heldOut.size(),
        heldOutSeconds / 60,
        manifest.excluded().size(),
        refusedFor,
        agreements(),
        people(equalShares()),
        rights != null
            ? "the rights of this home"
            : "the dataset's manifest, which knows artists only");
  }

  private @Nullable Agreements agreements() {
    if (rights == null) {
      return null;
    }
    Set<String> ids = new TreeSet<>();
    for (Manifest.Included one : dataset.manifest().included()) {
      rights
          .clearance()
          .find(one.decisionId())
          .ifPresent(
              decision -> decision.reasons().forEach(reason -> ids.addAll(reason.evidenceIds())));
    }
    Set<String> parties = new TreeSet<>();
    SortedMap<String, Integer> byKind = new TreeMap<>();
    int count = 0;
    for (String id : ids) {
      Agreement agreement = rights.agreement(id).orElse(null);
      if (agreement != null) {
        count++;
        parties.add(agreement.licensor());
        byKind.merge(agreement.kind().name(), 1, Integer::sum);
      }
    }
    return count == 0 ? null : new Agreements(count, parties.size(), byKind);
  }

  /** Every recording that it learned from, with the same weight. */
  List<RecordingWeight> equalShares() {
    return card.recordings().stream()
        .filter(recording -> !recording.heldOut())
        .map(recording -> new RecordingWeight(Isrc.of(recording.isrc()), 1))
        .toList();
  }

  /** The people behind recordings, by share, largest first; shares add up to 1. */
  List<Person> people(List<RecordingWeight> weights) {
    Map<List<String>, Double> shares = new LinkedHashMap<>();
    if (rights != null) {
      for (Credit credit : rights.credits().fold(weights)) {
        shares.merge(List.of(credit.name(), credit.role()), credit.share(), Double::sum);
      }
    } else {
      double all = weights.stream().mapToDouble(RecordingWeight::weight).sum();
      for (RecordingWeight weight : weights) {
        String artist =
            dataset.manifest().included().stream()
                .filter(one -> one.isrc().equals(weight.isrc().toString()))
                .map(Manifest.Included::artist)
                .findFirst()
                .orElse(weight.isrc().toString());
        shares.merge(List.of(artist, "MainArtist"), weight.weight() / all, Double::sum);
      }
    }
    return shares.entrySet().stream()
        .map(entry -> new Person(entry.getKey().get(0), entry.getKey().get(1), entry.getValue()))
        .sorted(
            Comparator.comparingDouble(Person::share)
                .reversed()
                .thenComparing(Person::name)
                .thenComparing(Person::role))
        .toList();
  }

  /** Recordings whose consent was taken back since the dataset was built, by ISRC. */
  List<String> fallen() {
    Set<String> fallen = new TreeSet<>();
    dataset.tombstones().forEach(tombstone -> fallen.add(tombstone.isrc()));
    if (rights != null) {
      dataset
          .fallen(rights.clearance())
          .forEach(decision -> fallen.add(decision.isrc().toString()));
    }
    return List.copyOf(fallen);
  }
}
