package org.descant.training.stage;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
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
import org.descant.training.parallel.Replicas;
import org.descant.training.recipe.Recipe;
import org.jspecify.annotations.Nullable;

/**
 * Stage one: the codec learns from excerpts of a few seconds at random gain; where its network
 * makes phases, also by what it sounds like; where the recipe says so, against an {@link
 * Adversary}.
 *
 * <p>Cost: a step is two network passes over {@code batch × frames} rows of about 2,000 numbers.
 * The rows are made ahead on another thread.
 */
public final class CodecStage implements Learner<CodecStage.Batch>, AutoCloseable {
  public static final String NAME = "codec";
  public static final String MEL_DISTANCE = "heldOutMelDistance";
  public static final String STFT_DISTANCE = "heldOutStftDistance";
  public static final String SI_SDR = "heldOutSiSdr";
  private static final String WEIGHTS = "codec.";

  /** Batches from which the codec's linear start is computed: some thousand frames. */
  private static final int START_BATCHES = 8;

  /** Excerpts on which the mel distance is measured: long enough for a phrase. */
  private static final int MEASURED_SECONDS = 10;

  private final Setting setting;
  private final Recipe.Codec recipe;
  private final MagnitudeCodec codec;
  private final CodecLoss loss = new CodecLoss();
  private final @Nullable SoundLoss soundLoss;
  private final @Nullable Adversary adversary;
  private final Order order;
  private final Windows windows;
  private final Replicas replicas;
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
    if (replicas.leads()) {
      order.write(setting.path());
    }
    return new Loop<>(setting.around(), this, setting.codecRules(), seen).run(saved)
        != Loop.STOPPED;
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
    try (Scope scope = Scope.open()) {
      var first = new ArrayList<Tensor>();
      for (long step = 1; step <= START_BATCHES; step++) {
        Excerpts whole = excerpts(step, BatchShare.whole(recipe.batch()), 1);
        first.add(features(whole.rows, recipe.batch()));
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
   * Excerpts of a batch.
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
        excerpts(step, share(), parts()),
        windowsSeen.stream().map(excerpt -> setting.trained().get(excerpt.source())).toList(),
        Order.hash(windowsSeen));
  }

  private BatchShare share() {
    return replicas.share(recipe.batch(), parts());
  }

  private int samples() {
    return recipe.frames() * codec.samplesPerFrame();
  }

  /** A share of each part of a step's batch. */
  private Excerpts excerpts(long step, BatchShare share, int parts) {
    int length = samples();
    int own = share.rows();
    float[] rows = new float[parts * own * recipe.frames() * codec.featureSize()];
    float[] mids = new float[soundLoss == null ? 0 : parts * own * length];
    for (int i = 0; i < parts * own; i++) {
      int excerpt = i / own * share.of() + share.from() + i % own;
      long position = order.position(step, excerpt);
      Windows.Window window = windows.at(position);
      int recording = setting.trained().get(window.source());
      SplittableRandom random = windows.draws(position);
      float gain = (float) StrictMath.pow(10, (2 * random.nextDouble() - 1) * recipe.gainDb() / 20);
      float[][] channels = excerpt(recording, window.from(), length);
      for (float[] channel : channels) {
        for (int n = 0; n < channel.length; n++) {
          channel[n] *= gain;
        }
      }
      float[] part = codec.features(channels);
      System.arraycopy(part, 0, rows, i * part.length, part.length);
      if (soundLoss != null) {
        System.arraycopy(MagnitudeCodec.mid(channels), 0, mids, i * length, length);
      }
    }
    return new Excerpts(rows, mids);
  }

  @Override
  public List<String> recordings(Batch batch) {
    return batch.recordings().stream().map(setting.dataset()::isrc).toList();
  }

  @Override
  public long order(Batch batch) {
    return batch.order();
  }

  /** Samples of a recording; one that is too short goes on in silence. */
  private float[][] excerpt(int recording, int from, int length) {
    int available = Math.min(length, setting.dataset().frames(recording) - from);
    float[][] channels = setting.dataset().read(recording, from, available).channels();
    if (available == length) {
      return channels;
    }
    float[][] padded = new float[channels.length][length];
    for (int c = 0; c < channels.length; c++) {
      System.arraycopy(channels[c], 0, padded[c], 0, available);
    }
    return padded;
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
      truth = Tensor.of(part(batch.excerpts.mids, part), share.rows(), samples());
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
    int count = setting.heldOut().size();
    double[] distances = new double[3 * count];
    for (int i = replicas.rank(); i < count; i += replicas.count()) {
      int recording = setting.heldOut().get(i);
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
