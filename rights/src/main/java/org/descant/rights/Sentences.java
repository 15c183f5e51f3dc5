package org.descant.rights;

import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** The reasons in words: kind, plain, and complete enough to act on. */
final class Sentences {
  private Sentences() {}

  static Reason unknown(Isrc isrc) {
    return new Reason(
        ReasonCode.UNKNOWN_RECORDING,
        "Nobody has registered a recording %s here.".formatted(isrc.formatted()),
        List.of());
  }

  static Reason blocked(Recording recording) {
    return new Reason(
        ReasonCode.BLOCKED,
        "“%s” has to wait: %s."
            .formatted(recording.title(), withoutFullStop(recording.blockedReason())),
        List.of());
  }

  static Reason workUnknown(Recording recording) {
    return new Reason(
        ReasonCode.WORK_UNKNOWN,
        "“%s” names no work, so nobody can speak for those who wrote it."
            .formatted(recording.title()),
        List.of());
  }

  /**
   * @param of "the recording “…”" or "the work “…”"
   */
  static Reason sharesIncomplete(String of, int basisPoints) {
    return new Reason(
        ReasonCode.SHARES_INCOMPLETE,
        "The known shares of %s add up to %s, so not every owner is known."
            .formatted(of, percent(basisPoints)),
        List.of());
  }

  static Reason noAgreement(Recording recording, List<String> ownerNames) {
    return new Reason(
        ReasonCode.NO_AGREEMENT,
        ownerNames.isEmpty()
            ? "Nobody has granted any use of “%s”: nobody is known to own it."
                .formatted(recording.title())
            : "Nobody has granted any use of “%s” yet; it takes an agreement with %s."
                .formatted(recording.title(), list(ownerNames)),
        List.of());
  }

  static Reason ownerMissing(String name, Share share, String of) {
    return new Reason(
        ReasonCode.OWNER_MISSING,
        "%s, who owns %s of %s, has not agreed to anything yet."
            .formatted(name, percent(share.basisPoints()), of),
        List.of());
  }

  static Reason granted(String name, Share share, String of, Use use, Agreement agreement) {
    String given =
        agreement.kind() == AgreementKind.PUBLIC_DOMAIN
            ? "has given it to the public domain since %s".formatted(agreement.from())
            : "agrees to %s from %s%s"
                .formatted(
                    use.inWords(),
                    agreement.from(),
                    agreement.to() == null ? "" : " to " + agreement.to());
    return new Reason(
        ReasonCode.GRANTED,
        "%s, who owns %s of %s, %s.".formatted(name, percent(share.basisPoints()), of, given),
        List.of(agreement.id()));
  }

  static Reason useNotGranted(String name, Use use, Agreement agreement) {
    return new Reason(
        ReasonCode.USE_NOT_GRANTED,
        "The agreement with %s does not include %s; it is for %s."
            .formatted(
                name, use.inWords(), list(agreement.uses().stream().map(Use::inWords).toList())),
        List.of(agreement.id()));
  }

  static Reason ended(String name, Agreement agreement) {
    return new Reason(
        ReasonCode.AGREEMENT_ENDED,
        "The agreement with %s ended on %s.".formatted(name, agreement.to()),
        List.of(agreement.id()));
  }

  static Reason notYet(String name, Agreement agreement) {
    return new Reason(
        ReasonCode.NOT_YET_IN_FORCE,
        "The agreement with %s begins on %s.".formatted(name, agreement.from()),
        List.of(agreement.id()));
  }

  static Reason territory(String name, String territory, Agreement agreement) {
    return new Reason(
        ReasonCode.TERRITORY_NOT_GRANTED,
        "The agreement with %s holds in %s, not %s."
            .formatted(
                name,
                list(List.copyOf(agreement.territories())),
                territory.equals(Agreement.WORLDWIDE) ? "everywhere" : "in " + territory),
        List.of(agreement.id()));
  }

  /**
   * @param workTitle the title of the work that the choice names, null when it names none
   */
  static Reason no(String name, Choice choice, Recording recording, @Nullable String workTitle) {
    String what =
        switch (choice.scope()) {
          case Scope.All _ -> "everything they are part of";
          case Scope.OfRecording _ -> "“" + recording.title() + "”";
          case Scope.OfWork(String workId) ->
              "the work “" + (workTitle == null ? workId : workTitle) + "”";
        };
    return new Reason(
        ReasonCode.CHOICE_NO,
        "%s has said no to %s of %s since %s."
            .formatted(name, choice.use().inWords(), what, choice.from()),
        List.of(choice.id()));
  }

  static String recording(Recording recording) {
    return "the recording “" + recording.title() + "”";
  }

  static String work(Work work) {
    return "the work “" + work.title() + "”";
  }

  private static String percent(int basisPoints) {
    return basisPoints % 100 == 0
        ? basisPoints / 100 + " %"
        : "%d.%02d %%".formatted(basisPoints / 100, basisPoints % 100);
  }

  private static String list(List<String> words) {
    if (words.size() < 2) {
      return String.join("", words);
    }
    return words.subList(0, words.size() - 1).stream().collect(Collectors.joining(", "))
        + " and "
        + words.getLast();
  }

  private static String withoutFullStop(@Nullable String sentence) {
    String text = sentence == null ? "" : sentence.strip();
    return text.endsWith(".") ? text.substring(0, text.length() - 1) : text;
  }
}
