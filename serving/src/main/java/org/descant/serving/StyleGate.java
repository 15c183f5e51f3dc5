package org.descant.serving;

import java.text.Normalizer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import org.descant.catalog.CatalogEntry;
import org.descant.engine.GenerationRequest;
import org.descant.engine.StyleReference;
import org.descant.rights.ClearedRecording;
import org.descant.rights.Decision;
import org.descant.rights.DecisionContext;
import org.descant.rights.Isrc;
import org.descant.rights.Reason;
import org.descant.rights.Use;
import org.descant.serving.Delivery.StyleAnswer;
import org.jspecify.annotations.Nullable;

/**
 * Whose style may be asked for: by a reference recording, or by an artist's name in the words. Asks
 * {@code rights} every time and remembers nothing. Thread-safe.
 */
final class StyleGate {
  /** Shorter names are too often words of another meaning. */
  private static final int NAME_CHARS_MIN = 3;

  /** In these, words have no blanks between them. */
  private static final Set<Character.UnicodeScript> WITHOUT_SPACES =
      Set.of(
          Character.UnicodeScript.HAN,
          Character.UnicodeScript.HIRAGANA,
          Character.UnicodeScript.KATAKANA,
          Character.UnicodeScript.THAI,
          Character.UnicodeScript.LAO,
          Character.UnicodeScript.KHMER,
          Character.UnicodeScript.MYANMAR);

  private static final Pattern BRACKETS = Pattern.compile("\\([^)]*\\)");
  private static final Pattern MARKS = Pattern.compile("\\p{M}+");
  private static final Pattern BETWEEN_WORDS = Pattern.compile("[^\\p{L}\\p{N}]+");

  private final House house;

  StyleGate(House house) {
    this.house = house;
  }

  /** The answer for every recording that has its audio, in the catalogue's order. */
  List<StyleAnswer> answers() {
    return answers(
        house.catalog().list().stream()
            .filter(entry -> entry.status() == CatalogEntry.Status.READY)
            .toList());
  }

  private List<StyleAnswer> answers(List<CatalogEntry> entries) {
    List<Decision> decisions =
        house
            .rights()
            .clearance()
            .decideAll(
                Use.STYLE,
                entries.stream().map(CatalogEntry::isrc).toList(),
                DecisionContext.today());
    List<StyleAnswer> answers = new ArrayList<>();
    for (int i = 0; i < decisions.size(); i++) {
      CatalogEntry entry = entries.get(i);
      Decision decision = decisions.get(i);
      answers.add(
          new StyleAnswer(
              entry.isrc().toString(),
              entry.title(),
              entry.artist(),
              decision.allowed(),
              decision.allowed() ? List.of() : sentences(decision)));
    }
    return answers;
  }

  /**
   * The reference that somebody asked for by its ISRC; null when they asked for none.
   *
   * @throws RefusedException with the reasons, when its style is not open
   * @throws org.descant.rights.RightsException when it is not an ISRC
   */
  @Nullable StyleReference reference(@Nullable String isrcText) {
    if (isrcText == null || isrcText.isBlank()) {
      return null;
    }
    Isrc isrc = Isrc.of(isrcText);
    Optional<ClearedRecording> cleared =
        house.rights().clearance().clear(Use.STYLE, isrc, DecisionContext.today());
    if (cleared.isEmpty()) {
      requireOpen(isrc);
      throw new ServingException("The recording " + isrc + " is cleared, but has no sound here.");
    }
    return new StyleReference(cleared.get(), house.catalog().audio(isrc));
  }

  /**
   * Asks again.
   *
   * @throws RefusedException with the reasons, when the style is not open now
   */
  void requireOpen(Isrc isrc) {
    Decision decision = house.rights().clearance().decide(Use.STYLE, isrc, DecisionContext.today());
    if (!decision.allowed()) {
      throw new RefusedException(
          "This style is not open to be asked for; there are others who would love to be asked.",
          sentences(decision));
    }
  }

  /**
   * Naming an artist in the words or tags asks for their style: then it has to be open for one of
   * their recordings at least.
   *
   * @throws RefusedException with the reasons, when it is open for none
   */
  void requireNamesOpen(Order order) {
    List<String> parts = new ArrayList<>(order.tags() == null ? List.of() : order.tags());
    parts.add(order.text() == null ? "" : order.text());
    List<String> asked =
        parts.stream()
            .filter(part -> part != null && part.length() <= GenerationRequest.TEXT_CHARS_MAX)
            .map(StyleGate::words)
            .filter(words -> !words.isBlank())
            .toList();
    if (asked.isEmpty()) {
      return;
    }
    Map<String, List<CatalogEntry>> named = new LinkedHashMap<>();
    for (CatalogEntry entry : house.catalog().list()) {
      String name = words(BRACKETS.matcher(entry.artist()).replaceAll(" "));
      if (name.strip().length() >= NAME_CHARS_MIN
          && asked.stream().anyMatch(words -> isNamed(name, words))) {
        named.computeIfAbsent(name, _ -> new ArrayList<>()).add(entry);
      }
    }
    for (List<CatalogEntry> entries : named.values()) {
      List<StyleAnswer> answers = answers(entries);
      if (answers.stream().noneMatch(StyleAnswer::allowed)) {
        throw new RefusedException(
            answers.getFirst().artist() + " would rather not be asked for their style.",
            answers.getFirst().reasons());
      }
    }
  }

  private static boolean isNamed(String name, String words) {
    boolean spaced =
        name.codePoints().mapToObj(Character.UnicodeScript::of).noneMatch(WITHOUT_SPACES::contains);
    return words.contains(spaced ? name : name.strip());
  }

  /** Lower case, without accents, one blank around every word: so that names match whole. */
  static String words(String text) {
    String plain = MARKS.matcher(Normalizer.normalize(text, Normalizer.Form.NFKD)).replaceAll("");
    String words = BETWEEN_WORDS.matcher(plain.toLowerCase(Locale.ROOT)).replaceAll(" ").strip();
    return words.isEmpty() ? "" : " " + words + " ";
  }

  static List<String> sentences(Decision decision) {
    return decision.reasons().stream().map(Reason::sentence).toList();
  }
}
