package org.descant.models.hub;

/** Hears a pull happen, on the pulling thread. */
public interface PullListener {
  /** Something is waited for: another pull of the same model, a hub that asked for a pause. */
  void waiting(String sentence);

  /**
   * A file is complete.
   *
   * @param bytesFetched what came over the wire for it; 0 when it was there already
   */
  void file(String path, long bytes, long bytesFetched);

  /** Some more bytes; at most about once a second. */
  void progress(PullProgress progress);

  /** Hears nothing. */
  static PullListener silent() {
    return new PullListener() {
      @Override
      public void waiting(String sentence) {}

      @Override
      public void file(String path, long bytes, long bytesFetched) {}

      @Override
      public void progress(PullProgress progress) {}
    };
  }
}
