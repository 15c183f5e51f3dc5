package org.descant.models.lm;

import java.util.Arrays;

/**
 * The delay pattern of MusicGen (Copet et al. 2023): codebook {@code k} of frame {@code t} is
 * predicted at step {@code t + k}, so that within a frame each codebook sees the coarser ones.
 * Cells outside the frames hold a special token.
 */
final class DelayPattern {
  private DelayPattern() {}

  /** Steps for {@code frames} frames. */
  static int steps(int frames, int codebooks) {
    return frames + codebooks - 1;
  }

  /** Codes {@code [codebook][frame]} as tokens {@code [codebook][step]}. */
  static int[][] delay(int[][] codes, int special) {
    int frames = codes[0].length;
    int[][] tokens = new int[codes.length][steps(frames, codes.length)];
    for (int k = 0; k < codes.length; k++) {
      Arrays.fill(tokens[k], special);
      System.arraycopy(codes[k], 0, tokens[k], k, frames);
    }
    return tokens;
  }

  /** Inverse of {@link #delay}. */
  static int[][] undelay(int[][] tokens) {
    int frames = tokens[0].length - tokens.length + 1;
    int[][] codes = new int[tokens.length][];
    for (int k = 0; k < tokens.length; k++) {
      codes[k] = Arrays.copyOfRange(tokens[k], k, k + frames);
    }
    return codes;
  }
}
