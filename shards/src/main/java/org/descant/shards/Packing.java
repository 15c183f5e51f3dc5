package org.descant.shards;

/** How sound lies in a shard. */
public enum Packing {
  /** Interleaved signed 16-bit little-endian: the fastest to read. */
  PCM16,

  /**
   * A native FLAC stream of 16 bits with one seek point a frame (RFC 9639): about half the bytes,
   * the same samples.
   */
  FLAC
}
