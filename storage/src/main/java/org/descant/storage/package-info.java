/**
 * Blobs by content: what went in under a hash comes out under that hash, or not at all.
 *
 * <pre>
 *   put(bytes) -> incoming/&lt;random&gt;.tmp -> fsync -> rename -> sha256/ab/cdef...  -> BlobId "sha256:abcdef..."
 * </pre>
 *
 * <p>A store is a local folder or a bucket of S3, Google Cloud Storage or Azure with a local cache
 * in front ({@link org.descant.storage.BlobStores} opens either by address). This is the only
 * module that sees OpenDAL.
 *
 * <p>What must always hold: a name that {@link org.descant.storage.BlobStore#contains} knows has
 * all of its bytes, also after a killed process or a cut of power; putting the same bytes twice
 * keeps one copy; a blob is never changed. What it refuses: to begin a write for which the disk has
 * no room ({@link org.descant.storage.DiskSpace}), to answer for a name it does not hold, and to
 * give back bytes that {@link org.descant.storage.BlobStore#verify} has found damaged.
 */
@NullMarked
package org.descant.storage;

import org.jspecify.annotations.NullMarked;
