package org.descant.models.published.weights;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.descant.models.ModelException;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * A published {@code config.json}, or one object inside it. Keys that are absent or null give the
 * default that the caller names, as the family's reference configuration does; a value of another
 * kind is refused by its key, its value and its file. Immutable.
 */
public final class PublishedConfig {
  /** No length, width or count of a published model comes near this; it keeps products in range. */
  private static final int WHOLE_MAX = 1 << 24;

  private static final long BYTES_MAX = 16L << 20;
  private static final int LIST_MAX = 64;
  private static final JsonMapper JSON = JsonMapper.shared();

  private final Path file;
  private final String path;
  private final JsonNode node;

  private PublishedConfig(Path file, String path, JsonNode node) {
    this.file = file;
    this.path = path;
    this.node = node;
  }

  /**
   * Reads a JSON object from a file.
   *
   * @throws ModelException when there is no such file, or it is not a JSON object
   */
  public static PublishedConfig read(Path file) {
    if (!Files.isRegularFile(file)) {
      throw new ModelException(
          "There is no %s; name a model folder as the Hub serves it.".formatted(file));
    }
    try {
      if (Files.size(file) > BYTES_MAX) {
        throw new ModelException("%s is larger than %d bytes.".formatted(file, BYTES_MAX));
      }
      JsonNode node = JSON.readTree(Files.readAllBytes(file));
      if (!node.isObject()) {
        throw new ModelException("%s is not a JSON object.".formatted(file));
      }
      return new PublishedConfig(file, "", node);
    } catch (JacksonException e) {
      throw new ModelException("%s is not JSON: %s.".formatted(file, e.getOriginalMessage()), e);
    } catch (IOException e) {
      throw new ModelException("Cannot read %s: %s.".formatted(file, e.getMessage()), e);
    }
  }

  /** The file this was read from. */
  public Path file() {
    return file;
  }

  /** Whether the key is there and not null. */
  public boolean has(String key) {
    return !node.path(key).isMissingNode() && !node.path(key).isNull();
  }

  /** The object under a key. */
  public PublishedConfig child(String key) {
    JsonNode value = node.path(key);
    if (!value.isObject()) {
      throw refusal(key, "an object belongs there");
    }
    return new PublishedConfig(file, path + key + ".", value);
  }

  public String text(String key, String otherwise) {
    if (!has(key)) {
      return otherwise;
    }
    if (!node.path(key).isString()) {
      throw refusal(key, "a text belongs there");
    }
    return node.path(key).stringValue();
  }

  public boolean flag(String key, boolean otherwise) {
    if (!has(key)) {
      return otherwise;
    }
    if (!node.path(key).isBoolean()) {
      throw refusal(key, "true or false belongs there");
    }
    return node.path(key).booleanValue();
  }

  /** A whole number of at least {@code least}. */
  public int whole(String key, int otherwise, int least) {
    return has(key) ? whole(key, node.path(key), least) : otherwise;
  }

  /** A finite number. */
  public double number(String key, double otherwise) {
    return has(key) ? number(key, node.path(key)) : otherwise;
  }

  /** A list of whole numbers, none empty, each at least {@code least}. */
  public List<Integer> wholes(String key, List<Integer> otherwise, int least) {
    if (!has(key)) {
      return otherwise;
    }
    List<Integer> result = new ArrayList<>();
    for (JsonNode item : list(key)) {
      result.add(whole(key, item, least));
    }
    return List.copyOf(result);
  }

  /** A list of finite numbers, not empty. */
  public List<Double> numbers(String key, List<Double> otherwise) {
    if (!has(key)) {
      return otherwise;
    }
    List<Double> result = new ArrayList<>();
    for (JsonNode item : list(key)) {
      result.add(number(key, item));
    }
    return List.copyOf(result);
  }

  /** Fails unless {@code model_type} is this one and the weights are plain (not quantised). */
  public void requireModelType(String type) {
    if (!text("model_type", type).equals(type)) {
      throw refusal("model_type", "the loader of \"" + type + "\" reads only that");
    }
    if (has("quantization_config")) {
      throw refusal("quantization_config", "fetch the weights that are not quantised");
    }
  }

  /** What to throw when the value under a key cannot be served: names key, value and file. */
  public ModelException refusal(String key, String why) {
    JsonNode value = node.path(key);
    String shown = value.isMissingNode() ? "nothing" : value.toString();
    return new ModelException(
        "%s has %s%s = %s, which is not supported: %s."
            .formatted(
                file,
                path,
                key,
                shown.length() > 200 ? shown.substring(0, 200) + "…" : shown,
                why));
  }

  private JsonNode list(String key) {
    JsonNode value = node.path(key);
    if (!value.isArray() || value.isEmpty() || value.size() > LIST_MAX) {
      throw refusal(key, "a list of 1 to " + LIST_MAX + " numbers belongs there");
    }
    return value;
  }

  private int whole(String key, JsonNode value, int least) {
    if (!value.isIntegralNumber()
        || !value.canConvertToInt()
        || value.intValue() < least
        || value.intValue() > WHOLE_MAX) {
      throw refusal(key, "whole numbers from %d to %d are".formatted(least, WHOLE_MAX));
    }
    return value.intValue();
  }

  private double number(String key, JsonNode value) {
    if (!value.isNumber() || !Double.isFinite(value.doubleValue())) {
      throw refusal(key, "a number belongs there");
    }
    return value.doubleValue();
  }
}
