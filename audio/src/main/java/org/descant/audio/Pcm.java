package org.descant.audio;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;

/**
 * Samples in planar form: {@code channels[channel][frame]}, full scale ±1, at {@code sampleRate}
 * frames a second. The arrays are not copied: whoever makes a {@code Pcm} hands them over, and
 * nobody changes them afterwards. Under that rule it is safe for many threads.
 *
 * @param channels one array a channel, all of one length, at least one channel
 * @param sampleRate frames a second, 1 to {@value #SAMPLE_RATE_MAX}
 */
@SuppressWarnings("ArrayRecordComponent") // A list of samples would cost 16 bytes for each.
public record Pcm(float[][] channels, int sampleRate) {

  /** The highest sample rate that any part of the house accepts, in Hz. */
  public static final int SAMPLE_RATE_MAX = 768_000;

  private static final double HASH_SCALE = 1 << 23;
  private static final int HASH_BLOCK_FRAMES = 8192;

  public Pcm {
    if (channels.length == 0) {
      throw new AudioException("A sound needs at least one channel, was given none.");
    }
    if (sampleRate < 1 || sampleRate > SAMPLE_RATE_MAX) {
      throw new AudioException(
          "A sample rate must be 1 to %d Hz, was %d.".formatted(SAMPLE_RATE_MAX, sampleRate));
    }
    for (float[] channel : channels) {
      if (channel.length != channels[0].length) {
        throw new AudioException(
            "All channels must have one length, were %d and %d frames."
                .formatted(channels[0].length, channel.length));
      }
    }
  }

  /** One channel of sound. */
  public static Pcm ofMono(float[] samples, int sampleRate) {
    return new Pcm(new float[][] {samples}, sampleRate);
  }

  public int channelCount() {
    return channels.length;
  }

  public int frames() {
    return channels[0].length;
  }

  public double seconds() {
    return frames() / (double) sampleRate;
  }

  /** The samples of one channel: the array itself, not a copy. */
  public float[] channel(int index) {
    return channels[index];
  }

  /** The mean of all channels; of a mono sound, itself. */
  public Pcm mono() {
    if (channels.length == 1) {
      return this;
    }
    float[] sum = new float[frames()];
    for (float[] channel : channels) {
      for (int i = 0; i < sum.length; i++) {
        sum[i] += channel[i];
      }
    }
    float scale = 1f / channels.length;
    for (int i = 0; i < sum.length; i++) {
      sum[i] *= scale;
    }
    return ofMono(sum, sampleRate);
  }

  /**
   * This sound with {@code count} channels: one is the mean of all, a mono sound is repeated.
   *
   * @throws AudioException if neither rule applies
   */
  public Pcm withChannels(int count) {
    if (count == channels.length) {
      return this;
    }
    if (count == 1) {
      return mono();
    }
    if (channels.length != 1 || count < 1) {
      throw new AudioException(
          "%d channels cannot become %d: ask for 1, or start from mono."
              .formatted(channels.length, count));
    }
    float[][] repeated = new float[count][];
    for (int c = 0; c < count; c++) {
      repeated[c] = channels[0].clone();
    }
    return new Pcm(repeated, sampleRate);
  }

  /**
   * A copy of the frames {@code from} (inclusive) to {@code to} (exclusive).
   *
   * @throws AudioException if {@code 0 <= from <= to <= frames()} does not hold
   */
  public Pcm slice(int from, int to) {
    if (from < 0 || from > to || to > frames()) {
      throw new AudioException(
          "Frames %d to %d do not lie in a sound of %d frames.".formatted(from, to, frames()));
    }
    float[][] part = new float[channels.length][];
    for (int c = 0; c < channels.length; c++) {
      part[c] = Arrays.copyOfRange(channels[c], from, to);
    }
    return new Pcm(part, sampleRate);
  }

  /**
   * A copy of the seconds {@code from} to {@code to}, cut to what the sound has.
   *
   * @throws AudioException if {@code from > to} or one of them is not a number
   */
  public Pcm sliceSeconds(double from, double to) {
    if (!(from <= to)) {
      throw new AudioException("A slice cannot run from second %s to %s.".formatted(from, to));
    }
    int start = (int) Math.clamp(Math.round(from * sampleRate), 0, frames());
    int end = (int) Math.clamp(Math.round(to * sampleRate), start, frames());
    return slice(start, end);
  }

  /**
   * This sound at another rate, by band-limited interpolation (see {@link Resampler}); the same
   * bits on every machine. The result has {@code ceil(frames * rate / sampleRate)} frames.
   *
   * @throws AudioException if the rate is not 1 to {@value #SAMPLE_RATE_MAX} Hz
   */
  public Pcm resampled(int rate) {
    if (rate == sampleRate) {
      return this;
    }
    if (rate < 1 || rate > SAMPLE_RATE_MAX) {
      throw new AudioException(
          "A sample rate must be 1 to %d Hz, was %d.".formatted(SAMPLE_RATE_MAX, rate));
    }
    Resampler resampler = new Resampler(sampleRate, rate);
    float[][] out = new float[channels.length][];
    for (int c = 0; c < channels.length; c++) {
      out[c] = resampler.apply(channels[c]);
    }
    return new Pcm(out, rate);
  }

  /** True if no sample is NaN or infinite. */
  public boolean isFinite() {
    for (float[] channel : channels) {
      for (float sample : channel) {
        if (!Float.isFinite(sample)) {
          return false;
        }
      }
    }
    return true;
  }

  /**
   * The name of these samples: lower-case hex SHA-256 over the ASCII line {@code pcm/1 <rate>
   * <channels> <frames>} and a line feed, then over {@code round(x * 2^23)} of every sample, frame
   * by frame, as int32 little-endian. Files of 16 and 24 bits keep it through every lossless
   * container. Samples that differ by less than half a 24-bit step share it.
   */
  public String hash() {
    MessageDigest digest = sha256();
    String head = "pcm/1 %d %d %d\n".formatted(sampleRate, channels.length, frames());
    digest.update(head.getBytes(StandardCharsets.US_ASCII));
    ByteBuffer block =
        ByteBuffer.allocate(HASH_BLOCK_FRAMES * channels.length * Integer.BYTES)
            .order(ByteOrder.LITTLE_ENDIAN);
    for (int frame = 0; frame < frames(); frame++) {
      for (float[] channel : channels) {
        block.putInt((int) Math.round(channel[frame] * HASH_SCALE));
      }
      if (!block.hasRemaining()) {
        digest.update(block.flip());
        block.clear();
      }
    }
    digest.update(block.flip());
    return HexFormat.of().formatHex(digest.digest());
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("Every Java platform has SHA-256.", e);
    }
  }

  /** Equal if rate and every sample are the same bits. */
  @Override
  public boolean equals(Object other) {
    return other instanceof Pcm pcm
        && pcm.sampleRate == sampleRate
        && Arrays.deepEquals(pcm.channels, channels);
  }

  @Override
  public int hashCode() {
    return 31 * Arrays.deepHashCode(channels) + sampleRate;
  }

  @Override
  public String toString() {
    return "Pcm[%d channels, %d frames, %d Hz]".formatted(channels.length, frames(), sampleRate);
  }
}
