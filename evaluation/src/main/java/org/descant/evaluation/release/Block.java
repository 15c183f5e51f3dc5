package org.descant.evaluation.release;

import java.util.List;

/** A piece of what a release tells people; {@link Markdown} and {@link Html} write it. */
sealed interface Block {
  record Heading(String text) implements Block {}

  record Paragraph(String text) implements Block {}

  record Bullets(List<String> lines) implements Block {}

  /** A command or another text to be copied. */
  record Code(String text) implements Block {}

  /** The first row is the head. */
  record Table(List<List<String>> rows) implements Block {}

  /** A picture of the folder. */
  record Picture(String file, String description) implements Block {}

  /** A sound of the folder, under its label, with a note. */
  record Sound(String file, String label, String note) implements Block {}
}
