package org.descant.models.published.text;

import java.nio.file.Files;
import java.nio.file.Path;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.descant.models.ModelException;
import org.descant.tensor.Tensor;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Text to T5's token ids, from the {@code tokenizer.json} beside a published model: words that
 * begin with a bar, each cut into the likeliest pieces of a unigram model (Kudo 2018,
 * arXiv:1804.10959), and the end-of-text token.
 *
 * <p>Text is brought to Unicode form NFKC, where the published tokenizer uses a table that differs
 * in rare signs; words that spell a special token are taken as plain text. Immutable.
 */
public final class TextTokens {
  private static final String FILE = "tokenizer.json";
  private static final long BYTES_MAX = 64L << 20;
  private static final int TEXT_MAX = 1 << 16;
  private static final String BAR = "\u2581";
  private static final String END = "</s>";

  /** A piece that is in no dictionary costs this more than the unlikeliest that is. */
  private static final double UNKNOWN_PENALTY = 10;

  private final Map<String, Integer> ids = new HashMap<>();
  private final double[] scores;
  private final int unknown;
  private final double unknownScore;
  private final int end;
  private final int longest;

  private TextTokens(Path file, JsonNode root) {
    JsonNode model = root.path("model");
    if (!model.path("type").asString("").equals("Unigram")) {
      throw new ModelException(
          "%s has model.type = %s, which is not supported: \"Unigram\" is."
              .formatted(file, model.path("type")));
    }
    JsonNode pieces = model.path("vocab");
    scores = new double[pieces.size()];
    double least = 0;
    int most = 0;
    for (int i = 0; i < scores.length; i++) {
      JsonNode piece = pieces.get(i);
      if (!piece.path(0).isString() || !piece.path(1).isNumber()) {
        throw new ModelException(
            "%s has model.vocab[%d] = %s, where a piece and its score belong."
                .formatted(file, i, piece));
      }
      ids.putIfAbsent(piece.path(0).stringValue(), i);
      scores[i] = piece.path(1).doubleValue();
      least = Math.min(least, scores[i]);
      most = Math.max(most, piece.path(0).stringValue().length());
    }
    longest = most;
    unknown = model.path("unk_id").asInt(-1);
    unknownScore = least - UNKNOWN_PENALTY;
    if (unknown < 0 || unknown >= scores.length || !ids.containsKey(END)) {
      throw new ModelException(
          "%s has no model.unk_id or no piece %s, so it is no T5 tokenizer.".formatted(file, END));
    }
    end = ids.getOrDefault(END, unknown);
  }

  /** Whether a model folder has a tokenizer. */
  public static boolean isIn(Path folder) {
    return Files.isRegularFile(folder.resolve(FILE));
  }

  /**
   * Reads a model folder's tokenizer.
   *
   * @throws ModelException when there is none, or it is of another kind
   */
  public static TextTokens load(Path folder) {
    Path file = folder.resolve(FILE);
    try {
      if (!Files.isRegularFile(file) || Files.size(file) > BYTES_MAX) {
        throw new ModelException(
            "There is no %s; fetch it with the model, or give token ids.".formatted(file));
      }
      return new TextTokens(file, JsonMapper.shared().readTree(Files.readAllBytes(file)));
    } catch (java.io.IOException e) {
      throw new ModelException("Cannot read %s: %s.".formatted(file, e.getMessage()), e);
    } catch (JacksonException e) {
      throw new ModelException("%s is not JSON: %s.".formatted(file, e.getOriginalMessage()), e);
    }
  }

  /** The ids of one text, the end-of-text token last. */
  public long[] encode(String text) {
    if (text.length() > TEXT_MAX) {
      throw new ModelException(
          "A text has %d characters; cut it to %d.".formatted(text.length(), TEXT_MAX));
    }
    List<Integer> found = new ArrayList<>();
    for (String word : Normalizer.normalize(text, Normalizer.Form.NFKC).strip().split("\\s+", -1)) {
      if (!word.isEmpty()) {
        addPieces(BAR + word, found);
      }
    }
    found.add(end);
    return found.stream().mapToLong(Integer::longValue).toArray();
  }

  /**
   * A batch of texts, padded with zeros to the longest.
   *
   * @param ids I64 [texts, tokens]
   * @param mask I64 of the same shape, 0 at padding
   */
  public record Batch(Tensor ids, Tensor mask) {}

  /** The batch of some texts, in the current scope. */
  public Batch batch(List<String> texts) {
    long[][] rows = texts.stream().map(this::encode).toArray(long[][]::new);
    int width = Arrays.stream(rows).mapToInt(row -> row.length).max().orElse(0);
    long[] all = new long[rows.length * width];
    long[] mask = new long[all.length];
    for (int i = 0; i < rows.length; i++) {
      System.arraycopy(rows[i], 0, all, i * width, rows[i].length);
      Arrays.fill(mask, i * width, i * width + rows[i].length, 1);
    }
    return new Batch(Tensor.of(all, rows.length, width), Tensor.of(mask, rows.length, width));
  }

  /** The likeliest way to cut a word (Viterbi 1967); neighbours that are unknown become one. */
  private void addPieces(String word, List<Integer> found) {
    int length = word.length();
    double[] best = new double[length + 1];
    int[] from = new int[length + 1];
    int[] piece = new int[length + 1];
    Arrays.fill(best, Double.NEGATIVE_INFINITY);
    best[0] = 0;
    for (int start = 0; start < length; start++) {
      if (best[start] == Double.NEGATIVE_INFINITY) {
        continue; // inside a surrogate pair
      }
      int one = Character.charCount(word.codePointAt(start));
      boolean single = false;
      for (int stop = start + 1; stop <= Math.min(length, start + longest); stop++) {
        Integer id = ids.get(word.substring(start, stop));
        if (id != null && id != unknown) {
          single |= stop == start + one;
          double score = best[start] + scores[id];
          if (score > best[stop]) {
            best[stop] = score;
            from[stop] = start;
            piece[stop] = id;
          }
        }
      }
      if (!single && best[start] + unknownScore > best[start + one]) {
        best[start + one] = best[start] + unknownScore;
        from[start + one] = start;
        piece[start + one] = unknown;
      }
    }
    List<Integer> backwards = new ArrayList<>();
    for (int at = length; at > 0; at = from[at]) {
      if (piece[at] != unknown || backwards.isEmpty() || backwards.getLast() != unknown) {
        backwards.add(piece[at]);
      }
    }
    found.addAll(backwards.reversed());
  }
}
