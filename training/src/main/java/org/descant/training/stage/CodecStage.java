package org.descant.training.stage;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.descant.audio.Pcm;
import org.descant.audio.analysis.MelDistance;
import org.descant.audio.analysis.SiSdr;
import org.descant.audio.analysis.StftDistance;
import org.descant.lab.MetricLine;
import org.descant.models.BatchShare;
import org.descant.models.codec.CodecConfig;
import org.descant.models.codec.CodecLoss;
import org.descant.models.codec.MagnitudeCodec;
import org.descant.models.codec.SoundLoss;
import org.descant.shards.Clip;
import org.descant.shards.Draws;
import org.descant.shards.Loader;
import org.descant.tensor.Autocast;
import org.descant.tensor.ParameterStore;
import org.descant.tensor.Safetensors;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.descant.training.Cards;
import org.descant.training.loop.Checkpoints;
import org.descant.training.loop.Fingerprint;
import org.descant.training.loop.Learner;
import org.descant.training.loop.Loop;
import org.descant.training.loop.Meter;
import org.descant.training.loop.Optimisation;
import org.descant.training.loop.Withdrawals;
import org.descant.training.parallel.Replicas;
import org.descant.training.recipe.Recipe;
import org.jspecify.annotations.Nullable;

/**
 * Stage one: the codec learns from excerpts of a few seconds at random gain; where its network
 * makes phases, also by what it sounds like; where the recipe says so, against an {@link
 * Adversary}.
 *
 * <p>Cost: a step is two network passes over {@code batch × frames} rows of about 2,000 numbers.
 * The rows are made ahead by the threads of a {@link Loader}.
 */
public final class CodecStage implements Learner<CodecStage.Batch>, AutoCloseable {
  public static final String NAME = "codec";
  public static final String MEL_DISTANCE = "heldOutMelDistance";
  public static final String STFT_DISTANCE = "heldOutStftDistance";
  public static final String SI_SDR = "heldOutSiSdr";

  /** What the names of a codec's weights begin with in every file. */
  static final String WEIGHTS = "codec.";

  /** Batches from which the codec's linear start is computed: some thousand frames. */
  private static final int START_BATCHES = 8;

  /** A thread makes rows much faster than this many learn from them. */
  private static final int PROCESSORS_A_READER = 4;

  /** Excerpts on which the mel distance is measured: long enough for a phrase. */
  private static final int MEASURED_SECONDS = 10;

  private final Setting setting;
  private final Recipe.Codec recipe;
  private final MagnitudeCodec codec;
  private final CodecLoss loss = new CodecLoss();
  private final @Nullable SoundLoss soundLoss;
  private final @Nullable Adversary adversary;
  private Order order;
  private Windows windows;
  private final Replicas replicas;

  /** Whether a run is going on; a plan writes nothing. */
  private boolean training;

  /** Of the next steps' excerpts; touched by one thread at a time, the one that makes batches. */
  private @Nullable Loader<Excerpts> reading;

  private MagnitudeCodec.@Nullable Step inParts;
  private boolean judges; // whether the discriminator has begun

  public CodecStage(Setting setting) {
    this.setting = setting;
    this.recipe = setting.recipe().codec();
    this.replicas = setting.replicas();
    this.codec =
        MagnitudeCodec.create(
            recipe.model(), Draws.key(setting.recipe().seed(), "codec weights", 0));
    boolean makesSound = recipe.model().phases() == CodecConfig.Phases.NETWORK;
    this.soundLoss = makesSound ? new SoundLoss() : null;
    this.adversary = recipe.adversarial().takesPart() ? new Adversary(setting.recipe()) : null;
    this.order =
        new Order(
            NAME,
            setting.recipe().seed(),
            "codec excerpts",
            recipe.frames() * codec.samplesPerFrame(),
            recipe.batch(),
            before(),
            steps(),
            setting.trained().stream().map(setting.dataset()::isrc).toList(),
            setting.trained().stream().map(setting.dataset()::frames).toList());
    this.windows = order.windows();
  }

  public MagnitudeCodec codec() {
    return codec;
  }

  /** Overwrites the codec's weights from a checkpoint of any stage. */
  public void restoreWeights(Checkpoints.Saved saved) {
    try (Safetensors model = Safetensors.open(saved.path().resolve(Checkpoints.MODEL))) {
      codec.parameters().restoreFrom(WEIGHTS, model);
    }
  }

  /** Adds the codec's weights to a checkpoint of any stage. */
  @Override
  public void saveWeights(Map<String, Tensor> model) {
    codec.parameters().saveTo(WEIGHTS, model);
  }

  /**
   * Trains from the beginning or from a checkpoint of this stage to the stage's end.
   *
   * @param seen goes on with the order of the run's data
   * @return whether the end was reached; otherwise a stop was asked for, and a checkpoint written
   */
  public boolean train(Checkpoints.@Nullable Saved saved, Fingerprint seen) {
    training = true;
    return new Loop<>(setting.around(), this, setting.codecRules(), seen).run(saved)
        != Loop.STOPPED;
  }

  @Override
  public Withdrawals withdrawals() {
    return setting.withdrawals();
  }

  @Override
  public void withdraw(List<String> fresh) {
    stopReading();
    order = order.without(setting.withdrawals().steps());
    windows = order.windows();
    if (training && replicas.leads()) {
      order.write(setting.path());
    }
  }

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public long before() {
    return 0;
  }

  @Override
  public long steps() {
    return setting.recipe().codecSteps();
  }

  @Override
  public int parts() {
    return recipe.accumulate();
  }

  @Override
  public ParameterStore parameters() {
    return codec.parameters();
  }

  @Override
  public long[] matrices(ParameterStore.Parameter parameter) {
    boolean hidden =
        parameter.name().startsWith("encoder.") || parameter.name().startsWith("decoder.");
    return hidden && parameter.isMatrix() ? new long[] {parameter.shape()[0]} : new long[0];
  }

  public Order order() {
    return order;
  }

  @Override
  public void start() {
    if (adversary != null) {
      adversary.start();
    }
    try (Scope scope = Scope.open();
        Loader<Excerpts> whole = reader(0, BatchShare.whole(recipe.batch()))) {
      var first = new ArrayList<Tensor>();
      for (int batch = 0; batch < START_BATCHES; batch++) {
        first.add(features(joined(whole, 1).rows, recipe.batch()));
      }
      codec.startAt(Tensor.cat(first, 0));
    }
  }

  @Override
  public void begun(Meter meter, Optimisation optimisation) {
    measure(0);
  }

  @Override
  public void restore(Checkpoints.Saved saved) {
    restoreWeights(saved);
    if (adversary != null) {
      try (Safetensors state = Safetensors.open(saved.path().resolve(Checkpoints.STATE))) {
        adversary.restoreFrom(state);
      }
    }
  }

  @Override
  public void learned(long step) {
    if (adversary != null && adversary.playsIn(step)) {
      adversary.step(setting.codecRules().schedule().at(step));
    }
  }

  @Override
  public void after(long step, Meter meter, Optimisation optimisation) {}

  @Override
  public boolean isDone() {
    return false;
  }

  @Override
  public boolean savesLast() {
    return true;
  }

  @Override
  public void end(long lastStep, Optimisation optimisation) {
    if (replicas.any(!setting.logged(NAME, lastStep, MEL_DISTANCE))) {
      measure(lastStep);
    }
  }

  /**
   * Excerpts of a batch, or one.
   *
   * @param rows of the network, excerpt after excerpt
   * @param mids waveforms of their mid, for a codec that makes sound in training; otherwise empty
   */
  record Excerpts(float[] rows, float[] mids) {}

  /**
   * Excerpts, and where they come from.
   *
   * @param excerpts of this process, part after part
   * @param recordings of the whole batch
   * @param order of the whole batch
   */
  record Batch(Excerpts excerpts, List<Integer> recordings, long order) {}

  @Override
  public Batch batch(long step) {
    List<Windows.Window> windowsSeen = Order.excerpts(windows, order, step);
    return new Batch(
        excerpts(step),
        windowsSeen.stream().map(excerpt -> setting.trained().get(excerpt.source())).toList(),
        Order.hash(windowsSeen));
  }

  private BatchShare share() {
    return replicas.share(recipe.batch(), parts());
  }

  /** This process's share of each part of a step's batch. */
  private Excerpts excerpts(long step) {
    long position = order.position(step, 0);
    Loader<Excerpts> loader = reading;
    if (loader == null || loader.position() != position) {
      stopReading();
      loader = reader(position, share());
      reading = loader;
    }
    return joined(loader, parts());
  }

  private static Excerpts joined(Loader<Excerpts> loader, int parts) {
    var excerpts = new ArrayList<Excerpts>();
    for (int part = 0; part < parts; part++) {
      excerpts.addAll(loader.next());
    }
    int size = excerpts.getFirst().rows.length;
    int length = excerpts.getFirst().mids.length;
    float[] rows = new float[excerpts.size() * size];
    float[] mids = new float[excerpts.size() * length];
    for (int i = 0; i < excerpts.size(); i++) {
      System.arraycopy(excerpts.get(i).rows, 0, rows, i * size, size);
      System.arraycopy(excerpts.get(i).mids, 0, mids, i * length, length);
    }
    return new Excerpts(rows, mids);
  }

  /** Reads a share of each part of the batches from a position on, ahead, as network rows. */
  private Loader<Excerpts> reader(long position, BatchShare share) {
    int threads =
        Math.max(
            1,
            Runtime.getRuntime().availableProcessors()
                / replicas.localCount()
                / PROCESSORS_A_READER);
    int own = share.rows();
    return Loader.start(
        setting.dataset(),
        windows.plan(),
        setting.trained()::get,
        position,
        new Loader.Options(share.of(), share.of() / own, share.from() / own, threads, 2 * own),
        this::excerpt);
  }

  private void stopReading() {
    if (reading != null) {
      reading.close();
      reading = null;
    }
  }

  /** An excerpt at random gain; one that is too short goes on in silence. */
  private Excerpts excerpt(Clip clip) {
    double gainDb = (2 * clip.draws(Windows.DRAWS).nextDouble() - 1) * recipe.gainDb();
    float gain = (float) StrictMath.pow(10, gainDb / 20);
    float[][] sound = clip.pcm().channels();
    float[][] channels = new float[sound.length][order.length()];
    for (int c = 0; c < sound.length; c++) {
      for (int n = 0; n < sound[c].length; n++) {
        channels[c][n] = sound[c][n] * gain;
      }
    }
    return new Excerpts(
        codec.features(channels), soundLoss == null ? new float[0] : MagnitudeCodec.mid(channels));
  }

  @Override
  public List<String> recordings(Batch batch) {
    return batch.recordings().stream().map(setting.dataset()::isrc).toList();
  }

  @Override
  public long order(Batch batch) {
    return batch.order();
  }

  private Tensor features(float[] rows, int excerpts) {
    return Tensor.of(rows, excerpts, recipe.frames(), codec.featureSize());
  }

  @Override
  public Map<String, Tensor> learn(Batch batch, long step, int part) {
    int parts = recipe.accumulate();
    BatchShare share = share();
    Tensor features = features(part(batch.excerpts.rows, part), share.rows());
    MagnitudeCodec.Made made;
    try (Autocast autocast = Autocast.open(setting.precision())) {
      made = step(step, part).made(features, loss);
    }
    CodecLoss.Terms terms = made.terms();
    var values = new LinkedHashMap<String, Tensor>();
    values.put(Optimisation.LOSS, terms.total().detach());
    values.put("decibels", terms.decibels().detach());
    values.put("loud", terms.loud().detach());
    values.put("stereo", terms.stereo().detach());
    values.put("commitment", terms.commitment().detach());
    Tensor total = terms.total();
    Tensor decoded = MagnitudeCodec.spectrum(made.rowsBLF());
    Tensor truth = MagnitudeCodec.spectrum(features);
    if (soundLoss != null) {
      decoded = made.soundBN();
      truth = Tensor.of(part(batch.excerpts.mids, part), share.rows(), order.length());
      SoundLoss.Terms sound = soundLoss.of(decoded, truth);
      total = total.add(sound.total());
      values.put("soundMel", sound.mel().detach());
      values.put("soundLevel", sound.level().detach());
      values.put("soundConvergence", sound.convergence().detach());
    }
    if (adversary != null) {
      judges = adversary.playsIn(step);
      Adversary.Judged judged =
          judges ? adversary.judge(decoded, truth, step, part, share) : Adversary.Judged.nothing();
      total = judges ? total.add(judged.total()) : total;
      judged.addTo(values);
    }
    (parts == 1 ? total : total.mul(1.0 / parts)).backward();
    if (part == parts - 1) {
      closeStep();
    }
    values.put(Optimisation.LOSS, total.detach()); // with all that was added
    return values;
  }

  private float[] part(float[] all, int part) {
    int size = all.length / recipe.accumulate();
    return Arrays.copyOfRange(all, part * size, (part + 1) * size);
  }

  private MagnitudeCodec.Step step(long step, int part) {
    MagnitudeCodec.Step open = inParts;
    if (part == 0 || open == null) {
      closeStep();
      long seed = Draws.key(setting.recipe().seed(), "codec quantiser", step);
      open = codec.step(share(), recipe.accumulate(), seed);
      inParts = open;
    }
    return open;
  }

  private void closeStep() {
    if (inParts != null) {
      inParts.close();
      inParts = null;
    }
  }

  @Override
  public Work work() {
    double frames = (double) recipe.batch() * recipe.frames();
    double judging =
        adversary != null && judges ? recipe.batch() * adversary.flopsPerRow(share().rows()) : 0;
    return new Work(
        frames * codec.samplesPerFrame() / codec.sampleRate(),
        0,
        6 * codec.productsPerFrame() * frames + judging);
  }

  @Override
  public void saveState(Map<String, Tensor> state, Map<String, Double> numbers) {
    if (adversary != null) {
      adversary.saveTo(state);
    }
  }

  @Override
  public Map<String, String> metadata(long runStep) {
    return setting.metadata(runStep, NAME);
  }

  @Override
  public String card(long runStep) {
    return Cards.ofCheckpoint(setting, NAME, runStep).toJson();
  }

  /** Logs the mean distances of held-out excerpts to what the codec makes of them. */
  private void measure(long step) {
    List<Integer> measured = setting.live(setting.heldOut());
    if (measured.isEmpty()) {
      return; // withdrawn, all of them
    }
    int count = measured.size();
    double[] distances = new double[3 * count];
    for (int i = replicas.rank(); i < count; i += replicas.count()) {
      int recording = measured.get(i);
      int frames = setting.dataset().frames(recording);
      int length = Math.min(frames, MEASURED_SECONDS * codec.sampleRate());
      Pcm original = setting.dataset().read(recording, (frames - length) / 2, length);
      float[][] decoded = codec.decode(codec.encode(original.channels()));
      Pcm made = new Pcm(decoded, codec.sampleRate()).slice(0, length);
      distances[i] = MelDistance.between(original.mono(), made.mono());
      distances[count + i] = StftDistance.between(original.mono(), made.mono());
      distances[2 * count + i] = SiSdr.between(original.mono(), made.mono());
    }
    double[] all = replicas.sum(distances);
    double[] means = new double[3];
    for (int i = 0; i < all.length; i++) {
      means[i / count] += all[i] / count;
    }
    var values = new LinkedHashMap<String, Double>();
    values.put(MEL_DISTANCE, means[0]);
    values.put(STFT_DISTANCE, means[1]);
    values.put(SI_SDR, means[2]);
    setting.log().accept(new MetricLine(NAME, step, values));
    setting
        .progress()
        .note(
            "codec  %d steps: held-out mel distance %.2f dB, STFT distance %.2f, SI-SDR %.1f dB"
                .formatted(step, means[0], means[1], means[2]));
  }

  /** Frees everything but the codec, which the later stages go on with. */
  @Override
  public void close() {
    stopReading();
    closeStep();
    loss.close();
    if (soundLoss != null) {
      soundLoss.close();
    }
    if (adversary != null) {
      adversary.close();
    }
  }
}
