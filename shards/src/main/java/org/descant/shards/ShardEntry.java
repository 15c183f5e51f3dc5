package org.descant.shards;

import java.util.regex.Pattern;

/**
 * One record of a shard, as its footer index holds it.
 *
 * @param offset of its first byte in the file
 * @param length in bytes; of packed PCM {@code frames * channels * 2}
 * @param packing how the sound lies there
 * @param frames of sound
 * @param rate frames a second
 * @param channels 1 or 2
 * @param isrc of the recording, compact
 * @param decisionId the decision that let it in
 * @param rulesHash hash of the agreements and choices that decided
 * @param pcmHash hash of the sound that was cleared ({@code Pcm.hash}, before packing)
 * @param sha256 of the packed bytes
 */
public record ShardEntry(
    long offset,
    long length,
    Packing packing,
    long frames,
    int rate,
    int channels,
    String isrc,
    String decisionId,
    String rulesHash,
    String pcmHash,
    String sha256) {
  static final int CHANNELS_MAX = 2;
  private static final Pattern HEX = Pattern.compile("[0-9a-f]{64}");

  public ShardEntry {
    requireRights(isrc, decisionId, rulesHash);
    require(HEX.matcher(pcmHash).matches(), "pcmHash");
    require(HEX.matcher(sha256).matches(), "sha256");
    if (channels < 1 || channels > CHANNELS_MAX || rate < 1) {
      throw new ShardException(
          "recording %s has %d channels at %d Hz; a shard holds 1 or 2 channels"
              .formatted(isrc, channels, rate));
    }
    boolean whole =
        switch (packing) {
          case PCM16 -> length == 2L * channels * frames;
          case FLAC -> length > 0 || frames == 0;
        };
    if (offset < 0 || length < 0 || frames < 0 || !whole) {
      throw new ShardException(
          "recording %s lies at %d with %d bytes, which are not %d frames"
              .formatted(isrc, offset, length, frames));
    }
  }

  /** Throws unless a record names its recording, the decision and the rules that let it in. */
  static void requireRights(String isrc, String decisionId, String rulesHash) {
    require(!isrc.isBlank(), "isrc");
    require(!decisionId.isBlank(), "decisionId");
    require(HEX.matcher(rulesHash).matches(), "rulesHash");
  }

  static void require(boolean holds, String field) {
    if (!holds) {
      throw new ShardException(
          "a record lacks its rights field '%s'; build the dataset again".formatted(field));
    }
  }
}
