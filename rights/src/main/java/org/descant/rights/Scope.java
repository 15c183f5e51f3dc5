package org.descant.rights;

import java.util.Locale;

/** What an agreement or a choice is about: everything a party is behind, or one thing. */
public sealed interface Scope {
  /** Everything the party owns or contributed to, now and later. */
  record All() implements Scope {
    @Override
    public String toString() {
      return "all";
    }
  }

  /** One recording, and the party's part of the works in it. */
  record OfRecording(Isrc isrc) implements Scope {
    @Override
    public String toString() {
      return "recording:" + isrc;
    }
  }

  /**
   * One work, in whatever recording. An agreement of this scope grants the right in the work, not
   * the right in anybody's recording of it; a refusal of this scope refuses every recording of it.
   */
  record OfWork(String workId) implements Scope {
    /** Keeps an ISWC compact. */
    public OfWork {
      workId = Work.normalId(workId);
    }

    @Override
    public String toString() {
      return "work:" + workId;
    }
  }

  /** The scope of everything. */
  Scope ALL = new All();

  /** The scope of one recording. */
  static Scope of(Isrc isrc) {
    return new OfRecording(isrc);
  }

  /** The scope of one work. */
  static Scope ofWork(String workId) {
    return new OfWork(workId);
  }

  /**
   * Reads {@code all}, {@code recording:<ISRC>}, {@code work:<id>}, a bare ISRC, or any other bare
   * id as a work's.
   *
   * @throws RightsException when it is none of these
   */
  static Scope parse(String text) {
    String trimmed = text.strip();
    String lower = trimmed.toLowerCase(Locale.ROOT);
    if (lower.equals("all") || lower.equals("*")) {
      return ALL;
    }
    if (lower.startsWith("recording:")) {
      return of(Isrc.of(trimmed.substring("recording:".length())));
    }
    if (lower.startsWith("work:")) {
      return ofWork(trimmed.substring("work:".length()));
    }
    if (Isrc.looksLikeOne(trimmed)) {
      return of(Isrc.of(trimmed));
    }
    return ofWork(trimmed);
  }
}
