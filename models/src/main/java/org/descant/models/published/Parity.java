package org.descant.models.published;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.descant.models.ModelException;
import org.descant.models.published.codec.Dac;
import org.descant.models.published.codec.EnCodec;
import org.descant.models.published.text.T5Encoder;
import org.descant.models.published.weights.PublishedConfig;
import org.descant.models.published.weights.PublishedWeights;
import org.descant.tensor.DType;
import org.descant.tensor.Safetensors;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.descant.tensor.TensorException;
import org.jspecify.annotations.Nullable;

/**
 * Compares a published model, as loaded here, with what its reference implementation answered.
 *
 * <p>A fixture is a model folder with two more files: {@code parity.safetensors} holds tensors
 * {@code in.<name>} that go in and {@code out.<name>} that must come out; {@code parity.json} names
 * the family and the tolerance. Whole numbers (codes, tokens) must be equal; everything else must
 * agree to max|ours − theirs| / max|theirs|.
 */
public final class Parity {
  /** Runs one family: the outputs asked for, by name, in the current scope. */
  @FunctionalInterface
  interface Family {
    Map<String, Tensor> run(PublishedWeights weights, Fixture fixture);
  }

  /** A new family is one entry here. */
  private static final Map<String, Family> FAMILIES =
      new TreeMap<>(
          Map.of(
              "encodec", Parity::enCodec,
              "dac", Parity::dac,
              "t5", Parity::t5,
              "musicgen", MusicGenFixture::run,
              "musicgen_melody", MusicGenFixture::run));

  /**
   * One output compared.
   *
   * @param output its name, without "out."
   * @param whole whether it holds whole numbers, which must be equal
   * @param largest the largest relative difference; for whole numbers the share that differs; NaN
   *     where ours holds NaN, infinite where the shapes differ
   * @param limit what {@code largest} may be
   * @param remark what is wrong beside the number, or empty
   */
  public record Line(String output, boolean whole, double largest, double limit, String remark) {
    /** Whether it agrees. */
    public boolean within() {
      return largest <= limit;
    }
  }

  /** A fixture's settings and tensors, for the time of one run. */
  public static final class Fixture {
    private final PublishedConfig settings;
    private final Safetensors tensors;
    private final List<String> outputs;

    private Fixture(PublishedConfig settings, Safetensors tensors) {
      this.settings = settings;
      this.tensors = tensors;
      this.outputs =
          tensors.names().stream()
              .filter(name -> name.startsWith("out."))
              .map(name -> name.substring("out.".length()))
              .toList();
      if (outputs.isEmpty()) {
        throw new ModelException(
            "%s holds no tensor out.<name> to compare with.".formatted(tensors.path()));
      }
    }

    /** parity.json. */
    PublishedConfig settings() {
      return settings;
    }

    /** The names of what must come out. */
    List<String> outputs() {
      return outputs;
    }

    boolean hasInput(String name) {
      return tensors.contains("in." + name);
    }

    /** What goes in, floating-point as fp32. */
    Tensor input(String name) {
      if (!hasInput(name)) {
        throw new ModelException("%s holds no tensor in.%s.".formatted(tensors.path(), name));
      }
      DType type = tensors.dtype("in." + name);
      return tensors.tensor("in." + name, type.isFloat() ? DType.F32 : DType.I64);
    }

    /** What to throw for an output that the family does not have. */
    ModelException unknown(String output) {
      return new ModelException(
          "%s asks for out.%s, which its family does not give.".formatted(tensors.path(), output));
    }
  }

  private Parity() {}

  /**
   * Runs one fixture folder.
   *
   * @return one line per output, in the order of their names
   * @throws ModelException when the folder is not a fixture, or its model cannot be loaded
   */
  public static List<Line> check(Path folder) {
    PublishedConfig settings = PublishedConfig.read(folder.resolve("parity.json"));
    Family family = FAMILIES.get(settings.text("family", ""));
    if (family == null) {
      throw settings.refusal("family", String.join(", ", FAMILIES.keySet()) + " are");
    }
    double limit = settings.number("relative", 1e-4);
    try (Scope scope = Scope.open();
        PublishedWeights weights = PublishedWeights.open(folder);
        Safetensors tensors = Safetensors.open(folder.resolve("parity.safetensors"))) {
      Fixture fixture = new Fixture(settings, tensors);
      Map<String, Tensor> ours = family.run(weights, fixture);
      List<Line> lines = new ArrayList<>();
      for (String output : fixture.outputs()) {
        Tensor mine = ours.get(output);
        if (mine == null) {
          throw fixture.unknown(output);
        }
        lines.add(compare(output, mine, tensors.tensor("out." + output), limit));
      }
      return lines;
    } catch (TensorException e) {
      throw new ModelException(String.valueOf(e.getMessage()), e);
    }
  }

  /** Compares two tensors by the rule of their type. */
  static Line compare(String output, Tensor ours, Tensor theirs, double limit) {
    boolean whole = !theirs.dtype().isFloat();
    double allowed = whole ? 0 : limit;
    if (!Arrays.equals(ours.shape(), theirs.shape())) {
      String remark =
          "shape %s where %s is expected"
              .formatted(Arrays.toString(ours.shape()), Arrays.toString(theirs.shape()));
      return new Line(output, whole, Double.POSITIVE_INFINITY, allowed, remark);
    }
    try (Scope scope = Scope.open()) {
      Tensor difference = ours.to(DType.F64).sub(theirs.to(DType.F64)).abs();
      if (difference.count() == 0) {
        return new Line(output, whole, 0, allowed, "empty");
      }
      if (whole) {
        double differ = difference.ne(0.0).to(DType.F64).sum().item();
        String remark =
            differ == 0 ? "" : "%.0f of %d differ".formatted(differ, difference.count());
        return new Line(output, true, differ / difference.count(), allowed, remark);
      }
      double largest = difference.amax().item();
      double scale = theirs.to(DType.F64).abs().amax().item();
      double relative = largest == 0 ? 0 : largest / scale;
      return new Line(
          output, false, relative, allowed, Double.isNaN(relative) ? "not a number" : "");
    }
  }

  // ---------------------------------------------------------------- the families

  private static Map<String, Tensor> enCodec(PublishedWeights weights, Fixture fixture) {
    Map<String, Tensor> results = new HashMap<>();
    try (EnCodec codec = EnCodec.load(weights, weights.config())) {
      Tensor audio = fixture.input("audio");
      Map<String, EnCodec.Encoded> encodings = new HashMap<>();
      for (String output : fixture.outputs()) {
        int at = output.indexOf('@');
        if (at < 0) {
          throw fixture.unknown(output);
        }
        EnCodec.Encoded encoded =
            encodings.computeIfAbsent(
                output.substring(at + 1),
                bandwidth -> codec.encode(audio, number(fixture, output, bandwidth)));
        @Nullable Tensor result =
            switch (output.substring(0, at)) {
              case "codes" -> encoded.codes();
              case "scales" -> encoded.scales();
              case "audio" -> {
                Tensor decoded = codec.decode(encoded.codes(), encoded.scales());
                yield decoded.narrow(2, 0, Math.min(decoded.size(2), audio.size(2)));
              }
              default -> null;
            };
        if (result == null) {
          throw fixture.unknown(output);
        }
        results.put(output, result);
      }
    }
    return results;
  }

  private static Map<String, Tensor> dac(PublishedWeights weights, Fixture fixture) {
    Map<String, Tensor> results = new HashMap<>();
    try (Dac codec = Dac.load(weights, weights.config())) {
      Tensor audio = fixture.input("audio");
      Map<Integer, Dac.Encoded> encodings = new HashMap<>();
      for (String output : fixture.outputs()) {
        int at = output.indexOf('@');
        int quantizers =
            at < 0 ? codec.codebooks() : (int) number(fixture, output, output.substring(at + 1));
        Dac.Encoded encoded =
            encodings.computeIfAbsent(quantizers, count -> codec.encode(audio, count));
        @Nullable Tensor result =
            switch (at < 0 ? output : output.substring(0, at)) {
              case "codes" -> encoded.codes();
              case "latent" -> encoded.latent();
              case "audio" -> codec.decodeLatent(encoded.latent()).squeeze(1);
              case "audio_from_codes" -> codec.decode(encoded.codes()).squeeze(1);
              default -> null;
            };
        if (result == null) {
          throw fixture.unknown(output);
        }
        results.put(output, result);
      }
    }
    return results;
  }

  private static Map<String, Tensor> t5(PublishedWeights weights, Fixture fixture) {
    try (T5Encoder encoder = T5Encoder.load(weights, weights.config())) {
      Tensor mask = fixture.hasInput("attention_mask") ? fixture.input("attention_mask") : null;
      return Map.of("last_hidden_state", encoder.encode(fixture.input("input_ids"), mask));
    }
  }

  private static double number(Fixture fixture, String output, String text) {
    try {
      return Double.parseDouble(text);
    } catch (NumberFormatException e) {
      throw fixture.unknown(output);
    }
  }
}
