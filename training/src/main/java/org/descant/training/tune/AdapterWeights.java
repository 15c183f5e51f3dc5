package org.descant.training.tune;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.descant.models.published.TunedModel;
import org.descant.models.published.musicgen.MusicGen;
import org.descant.models.published.musicgen.MusicGenDecoder;
import org.descant.models.published.weights.LoraAdapter;
import org.descant.models.published.weights.Projection.Form;
import org.descant.tensor.ParameterStore;
import org.descant.tensor.ParameterStore.Initializer;
import org.descant.tensor.Precision;
import org.descant.tensor.Safetensors;
import org.descant.tensor.Tensor;
import org.descant.training.TrainingException;

/** A low-rank adapter (LoRA, Hu et al. 2021) beside a frozen decoder. */
final class AdapterWeights implements TunedWeights {
  private final MusicGen model;
  private final MusicGenDecoder decoder;
  private final ParameterStore store;
  private final LoraAdapter adapter;

  /** Loads a base and makes a fresh adapter: A random and B zero, so it starts as the base. */
  AdapterWeights(TuneRecipe recipe, Path base) {
    var settings =
        new LoraAdapter.Settings(
            recipe.adapter().rank(),
            recipe.adapter().alpha(),
            recipe.adapter().rankStabilised(),
            recipe.adapter().targetList(),
            String.valueOf(base.toAbsolutePath().normalize().getFileName()));
    this.model = MusicGen.load(base, Form.PLAIN);
    this.decoder = model.decoder();
    this.store = new ParameterStore(recipe.seed());
    var modules = new ArrayList<String>();
    for (MusicGenDecoder.Module module : decoder.modules()) {
      if (settings.aimsAt(module.name())) {
        modules.add(module.name());
        long rank = settings.rank();
        store.declare(
            LoraAdapter.downName(module.name()),
            Initializer.fanIn(module.inputs()),
            rank,
            module.inputs());
        store.declare(
            LoraAdapter.upName(module.name()), Initializer.zeros(), module.outputs(), rank);
      }
    }
    if (modules.isEmpty()) {
      model.close();
      throw new TrainingException(
          "no linear layer is named '%s'; adapter.targets takes q_proj, k_proj, v_proj, out_proj,"
                  .formatted(recipe.adapter().targets())
              + " fc1, fc2, enc_to_dec_proj and lm_heads.0");
    }
    store.build();
    this.adapter = LoraAdapter.over(settings, modules, store::get);
  }

  @Override
  public MusicGen model() {
    return model;
  }

  @Override
  public ParameterStore store() {
    return store;
  }

  /** The store's own first values are those of a fresh adapter. */
  @Override
  public void start() {}

  /** Both are thin, so Muon's even singular values would mean nothing. */
  @Override
  public long[] matrices(ParameterStore.Parameter parameter) {
    return new long[0];
  }

  @Override
  public Tensor learn(
      MusicGenDecoder.Columns columns,
      Tensor encoded,
      Tensor mask,
      double share,
      Precision precision,
      boolean recompute) {
    try (MusicGenDecoder.Adapted on = decoder.with(adapter)) {
      return decoder.learn(columns, encoded, mask, share, precision, recompute);
    }
  }

  @Override
  public Tensor loss(MusicGenDecoder.Columns columns, Tensor encoded, Tensor mask) {
    try (MusicGenDecoder.Adapted on = decoder.with(adapter)) {
      return MusicGenDecoder.loss(
          decoder.logits(columns.inputs(), decoder.text(encoded, mask, false)), columns);
    }
  }

  @Override
  public void saveTo(Map<String, Tensor> checkpoint) {
    store.saveTo("", checkpoint);
  }

  @Override
  public void restoreFrom(Safetensors file) {
    store.restoreFrom("", file);
  }

  @Override
  public TunedModel.Kind kind() {
    return TunedModel.Kind.ADAPTER;
  }

  @Override
  public void ship(Path folder, Map<String, String> metadata) {
    adapter.save(folder, metadata);
  }

  @Override
  public String described() {
    return "%d of %d linear layers of %s, %,d numbers to learn"
        .formatted(
            adapter.modules().size(),
            decoder.modules().size(),
            adapter.settings().base(),
            store.count());
  }

  /** Through the base forward and to its inputs; through the adapter to its weights as well. */
  @Override
  public double flopsPerColumn() {
    List<MusicGenDecoder.Module> adapted =
        decoder.modules().stream().filter(m -> adapter.settings().aimsAt(m.name())).toList();
    double own = 0;
    for (MusicGenDecoder.Module module : adapted) {
      own += (double) adapter.settings().rank() * (module.inputs() + module.outputs());
    }
    return 4 * TunedWeights.numbersPerColumn(decoder.modules()) + 6 * own;
  }

  @Override
  public void close() {
    store.close();
    model.close();
  }
}
