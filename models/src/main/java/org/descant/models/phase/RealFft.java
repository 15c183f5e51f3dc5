package org.descant.models.phase;

import org.descant.models.ModelException;

/**
 * Discrete Fourier transform of one real sequence whose length is a power of two; for many frames
 * at once see {@link RowFft}.
 *
 * <p>Stockham's self-sorting radix-4 transform (with one radix-2 pass for odd powers) of half the
 * length on even and odd samples as real and imaginary parts. Tables are computed once; an instance
 * holds scratch memory and serves one thread at a time.
 */
final class RealFft {
  private final int size;
  private final int half;
  private final float[] cosine;
  private final float[] sine;
  private float[] xr;
  private float[] xi;
  private float[] yr;
  private float[] yi;

  RealFft(int size) {
    if (size < 4 || Integer.bitCount(size) != 1) {
      throw new ModelException("A Fourier transform needs a power of two from 4 on, was " + size);
    }
    this.size = size;
    this.half = size / 2;
    this.cosine = new float[size];
    this.sine = new float[size];
    for (int i = 0; i < size; i++) {
      cosine[i] = (float) StrictMath.cos(2 * Math.PI * i / size);
      sine[i] = (float) StrictMath.sin(2 * Math.PI * i / size);
    }
    this.xr = new float[half];
    this.xi = new float[half];
    this.yr = new float[half];
    this.yi = new float[half];
  }

  /** Writes bins {@code 0 .. size/2} of the transform of {@code signal} from {@code offset} on. */
  void forward(float[] signal, int signalOffset, float[] re, float[] im, int offset) {
    for (int i = 0; i < half; i++) {
      xr[i] = signal[signalOffset + 2 * i];
      xi[i] = signal[signalOffset + 2 * i + 1];
    }
    complex();
    re[offset] = xr[0] + xi[0];
    im[offset] = 0;
    re[offset + half] = xr[0] - xi[0];
    im[offset + half] = 0;
    for (int k = 1; k < half; k++) {
      float ar = xr[k];
      float ai = xi[k];
      float br = xr[half - k];
      float bi = -xi[half - k];
      float er = 0.5f * (ar + br);
      float ei = 0.5f * (ai + bi);
      // odd part divided by i, turned by exp(-2 pi i k / size)
      float or = 0.5f * (ai - bi);
      float oi = -0.5f * (ar - br);
      float c = cosine[k];
      float s = -sine[k];
      re[offset + k] = er + or * c - oi * s;
      im[offset + k] = ei + or * s + oi * c;
    }
  }

  /** Forward complex transform of (xr, xi) in place (the buffers change roles). */
  private void complex() {
    int n = half;
    int stride = 1;
    while (n > 1) {
      if (n % 4 == 0) {
        radix4(n, stride);
        n /= 4;
        stride *= 4;
      } else {
        radix2(n, stride);
        n /= 2;
        stride *= 2;
      }
      float[] r = xr;
      float[] i = xi;
      xr = yr;
      xi = yi;
      yr = r;
      yi = i;
    }
  }

  private void radix4(int n, int stride) {
    int quarter = n / 4;
    int turn = size / n;
    for (int p = 0; p < quarter; p++) {
      float c1 = cosine[p * turn];
      float s1 = -sine[p * turn];
      float c2 = cosine[2 * p * turn];
      float s2 = -sine[2 * p * turn];
      float c3 = cosine[3 * p * turn];
      float s3 = -sine[3 * p * turn];
      butterflies4(stride, stride * p, stride * quarter, 4 * stride * p, c1, s1, c2, s2, c3, s3);
    }
  }

  private void butterflies4(
      int stride,
      int in,
      int step,
      int out,
      float c1,
      float s1,
      float c2,
      float s2,
      float c3,
      float s3) {
    float[] ir = xr;
    float[] ii = xi;
    float[] or = yr;
    float[] oi = yi;
    for (int q = 0; q < stride; q++) {
      float ar = ir[in + q];
      float ai = ii[in + q];
      float br = ir[in + step + q];
      float bi = ii[in + step + q];
      float cr = ir[in + 2 * step + q];
      float ci = ii[in + 2 * step + q];
      float dr = ir[in + 3 * step + q];
      float di = ii[in + 3 * step + q];
      float apcr = ar + cr;
      float apci = ai + ci;
      float amcr = ar - cr;
      float amci = ai - ci;
      float bpdr = br + dr;
      float bpdi = bi + di;
      float jr = di - bi; // i * (b - d)
      float ji = br - dr;
      or[out + q] = apcr + bpdr;
      oi[out + q] = apci + bpdi;
      float t1r = amcr - jr;
      float t1i = amci - ji;
      or[out + stride + q] = t1r * c1 - t1i * s1;
      oi[out + stride + q] = t1r * s1 + t1i * c1;
      float t2r = apcr - bpdr;
      float t2i = apci - bpdi;
      or[out + 2 * stride + q] = t2r * c2 - t2i * s2;
      oi[out + 2 * stride + q] = t2r * s2 + t2i * c2;
      float t3r = amcr + jr;
      float t3i = amci + ji;
      or[out + 3 * stride + q] = t3r * c3 - t3i * s3;
      oi[out + 3 * stride + q] = t3r * s3 + t3i * c3;
    }
  }

  private void radix2(int n, int stride) {
    int pairs = n / 2;
    int turn = size / n;
    for (int p = 0; p < pairs; p++) {
      float c = cosine[p * turn];
      float s = -sine[p * turn];
      for (int q = 0; q < stride; q++) {
        int a = q + stride * p;
        int b = q + stride * (p + pairs);
        float sr = xr[a] - xr[b];
        float si = xi[a] - xi[b];
        yr[q + stride * 2 * p] = xr[a] + xr[b];
        yi[q + stride * 2 * p] = xi[a] + xi[b];
        yr[q + stride * (2 * p + 1)] = sr * c - si * s;
        yi[q + stride * (2 * p + 1)] = sr * s + si * c;
      }
    }
  }
}
