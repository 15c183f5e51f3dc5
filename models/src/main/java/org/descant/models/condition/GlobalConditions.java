package org.descant.models.condition;

import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.TreeSet;
import org.descant.models.ModelException;
import org.descant.models.codec.StyleEmbedding;
import org.jspecify.annotations.Nullable;

/**
 * What is known of a whole clip: key, tags (the artist among them), text, and the style of an
 * allowed reference.
 *
 * <p>Words are hashed into a fixed number of buckets (Joulin et al., "Bag of Tricks for Efficient
 * Text Classification", 2016), so there is no vocabulary to store.
 *
 * @param tonic pitch class 0 (C) to 11, or {@link #NO_KEY}
 * @param minor whether the key is minor; without meaning when there is no key
 * @param tags whole tags such as {@code "lofi"} or an artist's name; case and outer blanks do not
 *     count
 * @param text free text; its words and pairs of neighbouring words count
 * @param style a {@link StyleEmbedding}, or null
 */
@SuppressWarnings("ArrayRecordComponent") // The style is plain numbers, never compared.
public record GlobalConditions(
    int tonic, boolean minor, List<String> tags, String text, float @Nullable [] style) {

  /** Tonic of "no key". */
  public static final int NO_KEY = 12;

  /** Buckets of tags. */
  public static final int TAG_BUCKETS = 512;

  /** Buckets of words and word pairs. */
  public static final int TEXT_BUCKETS = 1024;

  private static final int TAGS_MAX = 64;
  private static final int TEXT_CHARS_MAX = 4096;

  /** Nothing known. */
  public static final GlobalConditions NONE =
      new GlobalConditions(NO_KEY, false, List.of(), "", null);

  public GlobalConditions {
    if (tonic < 0 || tonic > NO_KEY) {
      throw new ModelException("A tonic is a pitch class from 0 to 11 (12: none), was " + tonic);
    }
    if (tags.size() > TAGS_MAX) {
      throw new ModelException("At most " + TAGS_MAX + " tags, got " + tags.size());
    }
    if (text.length() > TEXT_CHARS_MAX) {
      throw new ModelException(
          "Text has at most "
              + TEXT_CHARS_MAX
              + " characters, got "
              + text.length()
              + "; shorten it");
    }
    tags = List.copyOf(tags);
  }

  /** The same with another style reference. */
  public GlobalConditions withStyle(float @Nullable [] other) {
    return new GlobalConditions(tonic, minor, tags, text, other);
  }

  /** The same, {@code semitones} higher. */
  public GlobalConditions transposed(int semitones) {
    int moved = tonic == NO_KEY ? NO_KEY : Math.floorMod(tonic + semitones, 12);
    return new GlobalConditions(moved, minor, tags, text, style);
  }

  /** Buckets of the tags, sorted, each once. */
  int[] tagBuckets() {
    return buckets(tags.stream().map(GlobalConditions::fold).toList(), TAG_BUCKETS, "tag:");
  }

  /** Buckets of the text's words and pairs, sorted, each once. */
  int[] textBuckets() {
    List<String> words =
        List.of(fold(text).split("[^\\p{L}\\p{N}#]+")).stream().filter(w -> !w.isEmpty()).toList();
    TreeSet<String> grams = new TreeSet<>(words);
    for (int i = 1; i < words.size(); i++) {
      grams.add(words.get(i - 1) + " " + words.get(i));
    }
    return buckets(grams, TEXT_BUCKETS, "text:");
  }

  private static String fold(String word) {
    return word.strip().toLowerCase(Locale.ROOT);
  }

  private static int[] buckets(Collection<String> words, int count, String salt) {
    return words.stream()
        .filter(word -> !word.isEmpty())
        .mapToInt(word -> Math.floorMod(hash(salt + word), count))
        .sorted()
        .distinct()
        .toArray();
  }

  /** FNV-1a over the characters: stable in every version, unlike a language's own hash. */
  private static int hash(String word) {
    long h = 0xcbf29ce484222325L;
    for (int i = 0; i < word.length(); i++) {
      h = (h ^ word.charAt(i)) * 0x100000001b3L;
    }
    return (int) (h ^ (h >>> 32));
  }
}
