package org.descant.attribution;

import java.nio.file.Path;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.descant.audio.Pcm;
import org.descant.database.Database;
import org.descant.models.HouseModel;
import org.descant.models.ModelCard;
import org.descant.models.codec.CodecConfig;
import org.descant.models.codec.CodecLoss;
import org.descant.models.codec.MagnitudeCodec;
import org.descant.models.flow.FlowConfig;
import org.descant.models.flow.FlowModel;
import org.descant.models.lm.TokenLm;
import org.descant.models.lm.TokenLmConfig;
import org.descant.rights.Agreement;
import org.descant.rights.Contributor;
import org.descant.rights.DecisionContext;
import org.descant.rights.Isrc;
import org.descant.rights.Party;
import org.descant.rights.Recording;
import org.descant.rights.Rights;
import org.descant.rights.Scope;
import org.descant.rights.Share;
import org.descant.rights.Use;
import org.descant.rights.Work;
import org.descant.shards.Dataset;
import org.descant.shards.DatasetSource;
import org.descant.shards.DatasetWriter;
import org.descant.tensor.Tensor;

/** A dataset and models that are made in seconds. */
final class Small {
  static final int BOOKS = 2;
  static final int SIZE = 16;
  static final CodecConfig CODEC = new CodecConfig(16, 1, 1, 2, 8, BOOKS, SIZE, 4, 2);
  static final TokenLmConfig LM = new TokenLmConfig(32, 1, 2, 2, 48, BOOKS, SIZE, 16, 72);

  private Small() {}

  /** Recordings of three seconds, cleared by a real gate. */
  static Path dataset(Path folder, int recordings, int firstSeed) {
    try (Database database = Database.temporary()) {
      Rights rights = Rights.open(database);
      rights.register(new Party("p", "Somebody", true, null));
      rights.record(Agreement.publicDomain("pd", "p", Scope.ALL, LocalDate.of(2020, 1, 1)));
      List<DatasetSource> sources = new ArrayList<>();
      for (int n = 1; n <= recordings; n++) {
        Pcm pcm = melody(firstSeed + n);
        Isrc isrc = Isrc.of("QZTST26%05d".formatted(n));
        rights.register(
            new Work(
                "w" + n,
                "Song " + n,
                List.of(new Contributor("p", "Composer")),
                List.of(Share.publishing("p", Share.WHOLE))));
        rights.register(
            new Recording(
                isrc,
                "Song " + n,
                "Artist " + n,
                pcm.seconds(),
                pcm.hash(),
                List.of("w" + n),
                List.of(new Contributor("p", "MainArtist")),
                List.of(Share.master("p", Share.WHOLE)),
                null));
        sources.add(
            new DatasetSource(
                rights
                    .clearance()
                    .clear(Use.TRAIN, isrc, DecisionContext.at(LocalDate.of(2026, 6, 1)))
                    .orElseThrow(),
                pcm,
                null,
                "Artist " + n,
                List.of("tones"),
                ""));
      }
      DatasetWriter.write(folder, "small", Use.TRAIN, sources, List.of(), rights.clearance());
    }
    return folder;
  }

  private static Pcm melody(int seed) {
    SplittableRandom random = new SplittableRandom(seed);
    int rate = 44_100;
    float[] samples = new float[3 * rate];
    int beat = rate / 4;
    for (int start = 0; start + beat <= samples.length; start += beat) {
      double hertz = 110 * Math.pow(2, random.nextInt(36) / 12.0);
      for (int i = 0; i < beat; i++) {
        double value = 0.4 * Math.sin(2 * Math.PI * hertz * i / rate) * Math.exp(-6.0 * i / beat);
        samples[start + i] = Math.round(value * 32767) / 32768f;
      }
    }
    return new Pcm(new float[][] {samples}, rate);
  }

  private static List<ModelCard.TrainedOn> recordings(Dataset dataset) {
    List<ModelCard.TrainedOn> recordings = new ArrayList<>();
    for (int i = dataset.size() - 1; i >= 0; i--) {
      recordings.add(
          new ModelCard.TrainedOn(
              dataset.isrc(i),
              "",
              dataset.artist(i),
              List.of(),
              0,
              "",
              i == dataset.size() - 1,
              List.of()));
    }
    return recordings;
  }

  /** A model of random weights whose card lists the dataset's recordings, the last one held out. */
  static ModelCard model(Path folder, Dataset dataset, long seed) {
    List<ModelCard.TrainedOn> recordings = recordings(dataset);
    try (MagnitudeCodec codec = MagnitudeCodec.create(CODEC, seed);
        TokenLm lm = TokenLm.create(LM, seed)) {
      ModelCard draft =
          new ModelCard(
              "",
              "small",
              "none",
              "small",
              "",
              dataset.manifest().root(),
              recordings,
              new TreeMap<>(),
              new TreeMap<>(),
              null,
              CODEC,
              LM);
      return HouseModel.save(folder, codec, lm, draft);
    }
  }

  /** A flow model of random weights over a codec whose codebooks have entries. */
  static ModelCard flow(Path folder, Dataset dataset) {
    FlowConfig config = new FlowConfig(16, 1, 2, 24, CODEC.latent(), 2 * CODEC.latent(), 40);
    try (MagnitudeCodec codec = MagnitudeCodec.create(CODEC, 1);
        FlowModel flow = FlowModel.create(config, 1)) {
      fillCodebooks(codec);
      return HouseModel.save(
          folder,
          codec,
          flow,
          new ModelCard(
              "",
              "small",
              "none",
              "small",
              "",
              dataset.manifest().root(),
              recordings(dataset),
              new TreeMap<>(),
              new TreeMap<>(),
              null,
              CODEC,
              null,
              config));
    }
  }

  /** The first batch that a codec sees becomes its codebooks, which are empty before. */
  private static void fillCodebooks(MagnitudeCodec codec) {
    var random = new SplittableRandom(5);
    float[] noise = new float[200 * codec.samplesPerFrame()];
    for (int i = 0; i < noise.length; i++) {
      noise[i] = (float) (random.nextDouble() - 0.5) * i / noise.length;
    }
    float[] rows = codec.features(new float[][] {noise});
    try (var scope = org.descant.tensor.Scope.open();
        CodecLoss loss = new CodecLoss()) {
      codec.train(
          Tensor.of(rows, 1, rows.length / codec.featureSize(), codec.featureSize()), loss, 1);
    }
  }

  /** Codes with a habit of their own: a few tokens, in runs. */
  static int[][] codes(int seed, int frames) {
    SplittableRandom habit = new SplittableRandom(seed);
    int[] favourites = habit.ints(5, 0, SIZE).toArray();
    int[][] codes = new int[BOOKS][frames];
    for (int[] book : codes) {
      int token = favourites[0];
      for (int t = 0; t < frames; t++) {
        token = habit.nextInt(3) == 0 ? favourites[habit.nextInt(5)] : token;
        book[t] = token;
      }
    }
    return codes;
  }
}
