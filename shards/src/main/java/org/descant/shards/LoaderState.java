package org.descant.shards;

import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.zip.CRC32;

/**
 * Everything that a loader must remember to go on exactly where it was: {@value #BYTES} bytes,
 * however large the dataset is, for all workers together.
 *
 * @param seed of the order
 * @param epoch which pass over the samples, from 0
 * @param place in this epoch's order with nothing withdrawn, from 0
 * @param samples of the plan, the withdrawn too
 * @param clipFrames length of a clip
 * @param tombstones withdrawals that were known
 * @param root of the dataset
 */
public record LoaderState(
    long seed, long epoch, long place, long samples, int clipFrames, int tombstones, String root) {
  /** Size of {@link #toBytes}. */
  public static final int BYTES = 4 + 4 * 8 + 2 * 4 + 32 + 4;

  private static final int MAGIC = 0x44534C31; // "DSL1"

  public LoaderState {
    if (epoch < 0
        || samples < 1
        || place < 0
        || place > samples
        || clipFrames < 1
        || tombstones < 0
        || root.length() != 64) {
      throw new ShardException(
          "a loader cannot be at place %d of %d in epoch %d of dataset '%s' with clips of %d frames"
              .formatted(place, samples, epoch, root, clipFrames));
    }
  }

  /** Big-endian, with a CRC-32 at the end. */
  public byte[] toBytes() {
    ByteBuffer out =
        ByteBuffer.allocate(BYTES)
            .putInt(MAGIC)
            .putLong(seed)
            .putLong(epoch)
            .putLong(place)
            .putLong(samples)
            .putInt(clipFrames)
            .putInt(tombstones)
            .put(HexFormat.of().parseHex(root));
    return out.putInt(checksum(out.array())).array();
  }

  /**
   * Reads what {@link #toBytes} wrote.
   *
   * @throws ShardException when the bytes are not whole
   */
  public static LoaderState fromBytes(byte[] bytes) {
    if (bytes.length != BYTES || ByteBuffer.wrap(bytes).getInt(BYTES - 4) != checksum(bytes)) {
      throw new ShardException(
          "the loader's state is damaged (%d bytes); resume from an older checkpoint"
              .formatted(bytes.length));
    }
    ByteBuffer in = ByteBuffer.wrap(bytes);
    if (in.getInt() != MAGIC) {
      throw new ShardException("the loader's state is of another version; start a new run");
    }
    byte[] root = new byte[32];
    long seed = in.getLong();
    long epoch = in.getLong();
    long place = in.getLong();
    long samples = in.getLong();
    int clipFrames = in.getInt();
    int tombstones = in.getInt();
    in.get(root);
    return new LoaderState(
        seed, epoch, place, samples, clipFrames, tombstones, HexFormat.of().formatHex(root));
  }

  private static int checksum(byte[] bytes) {
    var crc = new CRC32();
    crc.update(bytes, 0, BYTES - 4);
    return (int) crc.getValue();
  }
}
