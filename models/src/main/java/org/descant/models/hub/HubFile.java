package org.descant.models.hub;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.descant.models.ModelException;
import org.jspecify.annotations.Nullable;

/**
 * A file as a hub lists it.
 *
 * @param path inside the model's folder, with {@code /}; safe to resolve below it
 * @param bytes its size; -1 when the hub lists none, then the answer's own headers must say it
 * @param hash of its content; null when the hub lists none, then likewise
 */
public record HubFile(String path, long bytes, @Nullable ContentHash hash) {
  /** What is done with a file, by its name. */
  public enum Choice {
    /** Weights as safetensors, configuration, tokenizer, plain text: read as data. */
    TAKEN,
    /** Formats that can run code when they are read; never taken, and named. */
    PICKLE,
    /** Of no use here. */
    LEFT
  }

  private static final int PATH_CHARS_MAX = 512;
  private static final int NAME_BYTES_MAX = 200;
  private static final int DEPTH_MAX = 8;

  private static final Set<String> DATA = Set.of("json", "safetensors", "txt");
  private static final List<String> TOKENIZERS = List.of("tokenizer", "spiece", "sentencepiece");
  private static final Set<String> PICKLES =
      Set.of(
          "bin", "pt", "pth", "ckpt", "pkl", "pickle", "th", "tar", "joblib", "dill", "npy", "npz");

  public HubFile {
    requireSafe(path);
  }

  Choice choice() {
    String name = path.substring(path.lastIndexOf('/') + 1).toLowerCase(Locale.ROOT);
    String ending = name.substring(name.lastIndexOf('.') + 1);
    if (path.equals(PulledModel.FILE)) {
      return Choice.LEFT; // the name of our own record
    }
    if (DATA.contains(ending) && name.contains(".")) {
      return Choice.TAKEN;
    }
    if (ending.equals("model") && TOKENIZERS.stream().anyMatch(name::startsWith)) {
      return Choice.TAKEN;
    }
    return PICKLES.contains(ending) ? Choice.PICKLE : Choice.LEFT;
  }

  boolean isWeights() {
    return path.toLowerCase(Locale.ROOT).endsWith(".safetensors");
  }

  /**
   * Nothing that leads out of a folder, hides in a terminal or cannot be a file name.
   *
   * @throws ModelException naming the path
   */
  static void requireSafe(String path) {
    String why = null;
    String[] names = path.split("/", -1);
    if (path.isEmpty() || path.length() > PATH_CHARS_MAX || names.length > DEPTH_MAX) {
      why = "is empty, too long or too deep";
    } else if (path.codePoints().anyMatch(Text::isInvisible)) {
      why = "has characters that cannot be seen";
    } else if (path.indexOf('\\') >= 0) {
      why = "has a backslash";
    }
    for (String name : names) {
      if (name.isEmpty() || name.equals(".") || name.equals("..")) {
        why = "leads out of the model's folder";
      } else if (name.getBytes(StandardCharsets.UTF_8).length > NAME_BYTES_MAX) {
        why = "has a name that is too long";
      }
    }
    if (why != null) {
      throw new ModelException(
          "The hub lists a file '"
              + Text.shown(path)
              + "' whose path "
              + why
              + "; nothing was pulled.");
    }
  }
}
