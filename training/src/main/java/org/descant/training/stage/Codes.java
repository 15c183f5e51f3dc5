package org.descant.training.stage;

import java.util.Arrays;
import org.descant.shards.FieldFile;

/** Codes of one sound, wherever they lie. Safe for many threads. */
public sealed interface Codes {
  /** Frames. */
  int length();

  /** {@code [codebook][frame]} of the frames {@code from} to before {@code to}. */
  int[][] between(int from, int to);

  /**
   * In memory.
   *
   * @param rows {@code [codebook][frame]}
   */
  @SuppressWarnings("ArrayRecordComponent") // Plain numbers, made and read, never compared.
  record Held(int[][] rows) implements Codes {
    @Override
    public int length() {
      return rows[0].length;
    }

    @Override
    public int[][] between(int from, int to) {
      return Arrays.stream(rows)
          .map(book -> Arrays.copyOfRange(book, from, to))
          .toArray(int[][]::new);
    }
  }

  /**
   * In a field whose rows are frames; only what is asked for is read, and nothing once the
   * recording is withdrawn or the field is closed.
   *
   * @param field of all codebooks
   * @param recording index in the dataset
   * @param first row of the first frame
   * @param length frames
   * @param books the first of the codebooks, which are seen
   */
  record Mapped(FieldFile field, int recording, long first, int length, int books)
      implements Codes {
    @Override
    public int[][] between(int from, int to) {
      int[] rows = field.ints(recording, first + from, to - from);
      int width = field.spec().width();
      int[][] codes = new int[books][to - from];
      for (int t = 0; t < to - from; t++) {
        for (int k = 0; k < books; k++) {
          codes[k][t] = rows[t * width + k];
        }
      }
      return codes;
    }
  }

  /**
   * Codes as the rows of a field.
   *
   * @param parts one after the other, each {@code [codebook][frame]}
   */
  static int[] rows(Iterable<int[][]> parts) {
    int size = 0;
    for (int[][] part : parts) {
      size = Math.addExact(size, Math.multiplyExact(part.length, part[0].length));
    }
    int[] rows = new int[size];
    int at = 0;
    for (int[][] part : parts) {
      for (int t = 0; t < part[0].length; t++) {
        for (int[] book : part) {
          rows[at++] = book[t];
        }
      }
    }
    return rows;
  }
}
