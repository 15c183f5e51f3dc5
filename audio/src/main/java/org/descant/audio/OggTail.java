package org.descant.audio;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;

/** Whether an Ogg file ends with its end-of-stream page (RFC 3533), whole. */
final class OggTail {
  private static final int PAGE_HEADER_BYTES = 27;
  private static final int PAGE_BYTES_MAX = PAGE_HEADER_BYTES + 255 + 255 * 255;
  private static final int END_OF_STREAM = 4;

  /** Tags that some writers leave behind the last page fit in twice the largest page. */
  private static final int TAIL_BYTES = 2 * PAGE_BYTES_MAX;

  private OggTail() {}

  /**
   * Looks for the last page.
   *
   * @throws AudioException if no complete end-of-stream page lies in the last bytes of the file
   */
  static void verify(Path file) {
    ByteBuffer tail = ByteBuffer.allocate(TAIL_BYTES);
    try (FileChannel channel = FileChannel.open(file)) {
      long start = Math.max(0, channel.size() - TAIL_BYTES);
      while (tail.hasRemaining() && channel.read(tail, start + tail.position()) >= 0) {}
    } catch (IOException e) {
      throw new AudioException(
          "%s cannot be read (%s): check the disk.".formatted(file, e.getMessage()), e);
    }
    tail.flip();
    for (int at = tail.limit() - PAGE_HEADER_BYTES; at >= 0; at--) {
      if (isLastPage(tail, at)) {
        return;
      }
    }
    throw new AudioException(
        "%s is truncated: its last Ogg page is missing; deliver the whole file again."
            .formatted(file));
  }

  private static boolean isLastPage(ByteBuffer bytes, int at) {
    if (bytes.getInt(at) != 0x4F676753 || (bytes.get(at + 5) & END_OF_STREAM) == 0) { // "OggS"
      return false;
    }
    int segments = Byte.toUnsignedInt(bytes.get(at + PAGE_HEADER_BYTES - 1));
    int end = at + PAGE_HEADER_BYTES + segments;
    for (int i = at + PAGE_HEADER_BYTES; i < at + PAGE_HEADER_BYTES + segments; i++) {
      if (i >= bytes.limit()) {
        return false;
      }
      end += Byte.toUnsignedInt(bytes.get(i));
    }
    return end <= bytes.limit();
  }
}
