package org.descant.serving.web;

import java.util.List;
import java.util.Map;
import org.descant.audio.Pcm;
import org.descant.ledger.Usage;
import org.descant.serving.Attempts;
import org.descant.serving.Clip;
import org.descant.serving.Clip.CreditLine;
import org.descant.serving.Clip.TransferLine;
import org.descant.serving.Delivery;
import org.descant.serving.RefusedException;
import org.jspecify.annotations.Nullable;

/**
 * A generation that can be watched while it is made, and heard when it is a stream; a finished clip
 * is heard when it is delivered.
 */
final class LiveGeneration implements Delivery.Listener, Attempts.Watcher {
  private static final int SAMPLE_RATE = 44_100;
  private static final int CHANNELS = 2;

  private final Events events = new Events();
  private final @Nullable AudioStream audio;
  private double heardSeconds;

  private LiveGeneration(@Nullable AudioStream audio) {
    this.audio = audio;
  }

  /** A stream of so many seconds. */
  static LiveGeneration stream(double seconds) {
    return new LiveGeneration(
        new AudioStream(SAMPLE_RATE, CHANNELS, Math.round(seconds * SAMPLE_RATE)));
  }

  /** A finished clip. */
  static LiveGeneration finished() {
    return new LiveGeneration(null);
  }

  Events events() {
    return events;
  }

  /** Null for a finished clip. */
  @Nullable AudioStream audio() {
    return audio;
  }

  int audioBytes() {
    return audio == null ? 0 : audio.bytesTotal();
  }

  @Override
  public void chunk(Pcm samples) {
    if (audio == null) {
      throw new IllegalStateException("sound of a clip that is not finished");
    }
    audio.add(samples);
    events.add(
        "chunk",
        Map.of(
            "fromSeconds", heardSeconds,
            "seconds", samples.seconds(),
            "peaks", Clip.peaks(samples)));
    heardSeconds += samples.seconds();
  }

  @Override
  public void credits(List<CreditLine> credits, boolean provisional) {
    events.add("credits", Map.of("provisional", provisional, "credits", credits));
  }

  @Override
  public void money(long totalMicros, List<TransferLine> transfers, boolean provisional) {
    events.add(
        "money",
        Map.of(
            "provisional", provisional,
            "currency", Usage.EUR,
            "total", totalMicros,
            "transfers", transfers));
  }

  @Override
  public void made(double seconds) {
    events.add("made", Map.of("seconds", seconds));
  }

  @Override
  public void again(RefusedException refused, long seed) {
    events.add("again", Map.of("seed", seed, "problem", Router.problem(refused)));
  }

  void done(Clip clip) {
    end(
        "done",
        Map.of(
            "clip", clip.id(),
            "seed", clip.seed(),
            "wav", Api.address(clip, "/wav"),
            "flac", Api.address(clip, "/flac"),
            "copiedSeconds", clip.copied().seconds()));
  }

  void failed(Throwable failure) {
    end("failed", Map.of("problem", Router.fault(failure)));
  }

  private void end(String name, Object value) {
    if (audio != null) {
      audio.end();
    }
    try {
      events.add(name, value);
    } finally {
      events.end();
    }
  }
}
