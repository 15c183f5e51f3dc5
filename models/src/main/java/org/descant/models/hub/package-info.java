/**
 * Published models from a model hub: asked for by name, checked by content, kept once.
 *
 * <pre>
 *   hf:org/name@rev -> HubClient.list  (commit, files, sizes, hashes)
 *                   -> Download        (.part, resumed by ranges, checked)
 *                   -> LocalBlobStore  (by SHA-256)
 *                   -> models/org--name/commit/  (links to blobs, pull.json), renamed into place
 * </pre>
 *
 * <p>The protocol is the Hugging Face Hub's: {@code GET /api/models/<repo>/revision/<rev>} and
 * {@code GET /<repo>/resolve/<commit>/<file>}, with redirects to another host for large files. No
 * hub is named here: its address always comes from the caller.
 *
 * <p>What must always hold: a model's folder has all of its files, each of the size and hash that
 * the hub listed, or it is not there; a pull that was killed anywhere goes on where it was; two
 * pulls of one model do one work; the access token goes to the hub's own origin and to no other.
 *
 * <p>What it refuses: files that run code when they are read (pickles), paths that lead out of the
 * model's folder, more than {@link org.descant.models.hub.HubListing}'s limits, and to play what it
 * pulled: a pulled model has no rights manifest, so it is for study only.
 */
@NullMarked
package org.descant.models.hub;

import org.jspecify.annotations.NullMarked;
