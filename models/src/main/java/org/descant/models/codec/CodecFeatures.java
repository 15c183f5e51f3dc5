package org.descant.models.codec;

import org.descant.models.phase.Stft;
import org.descant.tensor.DType;
import org.descant.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * What the codec's network sees and makes of a latent frame: the log magnitudes of two STFT frames
 * of the mid signal, then the {@link StereoImage}.
 *
 * <p>Frames of 2048 samples every 512, Hann window; a full-scale sine is 0 dB; the floor is −90 dB.
 * A row is scaled for the network: {@code (dB + 45) / 25}, stereo numbers as they are. Not
 * thread-safe.
 */
final class CodecFeatures {
  static final int FFT = 2048;
  static final int HOP = 512;
  static final int BINS = FFT / 2 + 1;
  static final int STFT_FRAMES = 2;
  static final int SAMPLES = STFT_FRAMES * HOP;
  static final int SAMPLE_RATE = 44100;
  static final float FLOOR_DB = -90;
  static final float CENTRE_DB = -45;
  static final float SCALE_DB = 25;

  /** Magnitude of a full-scale sine: half the sum of the window. */
  static final float FULL_SCALE = FFT / 4f;

  private static final double LN_PER_DB = StrictMath.log(10) / 20;

  /** Log magnitudes down to here are silence when decoding: the floor and half a decibel. */
  static final float LN_SILENCE =
      (float) ((FLOOR_DB + 0.5) * LN_PER_DB + StrictMath.log(FULL_SCALE));

  /** What a decoder's louder numbers are taken for. */
  private static final float TOP_DB = 20;

  private static final int CHUNK = 64; // latent frames transformed at a time

  private final Stft stft = new Stft(FFT, HOP);
  private final @Nullable StereoImage image;
  private final int size;

  CodecFeatures(int stereoBands) {
    this.image = stereoBands == 0 ? null : new StereoImage(stereoBands, FFT, SAMPLE_RATE);
    this.size = size(stereoBands);
  }

  /** Numbers per latent frame. */
  static int size(int stereoBands) {
    return STFT_FRAMES * BINS + 2 * stereoBands;
  }

  /** Latent frames that cover this many samples. */
  static int frames(int samples) {
    return (samples + SAMPLES - 1) / SAMPLES;
  }

  /** The mean of one or two channels. */
  static float[] mid(float[][] channels) {
    if (channels.length == 1) {
      return channels[0];
    }
    float[] mid = new float[channels[0].length];
    for (int i = 0; i < mid.length; i++) {
      mid[i] = 0.5f * (channels[0][i] + channels[1][i]);
    }
    return mid;
  }

  /** Rows of one or two channels: {@code frames(samples) * size} numbers. */
  float[] of(float[][] channels) {
    int samples = channels[0].length;
    int frames = frames(samples);
    float[] mid = mid(channels);
    float[] side = null;
    if (channels.length == 2 && image != null) {
      side = new float[samples];
      for (int i = 0; i < samples; i++) {
        side[i] = 0.5f * (channels[0][i] - channels[1][i]);
      }
    }
    float[] rows = new float[frames * size];
    float[] midRe = new float[CHUNK * STFT_FRAMES * BINS];
    float[] midIm = new float[midRe.length];
    float[] sideRe = new float[side == null ? 0 : midRe.length];
    float[] sideIm = new float[sideRe.length];
    for (int from = 0; from < frames; from += CHUNK) {
      int count = Math.min(CHUNK, frames - from);
      for (int t = 0; t < count * STFT_FRAMES; t++) {
        int start = (from * STFT_FRAMES + t) * HOP - FFT / 2;
        stft.frame(mid, start, midRe, midIm, t * BINS);
        if (side != null) {
          stft.frame(side, start, sideRe, sideIm, t * BINS);
        }
      }
      for (int l = 0; l < count; l++) {
        int out = (from + l) * size;
        int in = l * STFT_FRAMES * BINS;
        for (int i = 0; i < STFT_FRAMES * BINS; i++) {
          float power = midRe[in + i] * midRe[in + i] + midIm[in + i] * midIm[in + i];
          rows[out + i] = scaled(power);
        }
        if (image != null && side != null) {
          image.measure(
              midRe,
              midIm,
              sideRe,
              sideIm,
              l * STFT_FRAMES,
              STFT_FRAMES,
              rows,
              out + STFT_FRAMES * BINS);
        }
      }
    }
    return rows;
  }

  private static float scaled(float power) {
    float db = (float) (10 / Math.log(10) * Math.log(power + 1e-20f)) - FULL_SCALE_DB;
    return (Math.max(db, FLOOR_DB) - CENTRE_DB) / SCALE_DB;
  }

  private static final float FULL_SCALE_DB = (float) (20 * StrictMath.log10(FULL_SCALE));

  private static final float LN_SCALE = (float) (SCALE_DB * LN_PER_DB);
  private static final float LN_CENTRE =
      (float) (CENTRE_DB * LN_PER_DB + StrictMath.log(FULL_SCALE));
  private static final float LN_TOP = (float) (TOP_DB * LN_PER_DB + StrictMath.log(FULL_SCALE));

  /** Turns a network's numbers into natural log magnitudes, in place. */
  static void toLogMagnitudes(float[] scaled) {
    for (int i = 0; i < scaled.length; i++) {
      scaled[i] = Math.min(LN_TOP, Math.max(LN_SILENCE, scaled[i] * LN_SCALE + LN_CENTRE));
    }
  }

  /**
   * The waveform that a decoder makes of magnitudes and phases, with gradients: [batch, frames ·
   * HOP] samples of [batch, frames, BINS] numbers of the network's scale and angles in radians. The
   * inverse STFT of {@link org.descant.models.phase.OverlapAdd}; silence is as silent.
   */
  static Tensor sound(Tensor scaledBTM, Tensor anglesBTM) {
    Tensor ln = scaledBTM.mul(LN_SCALE).add(LN_CENTRE).clampMax(LN_TOP);
    Tensor magnitudes = ln.exp().mul(ln.gt(LN_SILENCE).to(DType.F32));
    return magnitudes
        .polar(anglesBTM)
        .transpose(1, 2)
        .istft(Tensor.hannWindow(FFT), HOP, scaledBTM.size(1) * HOP);
  }
}
