package org.descant.training.stage;

import java.util.Arrays;
import org.descant.models.codec.CodecLatents;
import org.descant.shards.FieldFile;

/** Latents of one sound, wherever they lie. Safe for many threads. */
public sealed interface Latents {
  int frames();

  /** Those of the frames {@code from} to before {@code to}. */
  CodecLatents between(int from, int to);

  /** In memory. */
  record Held(CodecLatents latents) implements Latents {
    @Override
    public int frames() {
      return latents.frames();
    }

    @Override
    public CodecLatents between(int from, int to) {
      int size = latents.size();
      return new CodecLatents(Arrays.copyOfRange(latents.rows(), from * size, to * size), size);
    }
  }

  /**
   * In a field whose rows are frames; only what is asked for is read, and nothing once the
   * recording is withdrawn or the field is closed.
   *
   * @param recording index in the dataset
   * @param first row of the first frame
   */
  record Mapped(FieldFile field, int recording, long first, int frames) implements Latents {
    @Override
    public CodecLatents between(int from, int to) {
      return new CodecLatents(
          field.floats(recording, first + from, to - from), field.spec().width());
    }
  }
}
