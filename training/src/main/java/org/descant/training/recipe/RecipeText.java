package org.descant.training.recipe;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.io.IOException;
import java.lang.reflect.RecordComponent;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.descant.models.codec.CodecConfig;
import org.descant.training.TrainingException;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.exc.InvalidFormatException;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;
import tools.jackson.dataformat.yaml.YAMLMapper;

/**
 * Recipes as text: overrides on top, canonical JSON and its hash below. A text can only change keys
 * that the recipe has, to values of the same type. Stateless.
 */
public final class RecipeText {
  private static final JsonMapper JSON =
      JsonMapper.builder()
          .changeDefaultPropertyInclusion(
              inclusion -> inclusion.withValueInclusion(JsonInclude.Include.NON_NULL))
          .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
          .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES)
          .build();

  /** A configuration larger than this is some other file. */
  private static final long YAML_BYTES_MAX = 1 << 20;

  /**
   * Keys that recipes have not always had, with what they meant before: records of runs may lack
   * them, and canonical texts name them only where they say something else.
   */
  private static final Map<String, JsonNode> LATER =
      Map.of(
          "codec.adversarial", JSON.valueToTree(Recipe.Adversarial.OFF),
          "codec.from", JSON.valueToTree(""),
          "codec.model.phases", JSON.valueToTree(CodecConfig.Phases.RECOVERED),
          "lm.keepMelody", JSON.valueToTree(0.5),
          "lm.spans", JSON.valueToTree(0.0),
          "lm.model.spans", JSON.valueToTree(false),
          "lm.model.melody", JSON.valueToTree(false));

  private RecipeText() {}

  /**
   * The recipe with {@code key=value} texts applied in order; keys are dotted paths.
   *
   * @throws TrainingException for a text without {@code =}, an unknown key (names the nearest known
   *     one), or a value of another type
   */
  public static <R extends Record> R withOverrides(R recipe, List<String> overrides) {
    ObjectNode tree = JSON.valueToTree(recipe);
    for (String override : overrides) {
      int equals = override.indexOf('=');
      if (equals < 1) {
        throw new TrainingException("'%s' sets nothing; write --set key=value".formatted(override));
      }
      set(tree, override.substring(0, equals).strip(), override.substring(equals + 1).strip());
    }
    return like(recipe, tree);
  }

  /**
   * The recipe with the keys of a YAML file applied; nesting and dotted keys both work.
   *
   * @throws TrainingException when the file cannot be read, or as {@link #withOverrides}
   */
  public static <R extends Record> R withYaml(R recipe, Path file) {
    JsonNode overlay;
    try {
      if (!Files.isRegularFile(file) || Files.size(file) > YAML_BYTES_MAX) {
        throw new TrainingException(
            file + " is no recipe file: give a YAML file of at most 1 MB with --config");
      }
      overlay = new YAMLMapper().readTree(Files.readString(file));
    } catch (IOException | JacksonException e) {
      throw new TrainingException(
          "cannot read %s as YAML: %s".formatted(file, firstLine(e.getMessage())), e);
    }
    ObjectNode tree = JSON.valueToTree(recipe);
    if (overlay == null || overlay.isNull() || overlay.isMissingNode()) {
      return recipe;
    }
    if (!overlay.isObject()) {
      throw new TrainingException(file + " must hold keys and values, as in 'steps: 100'");
    }
    leaves("", overlay).forEach((key, value) -> set(tree, key, value));
    return like(recipe, tree);
  }

  /** Reads a recipe back from {@link #toMap}. */
  public static Recipe fromMap(Map<String, Object> map) {
    return fromMap(map, Recipe.class);
  }

  /** Reads another kind of recipe back from {@link #toMap}. */
  public static <R extends Record> R fromMap(Map<String, Object> map, Class<R> type) {
    JsonNode tree = JSON.valueToTree(map);
    LATER.forEach((key, before) -> {
      if (parent(tree, key) instanceof ObjectNode group && !group.has(leaf(key))) {
        group.set(leaf(key), before.deepCopy());
      }
    });
    return toRecipe(tree, type);
  }

  /** The recipe as nested maps and plain values. */
  public static Map<String, Object> toMap(Record recipe) {
    var map = new TreeMap<String, Object>();
    Map<?, ?> tree = JSON.convertValue(recipe, Map.class);
    tree.forEach((key, value) -> map.put(key.toString(), value));
    return map;
  }

  /** Every key with its value, as dotted paths in the order of the recipe. */
  public static Map<String, String> flat(Record recipe) {
    return leaves("", JSON.valueToTree(recipe));
  }

  /**
   * One line of JSON with the keys of every object sorted and no blanks; numbers as {@code
   * Double.toString} and {@code Long.toString} write them.
   */
  public static String canonical(Record recipe) {
    ObjectNode tree = JSON.valueToTree(recipe);
    LATER.forEach((key, before) -> {
      if (parent(tree, key) instanceof ObjectNode group && before.equals(group.get(leaf(key)))) {
        group.remove(leaf(key));
      }
    });
    return JSON.writeValueAsString(sorted(tree));
  }

  /** Lower-case hex SHA-256 of {@link #canonical}. */
  public static String hash(Record recipe) {
    try {
      return HexFormat.of()
          .formatHex(
              MessageDigest.getInstance("SHA-256")
                  .digest(canonical(recipe).getBytes(StandardCharsets.UTF_8)));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  private static JsonNode sorted(JsonNode node) {
    if (!node.isObject()) {
      return node;
    }
    ObjectNode out = JSON.createObjectNode();
    node.properties().stream()
        .sorted(Map.Entry.comparingByKey())
        .forEach(entry -> out.set(entry.getKey(), sorted(entry.getValue())));
    return out;
  }

  @SuppressWarnings("unchecked") // An object's class is that of its type.
  private static <R extends Record> R like(R recipe, JsonNode tree) {
    return toRecipe(tree, (Class<R>) recipe.getClass());
  }

  /** The tree with a null for every part that a recipe may be without and is. */
  private static JsonNode completed(JsonNode tree, Class<?> type) {
    if (!(tree instanceof ObjectNode object)) {
      return tree;
    }
    ObjectNode whole = object.deepCopy();
    for (RecordComponent part : type.getRecordComponents()) {
      if (part.getAnnotatedType().isAnnotationPresent(Nullable.class)
          && !whole.has(part.getName())) {
        whole.putNull(part.getName());
      }
    }
    return whole;
  }

  private static <R extends Record> R toRecipe(JsonNode tree, Class<R> type) {
    try {
      return JSON.treeToValue(completed(tree, type), type);
    } catch (JacksonException e) {
      Throwable cause = e;
      while (cause != null && !(cause instanceof TrainingException)) {
        cause = cause.getCause();
      }
      if (cause instanceof TrainingException problem) {
        throw problem;
      }
      if (e instanceof InvalidFormatException wrong && wrong.getTargetType().isEnum()) {
        throw wrongType(
            wrong.getPath().stream()
                .map(JacksonException.Reference::getPropertyName)
                .collect(Collectors.joining(".")),
            Arrays.stream(wrong.getTargetType().getEnumConstants())
                .map(String::valueOf)
                .collect(Collectors.joining(" or ")),
            String.valueOf(wrong.getValue()));
      }
      Throwable root = e;
      while (root.getCause() != null) {
        root = root.getCause();
      }
      throw new TrainingException(
          "the recipe does not hold together: "
              + firstLine(
                  root instanceof JacksonException j ? j.getOriginalMessage() : root.getMessage()),
          e);
    }
  }

  private static void set(ObjectNode tree, String key, String value) {
    String leaf = leaf(key);
    if (!(parent(tree, key) instanceof ObjectNode object) || !object.has(leaf)) {
      throw new TrainingException(
          "there is no key '%s' in the recipe; did you mean '%s'?"
              .formatted(key, nearest(key, new ArrayList<>(leaves("", tree).keySet()))));
    }
    JsonNode old = object.get(leaf);
    if (old.isObject()) {
      throw new TrainingException(
          "'%s' is a group of keys; set one of %s"
              .formatted(key, String.join(", ", leaves(key, old).keySet())));
    }
    object.set(leaf, typed(key, old, value));
  }

  /** The group that a dotted key lies in, if there is one. */
  private static JsonNode parent(JsonNode tree, String key) {
    int dot = key.lastIndexOf('.');
    JsonNode parent = tree;
    if (dot > 0) {
      for (String part : key.substring(0, dot).split("\\.")) {
        parent = parent.path(part);
      }
    }
    return parent;
  }

  private static String leaf(String key) {
    return key.substring(key.lastIndexOf('.') + 1);
  }

  private static JsonNode typed(String key, JsonNode old, String value) {
    try {
      if (old.isBoolean()) {
        return switch (value.toLowerCase(Locale.ROOT)) {
          case "true" -> JSON.getNodeFactory().booleanNode(true);
          case "false" -> JSON.getNodeFactory().booleanNode(false);
          default -> throw wrongType(key, "true or false", value);
        };
      }
      if (old.isIntegralNumber()) {
        return JSON.getNodeFactory().numberNode(Long.parseLong(value.replace("_", "")));
      }
      if (old.isNumber()) {
        double number = Double.parseDouble(value);
        if (!Double.isFinite(number)) {
          throw wrongType(key, "a finite number", value);
        }
        return JSON.getNodeFactory().numberNode(number);
      }
    } catch (NumberFormatException e) {
      throw wrongType(key, old.isIntegralNumber() ? "a whole number" : "a number", value);
    }
    return JSON.getNodeFactory().stringNode(value);
  }

  private static TrainingException wrongType(String key, String wanted, String value) {
    String shown = value.length() > 40 ? value.substring(0, 40) + "…" : value;
    return new TrainingException("'%s' takes %s, was '%s'".formatted(key, wanted, shown));
  }

  private static Map<String, String> leaves(String prefix, JsonNode node) {
    var out = new LinkedHashMap<String, String>();
    for (Map.Entry<String, JsonNode> entry : node.properties()) {
      String key = prefix.isEmpty() ? entry.getKey() : prefix + "." + entry.getKey();
      if (entry.getValue().isObject()) {
        out.putAll(leaves(key, entry.getValue()));
      } else {
        JsonNode value = entry.getValue();
        out.put(key, value.isValueNode() ? value.asString() : value.toString());
      }
    }
    return out;
  }

  /**
   * The known key with the fewest single-letter edits (Levenshtein 1966) from the one asked for; a
   * key without its group counts as near too.
   */
  static String nearest(String key, List<String> known) {
    String best = known.get(0);
    int bestEdits = Integer.MAX_VALUE;
    for (String candidate : known) {
      int dot = candidate.lastIndexOf('.');
      int edits = Math.min(edits(key, candidate), 1 + edits(key, candidate.substring(dot + 1)));
      if (edits < bestEdits) {
        best = candidate;
        bestEdits = edits;
      }
    }
    return best;
  }

  private static int edits(String a, String b) {
    int[] row = new int[b.length() + 1];
    for (int j = 0; j <= b.length(); j++) {
      row[j] = j;
    }
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int replaced = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(replaced, 1 + Math.min(row[j], row[j - 1]));
      }
    }
    return row[b.length()];
  }

  private static String firstLine(@Nullable String message) {
    return String.valueOf(message).lines().findFirst().orElse("no message");
  }
}
