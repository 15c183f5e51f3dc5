package org.descant.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * A measuring process in another language that takes turns with us: one request a line, one JSON
 * line back, so that both are measured in the same minutes. Belongs to one thread.
 */
final class Peer implements AutoCloseable {
  private static final JsonMapper JSON = new JsonMapper();

  private final Process process;
  private final Writer requests;
  private final BufferedReader answers;

  /** Starts {@code python script}, with its errors on ours. */
  Peer(String python, String script, int threads) {
    var builder = new ProcessBuilder(python, script).redirectError(ProcessBuilder.Redirect.INHERIT);
    builder.environment().put("OMP_NUM_THREADS", Integer.toString(threads));
    try {
      process = builder.start();
    } catch (IOException e) {
      throw new UncheckedIOException(
          python + " cannot be started; name a Python that has torch with --peer", e);
    }
    requests = process.outputWriter(StandardCharsets.UTF_8);
    answers = process.inputReader(StandardCharsets.UTF_8);
  }

  private JsonNode ask(String request) {
    try {
      requests.write(request + "\n");
      requests.flush();
      String line = answers.readLine();
      if (line == null) {
        throw new IllegalStateException(
            "the peer ended at '" + request + "'; its own words are above");
      }
      return JSON.readTree(line);
    } catch (IOException e) {
      throw new UncheckedIOException("the peer does not answer '" + request + "'", e);
    }
  }

  /** The version of its library. */
  String version() {
    return ask("modes").path("torch").asString("?");
  }

  /** The ways it can run a step here. */
  List<String> modes() {
    var modes = new ArrayList<String>();
    for (JsonNode mode : ask("modes").path("modes")) {
      modes.add(mode.asString());
    }
    return modes;
  }

  /** Its best step within some seconds. */
  Best step(DecoderShape shape, String mode, int threads, double seconds) {
    JsonNode answer =
        ask(
            "step %s %s %d %s"
                .formatted(shape.name(), mode, threads, String.format(Locale.ROOT, "%f", seconds)));
    return new Best(
        Math.round(answer.path("wallMs").asDouble() * 1e6),
        Math.round(answer.path("cpuMs").asDouble() * 1e6),
        1);
  }

  /** Its fastest square product, FLOP/s. */
  double peak(String precision, int threads, double seconds) {
    return ask("peak %s %d %s"
            .formatted(precision, threads, String.format(Locale.ROOT, "%f", seconds)))
        .path("flops")
        .asDouble();
  }

  @Override
  public void close() {
    process.destroy();
  }
}
