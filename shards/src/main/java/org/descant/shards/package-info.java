/**
 * Training data on disk: packed sound with its rights beside every recording.
 *
 * <pre>
 * dataset/
 *   manifest.json             what is in it, what was left out and why, the root that names it
 *   shard-00000.dsc           packed PCM16 and a footer index with the rights of each record
 *   shard-00000.fields.jsonl  annotations, artist, tags and text, one line a record
 * </pre>
 *
 * <p>What always holds: only a {@link org.descant.rights.ClearedRecording} gets in, and only with
 * the very sound it was cleared for; a dataset's root is a pure function of content, the same in
 * every home; a dataset folder appears whole, by rename, or not at all; the order of samples is a
 * pure function of (seed, epoch, index).
 *
 * <p>What it refuses: a shard without its rights fields, a damaged footer, a manifest whose root
 * does not follow from its lines, the same sound twice.
 */
@NullMarked
package org.descant.shards;

import org.jspecify.annotations.NullMarked;
