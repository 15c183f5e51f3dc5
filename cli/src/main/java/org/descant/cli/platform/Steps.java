package org.descant.cli.platform;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.descant.attribution.AttributionException;
import org.descant.attribution.AttributionIndex;
import org.descant.catalog.Catalog;
import org.descant.catalog.CatalogEntry;
import org.descant.lab.RunRecord;
import org.descant.models.ModelCard;
import org.descant.models.hub.PulledModel;
import org.descant.models.hub.PulledModels;
import org.descant.models.published.TunedModel;
import org.descant.provenance.Artefact;
import org.descant.provenance.Artefact.Kind;
import org.descant.provenance.Lineage;
import org.descant.provenance.Lineage.Node;
import org.descant.provenance.proof.DatasetLine;
import org.descant.provenance.proof.DatasetTree;
import org.descant.provenance.proof.RecordingProof;
import org.descant.rights.Clearance;
import org.descant.rights.ClearedRecording;
import org.descant.rights.Decision;
import org.descant.rights.DecisionContext;
import org.descant.rights.Isrc;
import org.descant.rights.Recording;
import org.descant.rights.Use;
import org.descant.shards.Dataset;
import org.descant.shards.DatasetSource;
import org.descant.shards.DatasetWriter;
import org.descant.shards.Manifest;
import org.descant.shards.Packing;
import org.descant.shards.Refusal;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/** Steps that several commands share: each ends with its artefacts in the lineage and the log. */
public final class Steps {
  private static final ObjectMapper JSON =
      JsonMapper.builder().enable(SerializationFeature.ORDER_MAP_ENTRIES_BY_KEYS).build();

  private Steps() {}

  /** A value as JSON with sorted keys: the same bytes in every process. */
  public static byte[] json(Object value) {
    return JSON.writeValueAsBytes(value);
  }

  /** Puts every recording that has its audio into the thread. */
  public static void recordRecordings(Platform platform) {
    Lineage lineage = platform.lineage();
    List<Node> nodes = new ArrayList<>();
    for (CatalogEntry entry : platform.catalog().list()) {
      String id = entry.isrc().toString();
      if (entry.pcmHash() != null && lineage.find(id).isEmpty()) {
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("title", entry.title());
        facts.put("artist", entry.artist());
        facts.put("pcmHash", entry.pcmHash());
        nodes.add(new Node(Artefact.of(Kind.RECORDING, id, facts), java.util.Set.of()));
      }
    }
    lineage.record(nodes);
  }

  /** Where a home keeps its datasets. */
  public static Path datasets(Path home) {
    return home.resolve("datasets");
  }

  /**
   * Builds a dataset of exactly what is cleared among the recordings that {@code which} takes. One
   * that is there already, with the same root, stays as it is.
   */
  public static Manifest buildDataset(
      Platform platform, String name, Use use, Predicate<CatalogEntry> which, LocalDate at) {
    return buildDataset(platform, name, use, which, at, Packing.PCM16);
  }

  /** As above, with the sound packed as said. */
  public static Manifest buildDataset(
      Platform platform,
      String name,
      Use use,
      Predicate<CatalogEntry> which,
      LocalDate at,
      Packing packing) {
    Catalog catalog = platform.catalog();
    Map<Isrc, CatalogEntry> asked = new LinkedHashMap<>();
    for (CatalogEntry entry : catalog.list()) {
      if (entry.status() != CatalogEntry.Status.DUPLICATE && which.test(entry)) {
        asked.put(entry.isrc(), entry);
      }
    }
    if (asked.isEmpty()) {
      throw new UsageException(
          "There are no recordings to ask about; import a delivery first (`descant catalog"
              + " import`).");
    }
    Clearance.Clearing clearing =
        platform.clearance().clearAll(use, asked.keySet(), new DecisionContext(at, null));
    List<DatasetSource> sources = new ArrayList<>();
    for (ClearedRecording cleared : clearing.cleared()) {
      CatalogEntry entry = asked.get(cleared.isrc());
      if (entry != null) {
        sources.add(source(catalog, cleared, entry));
      }
    }
    if (sources.isEmpty()) {
      throw new UsageException(
          "None of the "
              + asked.size()
              + " recordings is cleared for "
              + use
              + "; `descant rights decide` tells why.");
    }
    List<Refusal> refused = new ArrayList<>();
    for (Decision decision : clearing.refused()) {
      Recording recording = platform.rights().recording(decision.isrc()).orElse(null);
      refused.add(new Refusal(decision, recording == null ? null : recording.pcmHash()));
    }
    String root = DatasetWriter.rootOf(use, sources, refused);
    Path folder = datasets(platform.home()).resolve(name + "-" + root.substring(0, 12));
    Manifest manifest =
        Files.exists(folder)
            ? Manifest.read(folder)
            : DatasetWriter.write(
                folder, name, use, sources, refused, platform.clearance(), packing);
    recordDataset(platform, manifest, clearing);
    return manifest;
  }

  private static DatasetSource source(
      Catalog catalog, ClearedRecording cleared, CatalogEntry entry) {
    List<String> tags = new ArrayList<>();
    if (!entry.genre().isBlank()) {
      tags.add(entry.genre());
    }
    entry.tags().stream().filter(tag -> !tags.contains(tag)).forEach(tags::add);
    return new DatasetSource(
        cleared,
        catalog.audioPath(entry.isrc()),
        catalog.annotations(entry.isrc()).orElse(null),
        entry.artist(),
        tags,
        (entry.title() + ". " + entry.description()).strip());
  }

  private static void recordDataset(
      Platform platform, Manifest manifest, Clearance.Clearing clearing) {
    recordRecordings(platform);
    Lineage lineage = platform.lineage();
    List<Decision> decisions = new ArrayList<>(clearing.refused());
    clearing.cleared().forEach(cleared -> decisions.add(cleared.decision()));
    List<Node> nodes = new ArrayList<>();
    List<String> parents = new ArrayList<>();
    for (Decision decision : decisions) {
      String isrc = decision.isrc().toString();
      parents.add(decision.id());
      if (lineage.find(decision.id()).isEmpty()) {
        nodes.add(
            new Node(
                Artefact.of(
                    Kind.DECISION,
                    decision.id(),
                    Map.of(
                        "use", decision.use().name(),
                        "isrc", isrc,
                        "allowed", decision.allowed())),
                lineage.find(isrc).isPresent() ? java.util.Set.of(isrc) : java.util.Set.of()));
      }
    }
    if (lineage.find(manifest.root()).isEmpty()) {
      nodes.add(
          new Node(
              Artefact.of(
                  Kind.DATASET,
                  manifest.root(),
                  Map.of(
                      "use", manifest.use().name(),
                      "included", manifest.included().size(),
                      "excluded", manifest.excluded().size())),
              java.util.Set.copyOf(parents)));
      platform
          .log()
          .append(json(Map.of("dataset", manifest.root(), "included", manifest.included().size())));
    }
    // A dataset from before there was a tree gets its entry when it is built again, or proven from.
    platform.log().appendOnce(new DatasetTree(lines(manifest)).logEntry());
    lineage.record(nodes);
  }

  /** The lines whose hash is the dataset's root. */
  public static List<DatasetLine> lines(Manifest manifest) {
    Use use = manifest.use();
    List<DatasetLine> lines = new ArrayList<>();
    for (Manifest.Included included : manifest.included()) {
      Isrc isrc = new Isrc(included.isrc());
      lines.add(new DatasetLine(isrc, included.pcmHash(), use, true, included.rulesHash()));
    }
    for (Manifest.Excluded excluded : manifest.excluded()) {
      Isrc isrc = new Isrc(excluded.isrc());
      lines.add(new DatasetLine(isrc, excluded.pcmHash(), use, false, excluded.rulesHash()));
    }
    return lines;
  }

  /** Where a home keeps the manifests of datasets whose sound was removed. */
  public static Path removedDatasets(Path home) {
    return datasets(home).resolve(".removed");
  }

  /** The folder of a dataset by its name or id: of several of one name, the newest. */
  public static Path dataset(Path home, String nameOrId) {
    return named(datasets(home), nameOrId)
        .orElseThrow(() ->
            new UsageException(
                named(removedDatasets(home), nameOrId).isPresent()
                    ? "The sound of dataset "
                        + nameOrId
                        + " was removed, its manifest was kept; build it again."
                    : "There is no dataset "
                        + nameOrId
                        + "; `descant dataset ls` lists those there are."));
  }

  /** As {@link #dataset}, or the folder of its manifest when its sound was removed. */
  public static Path datasetOrManifest(Path home, String nameOrId) {
    return named(datasets(home), nameOrId)
        .or(() -> named(removedDatasets(home), nameOrId))
        .orElseGet(() -> dataset(home, nameOrId));
  }

  private static Optional<Path> named(Path folders, String nameOrId) {
    return manifestFolders(folders).stream()
        .filter(folder -> folder.getFileName().toString().equals(nameOrId))
        .findFirst()
        .or(() ->
            manifestFolders(folders).stream()
                .filter(folder -> Manifest.read(folder).name().equals(nameOrId))
                .findFirst());
  }

  /** All datasets of a home, the newest first. */
  public static List<Path> datasetFolders(Path home) {
    return manifestFolders(datasets(home));
  }

  /** The folders with a manifest in a folder, the newest first. */
  public static List<Path> manifestFolders(Path parent) {
    if (!Files.isDirectory(parent)) {
      return List.of();
    }
    try (Stream<Path> folders = Files.list(parent)) {
      return folders
          .filter(folder ->
              !folder.getFileName().toString().startsWith(".") // on its way here or away
                  && Files.isRegularFile(folder.resolve("manifest.json")))
          .sorted(Comparator.comparing(Steps::modified).reversed().thenComparing(Path::toString))
          .toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** As {@link #datasetWithRoot}, or the folder of its manifest when its sound was removed. */
  public static Optional<Path> manifestWithRoot(Path home, String root) {
    return datasetWithRoot(home, root)
        .or(() ->
            manifestFolders(removedDatasets(home)).stream()
                .filter(folder -> Manifest.read(folder).root().equals(root))
                .findFirst());
  }

  /** The newest dataset of a home with this root. */
  public static Optional<Path> datasetWithRoot(Path home, String root) {
    return datasetFolders(home).stream()
        .filter(folder -> Manifest.read(folder).root().equals(root))
        .findFirst();
  }

  private static java.nio.file.attribute.FileTime modified(Path folder) {
    try {
      return Files.getLastModifiedTime(folder.resolve("manifest.json"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * A finished run and its model join the thread; the model gets the index that attribution needs,
   * so that it can be played.
   */
  public static void recordRun(Platform platform, RunRecord run, ModelCard card) {
    Lineage lineage = platform.lineage();
    if (lineage.find(run.datasetRoot()).isEmpty()) {
      return;
    }
    recordModel(platform, card, recordRun(lineage, run, List.of(run.datasetRoot())));
  }

  /** A run joins the thread under its parents; gives its id there. */
  private static String recordRun(Lineage lineage, RunRecord run, List<String> parents) {
    String runId = "run:" + run.id() + "@" + run.datasetRoot().substring(0, 12);
    if (lineage.find(runId).isEmpty()) {
      lineage.record(
          Artefact.of(
              Kind.RUN,
              runId,
              Map.of(
                  "recipe", run.recipe(),
                  "recipeHash", run.recipeHash(),
                  "seed", run.seed(),
                  "codeTree", run.codeTree())),
          parents);
    }
    return runId;
  }

  /**
   * A finished tuning run and what it ships join the thread, under the dataset and under the base,
   * about which no more is known than its name and hash.
   */
  public static void recordTuned(Platform platform, RunRecord run, TunedModel tuned) {
    Lineage lineage = platform.lineage();
    if (lineage.find(run.datasetRoot()).isEmpty()) {
      return;
    }
    TunedModel.Base base = tuned.base();
    String known = base.tuned();
    String parent =
        known != null && lineage.find(known).isPresent() ? known : "base:" + base.contentHash();
    if (lineage.find(parent).isEmpty()) {
      lineage.record(
          Artefact.of(
              Kind.MODEL,
              parent,
              Map.of(
                  "name",
                  base.pulled() == null ? base.name() : base.pulled(),
                  "rights",
                  "none: for study only")),
          List.of());
    }
    String runId = recordRun(lineage, run, List.of(run.datasetRoot(), parent));
    if (lineage.find(tuned.id()).isEmpty()) {
      lineage.record(
          Artefact.of(
              Kind.MODEL,
              tuned.id(),
              Map.of(
                  "name", tuned.name(),
                  "recipe", tuned.recipe(),
                  "recipeHash", tuned.recipeHash(),
                  "rights", "none: for study only")),
          List.of(runId));
      platform.log().appendOnce(RecordingProof.modelEntry(tuned.id(), tuned.datasetRoot()));
    }
  }

  /** A model joins the thread, under its run or, when that was elsewhere, under its dataset. */
  static void recordModel(Platform platform, ModelCard card, String parent) {
    if (platform.lineage().find(card.id()).isEmpty()) {
      platform
          .lineage()
          .record(
              Artefact.of(
                  Kind.MODEL,
                  card.id(),
                  Map.of(
                      "name",
                      card.name(),
                      "recipe",
                      card.recipe(),
                      "recipeHash",
                      card.recipeHash())),
              List.of(parent));
      platform.log().appendOnce(RecordingProof.modelEntry(card.id(), card.datasetRoot()));
    }
  }

  /** A model that ships joins the thread when its dataset is one of this home's. */
  public static void recordShipped(Platform platform, Path modelFolder, ModelCard card) {
    if (ships(modelFolder) && platform.lineage().find(card.datasetRoot()).isPresent()) {
      recordModel(platform, card, card.datasetRoot());
    }
  }

  /**
   * Makes the index by which a model's clips are attributed and compared, when a model whose
   * dataset is one of this home's has none yet, or one of an earlier version.
   */
  static void requireAttributionIndex(Path home, Path modelFolder, ModelCard card) {
    try {
      AttributionIndex.read(modelFolder);
      return;
    } catch (AttributionException none) {
      // What cannot be made here is refused, with this sentence, where the model is opened.
    }
    for (Path folder : datasetFolders(home)) {
      if (Manifest.read(folder).root().equals(card.datasetRoot())) {
        try (Dataset dataset = Dataset.openAsBuilt(folder)) {
          AttributionIndex.build(modelFolder, dataset, System.err::println);
        }
        return;
      }
    }
  }

  /** Where the models that ship lie. */
  public static Path shipped() {
    return Path.of(System.getProperty("descant.source", "."), "models");
  }

  /** Whether a model folder is one of those that ship. */
  static boolean ships(Path modelFolder) {
    Path parent = modelFolder.toAbsolutePath().normalize().getParent();
    return shipped().toAbsolutePath().normalize().equals(parent);
  }

  /**
   * The folder of a model: a path, a name under the home's models or runs, one that ships, or the
   * name on its hub of one that was pulled.
   */
  public static Path modelFolder(Path home, String model) {
    List<Path> places =
        List.of(
            Path.of(model),
            home.resolve("models").resolve(model),
            home.resolve("runs").resolve(model).resolve("model"),
            home.resolve("runs").resolve(model).resolve("adapter"),
            shipped().resolve(model));
    for (Path place : places) {
      if (Files.isRegularFile(place.resolve("card.json"))
          || PulledModel.isPulled(place)
          || TunedModel.isTuned(place)) {
        return place;
      }
    }
    PulledModels pulled = PulledModels.in(home.resolve("models"));
    Optional<PulledModel> found = pulled.find(model);
    if (found.isPresent()) {
      return pulled.folder(found.get());
    }
    throw new UsageException(
        "There is no model " + model + "; `descant models ls` lists those there are.");
  }
}
