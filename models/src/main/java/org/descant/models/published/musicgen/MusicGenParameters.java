package org.descant.models.published.musicgen;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.descant.models.ModelException;
import org.descant.models.published.weights.PublishedConfig;
import org.descant.models.published.weights.PublishedWeights;
import org.descant.tensor.DType;
import org.descant.tensor.NoGrad;
import org.descant.tensor.ParameterStore;
import org.descant.tensor.ParameterStore.Initializer;
import org.descant.tensor.ParameterStore.Parameter;
import org.descant.tensor.Safetensors;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;

/**
 * The weights of a MusicGen decoder as parameters that training changes: fp32, in one store, each
 * known by its published name. What the decoder multiplies with in one product lies in one
 * parameter, so a step is as fast as decoding's layout allows; a published tensor is a view of its
 * rows.
 *
 * <p>Declaring allocates nothing, so {@link #count} costs nothing for any size of model; {@link
 * MusicGen#load(Path, MusicGenParameters)} allocates. Belongs to one thread while training.
 */
public final class MusicGenParameters implements AutoCloseable {
  /** Where a published tensor lies: rows of a parameter. */
  private record Place(Parameter parameter, long from, long[] shape) {
    /** A view without a gradient, in the current scope. */
    Tensor view() {
      Tensor whole = parameter.tensor().detach();
      return shape.length == 1 ? whole : whole.narrow(0, from, shape[0]);
    }
  }

  private final ParameterStore store = new ParameterStore(0);
  private final SortedMap<String, Place> places = new TreeMap<>();
  private final Map<String, List<Long>> rows = new LinkedHashMap<>();
  private final SortedMap<String, Tensor> views = new TreeMap<>();

  private MusicGenParameters(PublishedConfig root, boolean text) {
    MusicGenConfig.requireTunable(root);
    MusicGenConfig config = MusicGenConfig.of(root);
    long d = config.width();
    String decoder = MusicGenDecoder.PREFIX + "model.decoder.";
    joined(true, names(config, decoder + "embed_tokens."), config.vocabulary() + 1L, d);
    for (int i = 0; i < config.layers(); i++) {
      String layer = decoder + "layers." + i + ".";
      String self = layer + "self_attn.";
      String cross = layer + "encoder_attn.";
      norm(layer + "self_attn_layer_norm", d);
      joined(false, List.of(self + "q_proj", self + "k_proj", self + "v_proj"), d, d);
      joined(false, List.of(self + "out_proj"), d, d);
      norm(layer + "encoder_attn_layer_norm", d);
      joined(false, List.of(cross + "q_proj"), d, d);
      joined(false, List.of(cross + "k_proj", cross + "v_proj"), d, d);
      joined(false, List.of(cross + "out_proj"), d, d);
      norm(layer + "final_layer_norm", d);
      joined(false, List.of(layer + "fc1"), config.inner(), d);
      joined(false, List.of(layer + "fc2"), d, config.inner());
    }
    norm(decoder + "layer_norm", d);
    joined(false, names(config, MusicGenDecoder.PREFIX + "lm_heads."), config.vocabulary(), d);
    if (text) {
      if (!config.projected()) {
        throw root.child("text_encoder")
            .refusal("d_model", "this model has no projection of its texts that could be learned");
      }
      joined(false, List.of("enc_to_dec_proj"), d, config.textWidth());
      vector("enc_to_dec_proj.bias", d);
    }
  }

  /**
   * The parameters of a configuration; nothing is allocated.
   *
   * @param root a whole model's configuration
   * @param text whether the projection of the texts is among them
   * @throws ModelException naming the key that cannot be served
   */
  public static MusicGenParameters declare(PublishedConfig root, boolean text) {
    return new MusicGenParameters(root, text);
  }

  private static List<String> names(MusicGenConfig config, String start) {
    return IntStream.range(0, config.codebooks()).mapToObj(k -> start + k).toList();
  }

  /** Modules' weights of one shape, below one another. */
  private void joined(boolean table, List<String> modules, long rowsEach, long columns) {
    String first = modules.getFirst() + ".weight";
    long all = rowsEach * modules.size();
    // A table that is looked up in takes no part in weight decay.
    Parameter parameter =
        table
            ? store.declareUndecayed(first, Initializer.zeros(), all, columns)
            : store.declare(first, Initializer.zeros(), all, columns);
    List<Long> parts = new ArrayList<>();
    for (int i = 0; i < modules.size(); i++) {
      long[] shape = {rowsEach, columns};
      places.put(modules.get(i) + ".weight", new Place(parameter, i * rowsEach, shape));
      parts.add(rowsEach);
    }
    rows.put(first, parts);
  }

  private void norm(String name, long width) {
    vector(name + ".weight", width);
    vector(name + ".bias", width);
  }

  private void vector(String name, long width) {
    Parameter parameter = store.declare(name, Initializer.zeros(), width);
    places.put(name, new Place(parameter, 0, new long[] {width}));
  }

  /** How many numbers there are. */
  public long count() {
    return store.count();
  }

  /** Published names with their shapes, sorted. */
  public SortedMap<String, List<Long>> shapes() {
    SortedMap<String, List<Long>> shapes = new TreeMap<>();
    places.forEach((name, place) -> {
      List<Long> shape = new ArrayList<>();
      for (long length : place.shape) {
        shape.add(length);
      }
      shapes.put(name, shape);
    });
    return shapes;
  }

  /** The parameters, once they are allocated. */
  public ParameterStore store() {
    return store;
  }

  /**
   * Rows of the hidden matrices that lie below one another in a parameter; empty for tables, heads
   * and vectors.
   */
  public long[] matrices(Parameter parameter) {
    List<Long> parts = rows.getOrDefault(parameter.name(), List.of());
    return parameter.isMatrix() && parameter.name().contains(".layers.")
        ? parts.stream().mapToLong(Long::longValue).toArray()
        : new long[0];
  }

  /** Puts a model folder's weights in; whatever else the folder holds is left alone. */
  public void readFrom(Path folder) {
    try (PublishedWeights weights = PublishedWeights.open(folder)) {
      readFrom(weights::tensor);
    }
  }

  /** Puts the weights of a file in, which holds them by their published names. */
  public void readFrom(Safetensors file) {
    readFrom((name, shape) -> file.tensor(name, DType.F32));
  }

  private void readFrom(MusicGenDecoder.Source source) {
    try (NoGrad noGrad = NoGrad.open()) {
      places.forEach((name, place) -> {
        try (Scope scope = Scope.open()) {
          published(name).copyFrom(source.tensor(name, place.shape));
        }
      });
    }
  }

  /** Every tensor by its published name, as it is now and will be; without gradients. */
  public SortedMap<String, Tensor> published() {
    return Collections.unmodifiableSortedMap(views);
  }

  private Tensor published(String name) {
    Tensor view = views.get(name);
    if (view == null) {
      throw new ModelException("The decoder's weights are declared but not loaded: " + name + ".");
    }
    return view;
  }

  /** Allocates, reads the weights, and gives a decoder its parameters instead of copies. */
  MusicGenDecoder.Source source(PublishedWeights weights) {
    if (views.isEmpty()) {
      store.build();
      try (Scope scope = Scope.open()) {
        places.forEach((name, place) -> views.put(name, place.view().retain()));
      }
    }
    readFrom(weights::tensor);
    return new MusicGenDecoder.Source() {
      @Override
      public Tensor tensor(String name, long... shape) {
        Place place = places.get(name);
        return place == null ? weights.tensor(name, shape) : place.parameter.tensor();
      }

      @Override
      public Tensor joined(List<String> names, long rowsEach, long columns) {
        Place place = places.get(names.getFirst());
        return place == null
            ? MusicGenDecoder.Source.super.joined(names, rowsEach, columns)
            : place.parameter.tensor();
      }
    };
  }

  @Override
  public void close() {
    if (!views.isEmpty()) {
      views.values().forEach(Tensor::close);
      views.clear();
      store.close();
    }
  }
}
