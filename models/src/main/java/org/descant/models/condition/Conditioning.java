package org.descant.models.condition;

/** All conditions of one clip: those of each frame and those of the whole. */
public record Conditioning(FrameConditions frames, GlobalConditions global) {

  /** Kinds of condition that are dropped, and guided, independently. */
  public enum Group {
    /** Place in the bar and beat, tempo. */
    RHYTHM,
    /** Chord, next chord and key. */
    HARMONY,
    /** Section and energy. */
    FORM,
    /** Tags and artist. */
    TAGS,
    /** Free text. */
    TEXT,
    /** Embedding of a reference. */
    STYLE,
    /** The melody's pitch class in each beat; only models that learned with melodies have it. */
    MELODY
  }
}
