package org.descant.cli.platform;

import java.io.PrintStream;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/** Where a command writes: results on stdout (text or one JSON document), progress on stderr. */
public final class Output {
  private static final ObjectMapper JSON =
      JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();

  private final boolean json;
  private final PrintStream results = System.out;
  private final PrintStream progress = System.err;

  public Output(boolean json) {
    this.json = json;
  }

  /** A line for people; goes to stderr when stdout carries a JSON document. */
  public void say(String format, Object... values) {
    String line = values.length == 0 ? format : String.format(format, values);
    (json ? progress : results).println(line);
  }

  /** A line of progress. */
  public void progress(String line) {
    progress.println(line);
  }

  /** The one JSON document, when it was asked for, to the byte: text that ends its last line. */
  public void verbatim(String exact) {
    if (json) {
      results.print(exact);
    }
  }

  /** The one JSON document, when it was asked for. */
  public void document(Object value) {
    if (json) {
      results.println(JSON.writeValueAsString(value));
    }
  }
}
