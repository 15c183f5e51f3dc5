/**
 * Whether a model learned from a recording, proven to somebody who trusts only a log's key.
 *
 * <pre>
 *   DatasetLine (one recording asked about) ─► root of the dataset, a hash of all lines
 *                                           ─► DatasetTree, whose root is in the log beside it
 *   model + dataset + path in the tree + both log proofs ─► RecordingProof, one signed file
 * </pre>
 *
 * <p>What must always hold: for one tree root a recording has one answer that can be proven; a
 * changed byte anywhere in a proof fails; verifying needs no file, network or database.
 *
 * <p>What a proof cannot show: that the house wrote down truly what it trained on. It binds the
 * house to its word; a replay of the run, which gives the same bits, shows that the word is true.
 */
@NullMarked
package org.descant.provenance.proof;

import org.jspecify.annotations.NullMarked;
