/**
 * Training data on disk: packed sound with its rights beside every recording.
 *
 * <pre>
 * dataset/
 *   manifest.json             what is in it, what was left out and why, the root that names it
 *   shard-00000.dsc           sound as PCM16 or FLAC, and a footer index with each record's rights
 *   shard-00000.fields.jsonl  annotations, artist, tags and text, one line a record
 *   fields/NAME.dsf           what was made of the sound, such as codec tokens: named by what
 *                             made it, in the same order, with the same rights fields
 *   tombstones.jsonl          recordings that were withdrawn since, a chain that only grows
 * </pre>
 *
 * <p>{@link org.descant.shards.Loader} reads shuffled clips by a {@link
 * org.descant.shards.ClipPlan}: {@link org.descant.shards.SampleOrder} is the order, {@link
 * org.descant.shards.LiveOrder} leaves out what is withdrawn; the position is all that must be kept
 * to go on. {@link org.descant.shards.FieldWriter} makes fields, once for all runs that need the
 * same; {@link org.descant.shards.Removal} takes away what nobody reads.
 *
 * <p>What always holds: only a {@link org.descant.rights.ClearedRecording} gets in, and only with
 * the very sound it was cleared for; a dataset's root is a pure function of content, the same in
 * every home; a dataset folder appears whole, by rename, or not at all; the order of samples is a
 * pure function of (seed, epoch, index); a withdrawal changes nothing but what it takes out.
 *
 * <p>What it refuses: a shard without its rights fields, a damaged footer, a manifest whose root
 * does not follow from its lines, the same sound twice.
 */
@NullMarked
package org.descant.shards;

import org.jspecify.annotations.NullMarked;
