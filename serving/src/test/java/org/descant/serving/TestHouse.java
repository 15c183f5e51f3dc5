package org.descant.serving;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.descant.attribution.AttributionIndex;
import org.descant.attribution.Attributor;
import org.descant.audio.AudioWriter;
import org.descant.audio.Pcm;
import org.descant.catalog.Catalog;
import org.descant.catalog.CatalogEntry;
import org.descant.catalog.ImportOptions;
import org.descant.catalog.ImportReport;
import org.descant.catalog.Ingest;
import org.descant.database.Database;
import org.descant.engine.Engine;
import org.descant.ledger.Ledger;
import org.descant.models.HouseModel;
import org.descant.models.ModelCard;
import org.descant.models.codec.CodecConfig;
import org.descant.models.codec.CodecLoss;
import org.descant.models.codec.MagnitudeCodec;
import org.descant.models.flow.FlowConfig;
import org.descant.models.flow.FlowModel;
import org.descant.models.hub.PulledModel;
import org.descant.models.lm.TokenLm;
import org.descant.models.lm.TokenLmConfig;
import org.descant.provenance.Artefact;
import org.descant.provenance.Lineage;
import org.descant.provenance.SigningKey;
import org.descant.provenance.TransparencyLog;
import org.descant.rights.Agreement;
import org.descant.rights.AgreementKind;
import org.descant.rights.Choice;
import org.descant.rights.ClearedRecording;
import org.descant.rights.DecisionContext;
import org.descant.rights.Isrc;
import org.descant.rights.Rights;
import org.descant.rights.Scope;
import org.descant.rights.Terms;
import org.descant.rights.Use;
import org.descant.serving.Clip.CreditLine;
import org.descant.serving.Clip.TransferLine;
import org.descant.shards.Dataset;
import org.descant.shards.DatasetSource;
import org.descant.shards.DatasetWriter;
import org.descant.shards.Manifest;
import org.descant.storage.BlobId;
import org.descant.storage.LocalBlobStore;
import org.descant.tensor.Tensor;

/**
 * A whole home in seconds: real catalogue, rights, dataset, books, log and key; an untrained model,
 * which makes noise. Three fictional artists with one recording each: Ada Lumen grants with a
 * run-off, Bo Winters without one, and Cy Marlow grants no style.
 */
public final class TestHouse implements AutoCloseable {
  public static final Isrc ADA = Isrc.of("ZZTST2600001");
  public static final Isrc BO = Isrc.of("ZZTST2600002");
  public static final Isrc CY = Isrc.of("ZZTST2600003");

  static final LocalDate BEGIN = LocalDate.of(2026, 1, 1);
  static final LocalDate TRAINED = LocalDate.of(2026, 6, 1);

  private static final int BOOKS = 2;
  private static final int SIZE = 16;
  private static final CodecConfig CODEC = new CodecConfig(16, 1, 1, 2, 8, BOOKS, SIZE, 4, 2);
  private static final TokenLmConfig LM =
      new TokenLmConfig(32, 1, 2, 2, 48, BOOKS, SIZE, 16, 72).with(true, true);

  private static final FlowConfig FLOW = new FlowConfig(32, 1, 2, 48, 8, 16, 40);

  /** Hears nothing. */
  public static final Delivery.Listener SILENT =
      new Delivery.Listener() {
        @Override
        public void chunk(Pcm samples) {}

        @Override
        public void credits(List<CreditLine> credits, boolean provisional) {}

        @Override
        public void money(long totalMicros, List<TransferLine> transfers, boolean provisional) {}
      };

  private final Path folder;
  private final Database database;
  private final House house;

  private TestHouse(Path folder, double reliability, boolean flow) {
    this.folder = folder;
    this.database = Database.temporary();
    Rights rights = Rights.open(database);
    Catalog catalog = Catalog.open(database, new LocalBlobStore(folder.resolve("blobs")));
    receive(catalog, rights);
    Lineage lineage = Lineage.open(database);
    Path dataset = folder.resolve("dataset");
    Manifest manifest = dataset(catalog, rights, lineage, dataset);
    Path model = folder.resolve("model");
    ModelCard card = model(catalog, dataset, model, reliability, flow);
    lineage.record(
        Artefact.of(Artefact.Kind.MODEL, card.id(), Map.of("name", card.name())),
        List.of(manifest.root()));
    SigningKey key = SigningKey.loadOrCreate(folder);
    this.house =
        new House(
            database,
            rights,
            catalog,
            Ledger.open(database),
            lineage,
            TransparencyLog.open(folder, key),
            key,
            Engine.open(model, 1),
            Attributor.open(model),
            folder.resolve("clips"));
  }

  /** A home in which nobody has measured how reliable attribution is. */
  public static TestHouse in(Path folder) {
    return new TestHouse(folder, Double.NaN, false);
  }

  /** A home whose model's attribution has this rank correlation with retraining. */
  static TestHouse withReliability(Path folder, double score) {
    return new TestHouse(folder, score, false);
  }

  /** A home whose model is a flow model, with an attribution of this reliability. */
  static TestHouse withFlow(Path folder, double score) {
    return new TestHouse(folder, score, true);
  }

  public House house() {
    return house;
  }

  /** The model's folder. */
  Path model() {
    return folder.resolve("model");
  }

  public Rights rights() {
    return house.rights();
  }

  /** The same home with another model's engine. */
  House with(Engine engine) {
    return new House(
        database,
        house.rights(),
        house.catalog(),
        house.ledger(),
        house.lineage(),
        house.log(),
        house.key(),
        engine,
        house.attributor(),
        house.clips());
  }

  public String party(Isrc isrc) {
    return rights().recording(isrc).orElseThrow().contributors().getFirst().partyId();
  }

  /** Somebody says yes or no to a use of everything of theirs, from today on. */
  public void choose(Isrc isrc, Use use, boolean allowed) {
    rights()
        .choose(
            new Choice(party(isrc), use, Scope.ALL, allowed, DecisionContext.today().validAt()));
  }

  /** The files of clips, finished and unfinished. */
  public List<String> files() {
    try (var files = Files.list(house.clips())) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The state of a clip's row. */
  public String state(String clipId) {
    return database
        .jdbi()
        .withHandle(handle ->
            handle
                .createQuery("select state from serving.clip where id = :id")
                .bind("id", clipId)
                .mapTo(String.class)
                .one());
  }

  /**
   * Exchanges the sound of a recording in the catalogue; an opened Delivery may know the old one.
   */
  public void exchange(Isrc isrc, Path audio) {
    BlobId blob = new LocalBlobStore(folder.resolve("blobs")).put(audio);
    sql(
        "update catalog.recording set audio_blob = '%s' where isrc = '%s'"
            .formatted(blob.value(), isrc.value()));
  }

  /** A column of what is stored. */
  List<String> strings(String query) {
    return database
        .jdbi()
        .withHandle(handle -> handle.createQuery(query).mapTo(String.class).list());
  }

  void sql(String statement) {
    database.jdbi().useHandle(handle -> handle.execute(statement));
  }

  private void receive(Catalog catalog, Rights rights) {
    Path delivery = folder.resolve("delivery");
    try {
      Files.createDirectories(delivery);
      List<String> lines = new ArrayList<>(List.of("file,artist,title,isrc,bpm,key,licence"));
      List<String> artists = List.of("Ada Lumen (fictional)", "Bo Winters", "Cy Marlow");
      for (int i = 0; i < artists.size(); i++) {
        AudioWriter.wav16(tune(i + 1, 5), delivery.resolve(i + ".wav"));
        lines.add(
            "%d.wav,%s,Song %d,ZZTST260000%d,%d,D minor,by agreement"
                .formatted(i, artists.get(i), i + 1, i + 1, 80 + 20 * i));
      }
      Files.write(delivery.resolve("MANIFEST.csv"), lines);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    ImportReport report =
        new Ingest(catalog, rights).importPath(delivery, ImportOptions.defaults().withThreads(1));
    if (report.items(ImportReport.Status.IMPORTED).size() != 3) {
      throw new AssertionError(report.toString());
    }
    Set<Use> all = Set.of(Use.TRAIN, Use.STYLE, Use.REMIX, Use.COVER, Use.STEMS);
    grant(rights, ADA, all, Terms.STANDARD.withRunOffDays(36_000));
    grant(rights, BO, all, Terms.STANDARD.withRunOffDays(0));
    grant(rights, CY, Set.of(Use.TRAIN), Terms.STANDARD);
  }

  private static void grant(Rights rights, Isrc isrc, Set<Use> uses, Terms terms) {
    String party = rights.recording(isrc).orElseThrow().contributors().getFirst().partyId();
    rights.record(
        new Agreement(
            "agreement-" + isrc,
            AgreementKind.LICENCE,
            party,
            uses,
            Scope.ALL,
            BEGIN,
            null,
            Set.of(Agreement.WORLDWIDE),
            terms));
  }

  private static Manifest dataset(Catalog catalog, Rights rights, Lineage lineage, Path folder) {
    List<ClearedRecording> cleared =
        rights
            .clearance()
            .clearAll(Use.TRAIN, List.of(ADA, BO, CY), DecisionContext.at(TRAINED))
            .cleared();
    List<DatasetSource> sources = new ArrayList<>();
    List<Lineage.Node> nodes = new ArrayList<>();
    List<String> decisions = new ArrayList<>();
    for (ClearedRecording each : cleared) {
      CatalogEntry entry = catalog.show(each.isrc().toString());
      sources.add(
          new DatasetSource(
              each,
              catalog.audioPath(each.isrc()),
              null,
              entry.artist(),
              List.of("tones"),
              entry.title()));
      nodes.add(
          new Lineage.Node(
              Artefact.of(
                  Artefact.Kind.RECORDING,
                  each.isrc().toString(),
                  Map.of("title", entry.title(), "artist", entry.artist())),
              Set.of()));
      nodes.add(
          new Lineage.Node(
              Artefact.of(
                  Artefact.Kind.DECISION,
                  each.decisionId(),
                  Map.of("use", "TRAIN", "isrc", each.isrc().toString(), "allowed", true)),
              Set.of(each.isrc().toString())));
      decisions.add(each.decisionId());
    }
    Manifest manifest =
        DatasetWriter.write(folder, "small", Use.TRAIN, sources, List.of(), rights.clearance());
    nodes.add(
        new Lineage.Node(
            Artefact.of(Artefact.Kind.DATASET, manifest.root(), Map.of("included", 3)),
            Set.copyOf(decisions)));
    lineage.record(nodes);
    return manifest;
  }

  private static ModelCard model(
      Catalog catalog, Path data, Path folder, double reliability, boolean flow) {
    try (Dataset dataset = Dataset.open(data);
        MagnitudeCodec codec = MagnitudeCodec.create(CODEC, 1);
        TokenLm lm = TokenLm.create(LM, 1);
        FlowModel velocity = FlowModel.create(FLOW, 1)) {
      startFrom(dataset, codec);
      ModelCard draft = card(catalog, dataset.manifest().root(), reliability);
      ModelCard card =
          flow
              ? HouseModel.save(folder, codec, velocity, draft)
              : HouseModel.save(folder, codec, lm, draft);
      AttributionIndex.build(folder, dataset);
      return card;
    }
  }

  /** The codec begins as the best linear one, so that its noise has the colour of the tunes. */
  private static void startFrom(Dataset dataset, MagnitudeCodec codec) {
    float[] rows = new float[0];
    for (int i = 0; i < dataset.size(); i++) {
      float[] more = codec.features(dataset.read(i).resampled(codec.sampleRate()).channels());
      rows = Arrays.copyOf(rows, rows.length + more.length);
      System.arraycopy(more, 0, rows, rows.length - more.length, more.length);
    }
    try (var scope = org.descant.tensor.Scope.open();
        CodecLoss loss = new CodecLoss()) {
      int size = codec.featureSize();
      Tensor features = Tensor.of(rows, 1, rows.length / size, size);
      codec.startAt(features);
      for (int step = 0; step < 3; step++) {
        codec.train(features, loss, step); // places the entries of the codebooks
      }
    }
  }

  private static ModelCard card(Catalog catalog, String root, double reliability) {
    List<ModelCard.TrainedOn> recordings = new ArrayList<>();
    for (Isrc isrc : List.of(ADA, BO, CY)) {
      CatalogEntry entry = catalog.show(isrc.toString());
      Double bpm = entry.bpm();
      recordings.add(
          new ModelCard.TrainedOn(
              isrc.toString(),
              entry.title(),
              entry.artist(),
              List.of("tones"),
              bpm == null ? 0 : bpm,
              String.valueOf(entry.key()),
              false,
              List.of()));
    }
    return new ModelCard(
        "",
        "small",
        "none",
        "small",
        "",
        root,
        recordings,
        new TreeMap<>(),
        new TreeMap<>(),
        Double.isNaN(reliability)
            ? null
            : new ModelCard.Reliability("gradients", reliability, 3, "descant evaluate small"),
        CODEC,
        LM);
  }

  /** Makes a model's folder whose card names a dataset that no home has. */
  Engine strangersEngine() {
    Path stranger = folder.resolve("stranger");
    try (MagnitudeCodec codec = MagnitudeCodec.create(CODEC, 2);
        TokenLm lm = TokenLm.create(LM, 2)) {
      HouseModel.save(stranger, codec, lm, card(house.catalog(), "0".repeat(64), Double.NaN));
    }
    return Engine.open(stranger, 1);
  }

  /**
   * The house's own model as if somebody had published it and it had been pulled: its card names
   * the house's dataset, and its weights are recorded.
   */
  Engine pulledEngine() throws IOException {
    Path pulled = Files.createDirectories(folder.resolve("pulled"));
    for (String file : List.of("card.json", HouseModel.WEIGHTS)) {
      Files.copy(model().resolve(file), pulled.resolve(file));
    }
    Files.writeString(
        pulled.resolve(PulledModel.FILE),
        """
        {"format": 1, "model": {"repo": "acme/tune", "revision": "main", "commit": "c",
         "endpoint": "e", "pulledAt": "t", "licence": "mit", "files": [], "refused": []}}\
        """);
    return Engine.open(pulled, 1);
  }

  /** Music of short tones; seeds 1 to 3 are the recordings. */
  static Pcm tune(int seed, double seconds) {
    SplittableRandom random = new SplittableRandom(seed);
    int rate = 44_100;
    float[] samples = new float[(int) (seconds * rate)];
    int beat = rate / 4;
    for (int start = 0; start < samples.length; start += beat) {
      double hertz = 110 * Math.pow(2, random.nextInt(36) / 12.0);
      for (int i = 0; i < beat && start + i < samples.length; i++) {
        double value = 0.4 * Math.sin(2 * Math.PI * hertz * i / rate) * Math.exp(-6.0 * i / beat);
        samples[start + i] = Math.round(value * 32767) / 32768f;
      }
    }
    return Pcm.ofMono(samples, rate);
  }

  @Override
  public void close() {
    house.engine().close();
    database.close();
  }
}
