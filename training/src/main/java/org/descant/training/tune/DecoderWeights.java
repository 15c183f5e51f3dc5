package org.descant.training.tune;

import java.nio.file.Path;
import java.util.Map;
import org.descant.models.published.TunedModel;
import org.descant.models.published.musicgen.MusicGen;
import org.descant.models.published.musicgen.MusicGenDecoder;
import org.descant.models.published.musicgen.MusicGenFolder;
import org.descant.models.published.musicgen.MusicGenParameters;
import org.descant.models.published.weights.PublishedConfig;
import org.descant.tensor.NoGrad;
import org.descant.tensor.ParameterStore;
import org.descant.tensor.Precision;
import org.descant.tensor.Safetensors;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;

/** All weights of a decoder, with or without the projection of the texts. */
final class DecoderWeights implements TunedWeights {
  private final Path base;
  private final MusicGenParameters parameters;
  private final MusicGen model;

  /** Loads a base. */
  DecoderWeights(TuneRecipe recipe, Path base) {
    this.base = base;
    this.parameters =
        MusicGenParameters.declare(
            PublishedConfig.read(base.resolve("config.json")),
            recipe.learns().equals(TuneRecipe.DECODER_TEXT));
    try {
      this.model = MusicGen.load(base, parameters);
    } catch (RuntimeException e) {
      parameters.close();
      throw e;
    }
  }

  @Override
  public MusicGen model() {
    return model;
  }

  @Override
  public ParameterStore store() {
    return parameters.store();
  }

  @Override
  public void start() {
    parameters.readFrom(base);
  }

  @Override
  public long[] matrices(ParameterStore.Parameter parameter) {
    return parameters.matrices(parameter);
  }

  @Override
  public Tensor learn(
      MusicGenDecoder.Columns columns,
      Tensor encoded,
      Tensor mask,
      double share,
      Precision precision,
      boolean recompute) {
    return model.decoder().learn(columns, encoded, mask, share, precision, recompute);
  }

  @Override
  public Tensor loss(MusicGenDecoder.Columns columns, Tensor encoded, Tensor mask) {
    MusicGenDecoder decoder = model.decoder();
    return MusicGenDecoder.loss(
        decoder.logits(columns.inputs(), decoder.text(encoded, mask, false)), columns);
  }

  @Override
  public void saveTo(Map<String, Tensor> checkpoint) {
    checkpoint.putAll(parameters.published());
  }

  @Override
  public void restoreFrom(Safetensors file) {
    parameters.readFrom(file);
  }

  @Override
  public TunedModel.Kind kind() {
    return TunedModel.Kind.MODEL;
  }

  @Override
  public void ship(Path folder, Map<String, String> metadata) {
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      MusicGenFolder.write(base, folder, parameters.published(), metadata);
    }
  }

  @Override
  public String described() {
    return "all %,d numbers of the decoder of %s to learn"
        .formatted(parameters.count(), base.toAbsolutePath().normalize().getFileName());
  }

  @Override
  public double flopsPerColumn() {
    return 6 * TunedWeights.numbersPerColumn(model.decoder().modules());
  }

  @Override
  public void close() {
    model.close();
    parameters.close();
  }
}
