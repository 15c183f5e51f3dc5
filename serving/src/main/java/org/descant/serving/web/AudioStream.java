package org.descant.serving.web;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import org.descant.audio.Pcm;
import org.descant.serving.ServingException;

/**
 * A clip on its way: 16-bit WAV bytes that grow while the engine works, readable from the start by
 * any number of listeners. The length is known beforehand, so the header is right from the first
 * byte. Thread-safe: one writer, many listeners, none of whom the writer waits for.
 */
final class AudioStream {
  private static final int HEADER_BYTES = 44;
  private static final double FULL_SCALE = 1 << 15;

  private final int sampleRate;
  private final int channels;
  private final byte[] bytes;
  private int size; // guarded by this; bytes before it never change again
  private boolean ended; // guarded by this

  AudioStream(int sampleRate, int channels, long frames) {
    this.sampleRate = sampleRate;
    this.channels = channels;
    int data = Math.toIntExact(frames * channels * 2);
    this.bytes = new byte[HEADER_BYTES + data];
    ByteBuffer header = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    header.put("RIFF".getBytes(StandardCharsets.US_ASCII)).putInt(36 + data);
    header.put("WAVEfmt ".getBytes(StandardCharsets.US_ASCII)).putInt(16);
    header.putShort((short) 1).putShort((short) channels).putInt(sampleRate);
    header.putInt(sampleRate * channels * 2).putShort((short) (channels * 2)).putShort((short) 16);
    header.put("data".getBytes(StandardCharsets.US_ASCII)).putInt(data);
    this.size = HEADER_BYTES;
  }

  /** Bytes of the whole clip. */
  int bytesTotal() {
    return bytes.length;
  }

  /** Adds samples, by the same rounding as the finished file's. */
  void add(Pcm chunk) {
    if (chunk.sampleRate() != sampleRate || chunk.channelCount() > channels) {
      throw new ServingException(
          "A stream of %d channels at %d Hz cannot take %d channels at %d Hz."
              .formatted(channels, sampleRate, chunk.channelCount(), chunk.sampleRate()));
    }
    ByteBuffer data =
        ByteBuffer.allocate(chunk.frames() * channels * 2).order(ByteOrder.LITTLE_ENDIAN);
    for (int frame = 0; frame < chunk.frames(); frame++) {
      for (int channel = 0; channel < channels; channel++) {
        float sample = chunk.channel(Math.min(channel, chunk.channelCount() - 1))[frame];
        data.putShort(
            (short) Math.clamp(Math.round(sample * FULL_SCALE), Short.MIN_VALUE, Short.MAX_VALUE));
      }
    }
    synchronized (this) {
      int count = Math.min(bytes.length - size, data.capacity());
      System.arraycopy(data.array(), 0, bytes, size, count);
      size += count;
      notifyAll();
    }
  }

  synchronized void end() {
    ended = true;
    notifyAll();
  }

  /** How many bytes there are, once there are more than {@code known} or no more will come. */
  private synchronized int grown(long known) throws InterruptedException {
    while (!ended && size <= known) {
      wait();
    }
    return size;
  }

  /**
   * Sends the clip, or the range that was asked for, as it grows. When the generation failed
   * half-way the connection is cut, so that no player takes a part for the whole.
   */
  void stream(Router.Exchange exchange) throws IOException, InterruptedException {
    exchange.setHeader("Cache-Control", "no-store");
    ByteRange range = exchange.begin("audio/wav", bytes.length);
    if (exchange.isHead()) {
      return;
    }
    int at = (int) range.from();
    OutputStream out = exchange.slowOut();
    while (at <= range.to()) {
      int until = (int) Math.min(grown(at), range.to() + 1);
      if (until <= at) {
        throw new IOException("the generation ended after " + at + " of " + bytes.length);
      }
      out.write(bytes, at, until - at);
      out.flush();
      at = until;
    }
    out.close(); // only now: closing a part would say that it is the whole
  }
}
