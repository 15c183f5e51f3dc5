package org.descant.training.tune;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.descant.models.published.TunedModel;
import org.descant.models.published.musicgen.MusicGen;
import org.descant.models.published.musicgen.MusicGenConfig;
import org.descant.models.published.musicgen.MusicGenDecoder;
import org.descant.tensor.ParameterStore;
import org.descant.tensor.Precision;
import org.descant.tensor.Safetensors;
import org.descant.tensor.Tensor;

/**
 * What of a model learns, and how it is kept. Holds the model and its parameters until it is
 * closed; belongs to the training thread.
 */
sealed interface TunedWeights extends AutoCloseable permits AdapterWeights, DecoderWeights {
  /** The model, frozen but for what learns. */
  MusicGen model();

  /** What learns. */
  ParameterStore store();

  /** Puts the first values in, those of the base. */
  void start();

  /** See {@link org.descant.training.loop.Learner#matrices}. */
  long[] matrices(ParameterStore.Parameter parameter);

  /** See {@link MusicGenDecoder#learn}. */
  Tensor learn(
      MusicGenDecoder.Columns columns,
      Tensor encoded,
      Tensor mask,
      double share,
      Precision precision,
      boolean recompute);

  /** The loss alone, with the weights as they are. */
  Tensor loss(MusicGenDecoder.Columns columns, Tensor encoded, Tensor mask);

  /** Adds the weights to a checkpoint by the names under which they ship. */
  void saveTo(Map<String, Tensor> checkpoint);

  /** Goes on from a checkpoint. */
  void restoreFrom(Safetensors file);

  /** What ships. */
  TunedModel.Kind kind();

  /** Writes what ships. */
  void ship(Path folder, Map<String, String> metadata);

  /** One line for people: what learns. */
  String described();

  /** Nominal operations of the products for one column of codes, forward and backward. */
  double flopsPerColumn();

  /**
   * Numbers that a column of codes is multiplied with, without attention; what reads the text is
   * left out, which is short.
   */
  static double numbersPerColumn(List<MusicGenDecoder.Module> modules) {
    double numbers = 0;
    for (MusicGenDecoder.Module module : modules) {
      String name = module.name();
      boolean readsText =
          name.startsWith("enc_to_dec_proj")
              || name.endsWith("encoder_attn.k_proj")
              || name.endsWith("encoder_attn.v_proj");
      numbers += readsText ? 0 : (double) module.inputs() * module.outputs();
    }
    return numbers;
  }

  /** Attention of one column among {@code columns}, forward and backward, nothing masked. */
  static double attentionFlops(MusicGenConfig config, long columns) {
    return 12.0 * config.layers() * config.width() * columns;
  }

  @Override
  void close();
}
