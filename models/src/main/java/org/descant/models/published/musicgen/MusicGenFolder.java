package org.descant.models.published.musicgen;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.descant.models.ModelException;
import org.descant.storage.WriteAside;
import org.descant.tensor.NoGrad;
import org.descant.tensor.Safetensors;
import org.descant.tensor.SafetensorsWriter;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.descant.tensor.TensorException;

/**
 * Writes a MusicGen folder as the Hub serves it, with some weights of another folder changed: what
 * {@link MusicGen#load(Path)} and {@code transformers} read. Stateless.
 */
public final class MusicGenFolder {
  /** The file with the weights. */
  public static final String WEIGHTS = "model.safetensors";

  private static final String CONFIG = "config.json";

  /** Records of where the other folder came from, and of its weights' places. */
  private static final Set<String> LEFT =
      Set.of(
          CONFIG,
          "model.safetensors.index.json",
          "pull.json",
          "tuned.json",
          "card.json",
          "parity.json");

  private static final List<String> ENDINGS = List.of(".json", ".model", ".txt");
  private static final Pattern TYPE =
      Pattern.compile("(\"(?:torch_)?dtype\"\\s*:\\s*)\"(?:float16|bfloat16|float64)\"");

  private MusicGenFolder() {}

  /**
   * Writes a folder: weights aside and renamed, {@code config.json} last.
   *
   * @param base the folder that everything else is copied from
   * @param changed fp32 tensors by their published names, instead of the base's
   * @param metadata of the safetensors file
   * @throws ModelException when the base has no tensor of a name, or a file cannot be written
   */
  public static void write(
      Path base, Path target, Map<String, Tensor> changed, Map<String, String> metadata) {
    WriteAside.createFolders(target);
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open();
        Safetensors file = Safetensors.open(base)) {
      Map<String, Tensor> tensors = new TreeMap<>(changed);
      for (String name : changed.keySet()) {
        if (!file.contains(name)) {
          throw new ModelException("%s holds no tensor %s to change.".formatted(base, name));
        }
      }
      for (String name : file.names()) {
        if (!changed.containsKey(name)) {
          tensors.put(name, file.tensor(name));
        }
      }
      Map<String, String> facts = new TreeMap<>(metadata);
      facts.put("format", "pt");
      SafetensorsWriter.write(target.resolve(WEIGHTS), tensors, facts);
    } catch (TensorException e) {
      throw new ModelException(String.valueOf(e.getMessage()), e);
    }
    try {
      for (Path other : others(base)) {
        WriteAside.write(
            target.resolve(String.valueOf(other.getFileName())), out -> Files.copy(other, out));
      }
      // What was learned is fp32, so nobody may round it on the way in.
      String config = Files.readString(base.resolve(CONFIG));
      WriteAside.write(target.resolve(CONFIG), TYPE.matcher(config).replaceAll("$1\"float32\""));
    } catch (IOException e) {
      throw WriteAside.refusal("copy", base, e);
    }
  }

  /** Small files that a model is used with: generation settings, tokenizer, processor. */
  private static List<Path> others(Path base) throws IOException {
    try (Stream<Path> files = Files.list(base)) {
      return files
          .filter(Files::isRegularFile)
          .filter(file -> ENDINGS.stream().anyMatch(String.valueOf(file.getFileName())::endsWith))
          .filter(file -> !LEFT.contains(String.valueOf(file.getFileName())))
          .sorted()
          .toList();
    }
  }
}
