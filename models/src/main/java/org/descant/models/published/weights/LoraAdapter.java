package org.descant.models.published.weights;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Function;
import org.descant.models.ModelException;
import org.descant.tensor.DType;
import org.descant.tensor.NoGrad;
import org.descant.tensor.Safetensors;
import org.descant.tensor.SafetensorsWriter;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.descant.tensor.TensorException;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * A low-rank adapter (LoRA, Hu et al. 2021, arXiv:2106.09685): for some linear layers W of a model,
 * two thin matrices A and B such that the layer computes {@code (W + scale · B A) x}.
 *
 * <p>On disk it is a folder as PEFT writes it, so Python reads ours and we read Python's: {@code
 * adapter_config.json} and {@code adapter_model.safetensors} with tensors {@code
 * base_model.model.<module>.lora_A.weight} [rank, in] and {@code .lora_B.weight} [out, rank]. Holds
 * its tensors until it is closed.
 */
public final class LoraAdapter implements AutoCloseable {
  private static final String CONFIG = "adapter_config.json";
  private static final String WEIGHTS = "adapter_model.safetensors";
  private static final String BEFORE = "base_model.model.";
  private static final String DOWN = ".lora_A.weight";
  private static final String UP = ".lora_B.weight";
  private static final int RANK_MAX = 1024;
  private static final long CONFIG_BYTES_MAX = 1 << 20;
  private static final JsonMapper JSON =
      JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();

  /**
   * How an adapter was made.
   *
   * @param rank of A and B; a file may hold modules of another rank
   * @param alpha the scale is alpha / rank
   * @param rankStabilised the scale is alpha / √rank instead (rsLoRA, Kalajdzievski 2023)
   * @param targets last words of the modules' names, such as {@code q_proj}
   * @param base what it was made for: a folder's or a Hub model's name
   */
  public record Settings(
      int rank, double alpha, boolean rankStabilised, List<String> targets, String base) {
    public Settings {
      if (rank < 1 || rank > RANK_MAX) {
        throw new ModelException("An adapter's rank is 1 to %d, was %d.".formatted(RANK_MAX, rank));
      }
      if (!(alpha > 0) || !Double.isFinite(alpha)) {
        throw new ModelException("An adapter's alpha is above 0, was " + alpha + ".");
      }
      targets = List.copyOf(targets);
      if (targets.isEmpty()) {
        throw new ModelException("An adapter needs target modules, such as q_proj and v_proj.");
      }
    }

    /** Whether a module is meant, by its whole name or its end. */
    public boolean aimsAt(String module) {
      return targets.stream()
          .anyMatch(target -> module.equals(target) || module.endsWith("." + target));
    }

    double scale(long rankOfModule) {
      return alpha / (rankStabilised ? Math.sqrt(rankOfModule) : rankOfModule);
    }
  }

  /** A and B of one module. */
  public record Pair(Tensor down, Tensor up) {}

  private final Settings settings;
  private final SortedMap<String, Pair> pairs;

  private final boolean owner;

  private LoraAdapter(Settings settings, SortedMap<String, Pair> pairs, boolean owner) {
    this.settings = settings;
    this.pairs = pairs;
    this.owner = owner;
  }

  /** The name of a module's A, for whoever keeps the tensors while they are learned. */
  public static String downName(String module) {
    return module + DOWN;
  }

  /** The name of a module's B. */
  public static String upName(String module) {
    return module + UP;
  }

  /**
   * An adapter over tensors that somebody else owns and may still change.
   *
   * @param modules to adapt
   * @param tensors gives A and B by {@link #downName} and {@link #upName}
   */
  public static LoraAdapter over(
      Settings settings, List<String> modules, Function<String, Tensor> tensors) {
    SortedMap<String, Pair> pairs = new TreeMap<>();
    for (String module : modules) {
      pairs.put(module, new Pair(tensors.apply(downName(module)), tensors.apply(upName(module))));
    }
    return new LoraAdapter(settings, pairs, false);
  }

  public Settings settings() {
    return settings;
  }

  /** Names of the adapted modules, sorted. */
  public List<String> modules() {
    return List.copyOf(pairs.keySet());
  }

  public @Nullable Pair pair(String module) {
    return pairs.get(module);
  }

  /** scale · B A of a module, [out, in]. */
  public Tensor difference(Pair pair) {
    return pair.up.matmul(pair.down).mul(settings.scale(pair.down.size(0)));
  }

  // ---------------------------------------------------------------- on disk

  /**
   * Reads a folder.
   *
   * @throws ModelException when it is none, or holds another kind of adapter; names the key
   */
  public static LoraAdapter load(Path folder) {
    JsonNode config = config(folder.resolve(CONFIG));
    Settings settings = settings(folder.resolve(CONFIG), config);
    SortedMap<String, Pair> pairs = new TreeMap<>();
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open();
        Safetensors file = Safetensors.open(folder.resolve(WEIGHTS))) {
      for (String name : file.names()) {
        if (name.startsWith(BEFORE) && name.endsWith(DOWN)) {
          String module = name.substring(BEFORE.length(), name.length() - DOWN.length());
          String up = BEFORE + module + UP;
          if (!file.contains(up)) {
            throw new ModelException("%s holds %s without %s.".formatted(folder, name, up));
          }
          Tensor a = file.tensor(name, DType.F32);
          Tensor b = file.tensor(up, DType.F32);
          if (a.dim() != 2 || b.dim() != 2 || a.size(0) != b.size(1) || a.size(0) > RANK_MAX) {
            throw new ModelException(
                "%s of %s are %s and %s, which is no low-rank pair."
                    .formatted(module, folder, a, b));
          }
          pairs.put(module, new Pair(a.retain(), b.retain()));
        } else if (!name.startsWith(BEFORE) || !name.endsWith(UP)) {
          throw new ModelException(
              "%s holds %s, which is no linear layer's low-rank matrix."
                  .formatted(folder.resolve(WEIGHTS), name));
        }
      }
      for (String name : file.names()) {
        if (name.endsWith(UP)
            && !pairs.containsKey(name.substring(BEFORE.length(), name.length() - UP.length()))) {
          throw new ModelException("%s holds %s without its %s.".formatted(folder, name, DOWN));
        }
      }
      if (pairs.isEmpty()) {
        throw new ModelException("%s adapts no module.".formatted(folder));
      }
      return new LoraAdapter(settings, pairs, true);
    } catch (TensorException e) {
      new LoraAdapter(settings, pairs, true).close();
      throw new ModelException(String.valueOf(e.getMessage()), e);
    } catch (ModelException e) {
      new LoraAdapter(settings, pairs, true).close();
      throw e;
    }
  }

  private static JsonNode config(Path file) {
    try {
      if (!Files.isRegularFile(file) || Files.size(file) > CONFIG_BYTES_MAX) {
        throw new ModelException(
            "There is no %s; name an adapter's folder as PEFT writes it.".formatted(file));
      }
      return JSON.readTree(Files.readAllBytes(file));
    } catch (IOException e) {
      throw new ModelException("Cannot read %s: %s.".formatted(file, e.getMessage()), e);
    } catch (JacksonException e) {
      throw new ModelException("%s is not JSON: %s.".formatted(file, e.getOriginalMessage()), e);
    }
  }

  private static Settings settings(Path file, JsonNode config) {
    requirePlain(file, config, "peft_type", "LORA");
    requirePlain(file, config, "bias", "none");
    for (String key : List.of("use_dora", "fan_in_fan_out", "lora_bias", "use_qalora")) {
      if (config.path(key).asBoolean(false)) {
        throw refusal(file, config, key, "only plain LoRA is");
      }
    }
    for (String key : List.of("alpha_pattern", "modules_to_save", "target_parameters")) {
      if (!config.path(key).isEmpty()) {
        throw refusal(file, config, key, "only plain LoRA is");
      }
    }
    if (!config.path("r").isIntegralNumber() || !config.path("r").canConvertToInt()) {
      throw refusal(file, config, "r", "a whole number is");
    }
    if (!config.path("lora_alpha").isNumber()) {
      throw refusal(file, config, "lora_alpha", "a number is");
    }
    List<String> targets = new ArrayList<>();
    JsonNode named = config.path("target_modules");
    if (named.isArray()) {
      named.forEach(target -> targets.add(target.asString()));
    } else {
      targets.add(named.asString("*"));
    }
    return new Settings(
        config.path("r").intValue(),
        config.path("lora_alpha").doubleValue(),
        config.path("use_rslora").asBoolean(false),
        targets,
        config.path("base_model_name_or_path").asString(""));
  }

  private static void requirePlain(Path file, JsonNode config, String key, String only) {
    if (!config.path(key).asString(only).equals(only)) {
      throw refusal(file, config, key, "\"" + only + "\" is");
    }
  }

  private static ModelException refusal(Path file, JsonNode config, String key, String why) {
    return new ModelException(
        "%s has %s = %s, which is not supported: %s.".formatted(file, key, config.path(key), why));
  }

  /**
   * Writes the folder, each file aside and renamed.
   *
   * @param metadata of the safetensors file
   */
  public void save(Path folder, Map<String, String> metadata) {
    Map<String, Tensor> tensors = new TreeMap<>();
    pairs.forEach((module, pair) -> {
      tensors.put(BEFORE + downName(module), pair.down);
      tensors.put(BEFORE + upName(module), pair.up);
    });
    Map<String, Object> config = new LinkedHashMap<>();
    config.put("peft_type", "LORA");
    config.put("base_model_name_or_path", settings.base);
    config.put("r", settings.rank);
    config.put("lora_alpha", settings.alpha);
    config.put("use_rslora", settings.rankStabilised);
    config.put("lora_dropout", 0.0);
    config.put("bias", "none");
    config.put("fan_in_fan_out", false);
    config.put("inference_mode", true);
    config.put("target_modules", settings.targets);
    config.put("task_type", null);
    try {
      Files.createDirectories(folder);
      SafetensorsWriter.write(folder.resolve(WEIGHTS), tensors, metadata);
      Path aside = folder.resolve(CONFIG + ".tmp");
      Files.writeString(aside, JSON.writeValueAsString(config) + "\n");
      Files.move(
          aside,
          folder.resolve(CONFIG),
          StandardCopyOption.ATOMIC_MOVE,
          StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      throw new ModelException("Cannot write %s: %s.".formatted(folder, e.getMessage()), e);
    }
  }

  /** Frees what {@link #load} read; tensors of somebody else stay. */
  @Override
  public void close() {
    if (!owner) {
      return;
    }
    for (Pair pair : pairs.values()) {
      pair.down.close();
      pair.up.close();
    }
  }
}
