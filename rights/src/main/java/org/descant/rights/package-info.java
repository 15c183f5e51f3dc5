/**
 * Who may do what with which recording: the first of Descant's two gates.
 *
 * <pre>
 *   Party ── Share / Contributor ── Recording ── Work        who is behind a recording
 *     │                                 │
 *     ├── Agreement (uses, scope, period, terms)             what an owner has granted
 *     └── Choice (yes or no, use, scope, from)               what anybody behind it wants
 *                     │
 *            Clearance.decide ──► Decision ──► ClearedRecording
 * </pre>
 *
 * <p>What must always hold: the default answer is no. A use is allowed only while every owner of
 * the recording and of each of its works has an agreement in force that grants it, and nobody
 * behind it, owner or contributor, has said no; the strictest answer wins. Only this package makes
 * a {@link org.descant.rights.ClearedRecording}, from a decision that is stored. Nothing is updated
 * in place: every fact is kept with the moment it was recorded, so that "was it cleared when we
 * trained on it?" has one answer for ever. The same facts give the same {@code rulesHash} in every
 * home.
 *
 * <p>What it refuses: facts that name a party or work that nobody registered, identifiers whose
 * check digit is wrong, shares that are no part of a whole; and, as decisions, everything that is
 * not granted. A recording that names no work is refused too: a right in a recording is not a right
 * in the music that it records.
 */
@NullMarked
package org.descant.rights;

import org.jspecify.annotations.NullMarked;
