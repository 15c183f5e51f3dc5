package org.descant.serving.web;

import java.util.List;
import java.util.Map;
import org.descant.audio.Pcm;
import org.descant.ledger.Usage;
import org.descant.serving.Clip;
import org.descant.serving.Clip.CreditLine;
import org.descant.serving.Clip.TransferLine;
import org.descant.serving.Delivery;

/** A generation that listeners can hear and watch while it is made. */
final class LiveGeneration implements Delivery.Listener {
  private static final int SAMPLE_RATE = 44_100;
  private static final int CHANNELS = 2;

  private final Events events = new Events();
  private final AudioStream audio;
  private double heardSeconds;

  LiveGeneration(double seconds) {
    this.audio = new AudioStream(SAMPLE_RATE, CHANNELS, Math.round(seconds * SAMPLE_RATE));
  }

  Events events() {
    return events;
  }

  AudioStream audio() {
    return audio;
  }

  @Override
  public void chunk(Pcm samples) {
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

  void done(Clip clip) {
    end(
        "done",
        Map.of(
            "clip", clip.id(),
            "wav", Api.address(clip, "/wav"),
            "flac", Api.address(clip, "/flac"),
            "copiedSeconds", clip.copied().seconds()));
  }

  void failed(Throwable failure) {
    end("failed", Map.of("problem", Router.fault(failure)));
  }

  private void end(String name, Object value) {
    audio.end();
    try {
      events.add(name, value);
    } finally {
      events.end();
    }
  }
}
