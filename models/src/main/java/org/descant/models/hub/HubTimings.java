package org.descant.models.hub;

import java.time.Duration;

/**
 * How long a pull waits, and how often it tries.
 *
 * @param connect for a connection
 * @param answer for the first line of an answer
 * @param window over which a body must bring {@code windowBytesMin}, or the try is given up
 * @param windowBytesMin fewer in a window is a trickle
 * @param triesInARowMax tries that bring no new byte
 * @param triesMax tries of one file or listing altogether
 * @param pauseFirst before the second try; doubles with each further one
 * @param pauseMax longest pause of our own choice
 * @param retryAfterMax a hub that asks for a longer pause is not waited for
 * @param lockWaitMax for another process that pulls the same model
 */
public record HubTimings(
    Duration connect,
    Duration answer,
    Duration window,
    long windowBytesMin,
    int triesInARowMax,
    int triesMax,
    Duration pauseFirst,
    Duration pauseMax,
    Duration retryAfterMax,
    Duration lockWaitMax) {

  /** For a hub far away over a line that may be slow: 0.5 kB/s is the least. */
  public static HubTimings usual() {
    return new HubTimings(
        Duration.ofSeconds(20),
        Duration.ofSeconds(60),
        Duration.ofSeconds(30),
        16 << 10,
        6,
        200,
        Duration.ofSeconds(1),
        Duration.ofSeconds(30),
        Duration.ofMinutes(5),
        Duration.ofHours(1));
  }
}
