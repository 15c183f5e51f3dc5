package org.descant.storage;

import java.io.InputStream;
import java.nio.file.Path;

/**
 * Keeps bytes under the hash of their content. Implementations are safe for use by many threads and
 * by many processes at once. All methods throw {@link StorageException} with one sentence.
 */
public interface BlobStore {

  /** Copies a regular file into the store; the file itself stays as it is. */
  BlobId put(Path file);

  /** Reads the stream to its end into the store; does not close it. */
  BlobId put(InputStream bytes);

  /** The whole blob from its first byte; the caller closes the stream. */
  InputStream open(BlobId id);

  /**
   * {@code length} bytes from {@code offset}; the caller closes the stream. Asking beyond the end
   * of the blob is an error, so that a short answer is never mistaken for the whole.
   */
  InputStream open(BlobId id, long offset, long length);

  /** A local file that holds the blob; read only: changing it breaks the store. */
  Path localPath(BlobId id);

  boolean contains(BlobId id);

  long size(BlobId id);

  /** Reads the blob again and throws if its bytes no longer have the hash they are kept under. */
  void verify(BlobId id);
}
