/**
 * What makes a clip's origin provable: the content credential inside the file, the lineage from
 * clip to recordings and back, and the log that outsiders can check.
 *
 * <pre>
 *   CredentialFacts ─► ContentCredential ─► C2PA manifest in WAV or FLAC ─► CredentialReport
 *   Artefact + parents ─► Lineage ─► Trace (both ways)
 *   entry bytes ─► TransparencyLog ─► tiles + signed checkpoint ─► inclusion proof
 *   proof/ recording + model ─► RecordingProof: in the dataset, refused, or absent
 * </pre>
 *
 * <p>What must always hold: a credential binds every byte of the file that is not the credential
 * itself; an artefact's parents exist before it does, so the lineage has no loop and no loose end;
 * a checkpoint that was once handed out stays a prefix of every later one, also after a crash.
 *
 * <p>What it refuses: audio containers whose sizes do not add up, facts that change under a known
 * id, proofs about entries that the log does not hold. Whatever bytes a file has, checking it ends
 * with an answer, not with an exception.
 */
@NullMarked
package org.descant.provenance;

import org.jspecify.annotations.NullMarked;
