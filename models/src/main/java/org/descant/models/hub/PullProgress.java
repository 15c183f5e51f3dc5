package org.descant.models.hub;

import java.time.Duration;
import java.util.Locale;
import java.util.Optional;

/**
 * How far a pull is.
 *
 * @param path the file that is coming
 * @param done bytes of the model that are here, of this pull or an earlier one
 * @param total bytes of the model; 0 when the hub did not say
 * @param bytesPerSecond over the last seconds; 0 before it can be said
 */
public record PullProgress(String path, long done, long total, double bytesPerSecond) {

  /** Time left at this rate. */
  public Optional<Duration> left() {
    return bytesPerSecond > 0 && total >= done
        ? Optional.of(Duration.ofMillis(Math.round((total - done) * 1e3 / bytesPerSecond)))
        : Optional.empty();
  }

  /** One line for a terminal. */
  public String line() {
    String line =
        "  %s of %s".formatted(Text.bytes(done), total > 0 ? Text.bytes(total) : "unknown size");
    if (bytesPerSecond > 0) {
      line += ", %s/s".formatted(Text.bytes(Math.round(bytesPerSecond)));
    }
    line +=
        left()
            .map(time -> ", %d:%02d left".formatted(time.toMinutes(), time.toSecondsPart()))
            .orElse("");
    return String.format(Locale.ROOT, "%s  %s", line, path);
  }
}
