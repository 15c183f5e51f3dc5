/**
 * The catalogue: deliveries in, recordings by name out.
 *
 * <pre>
 *   ern.xml + audio + rights.json ── ErnDoor ─┐
 *                                             ├─ Shipment ── AudioIntake ── Registrar ─┬─ rights
 *   MANIFEST.csv + audio ─────────── CsvDoor ─┘               (blobs)                  └─ Catalog
 * </pre>
 *
 * <p>{@link org.descant.catalog.Ingest} takes a DDEX ERN 4.3 or 4.3.2 message ({@link
 * org.descant.catalog.ErnReader}; what DDEX cannot say comes in {@link
 * org.descant.catalog.RightsFile}) or a table ({@link org.descant.catalog.CsvManifest}), and {@link
 * org.descant.catalog.ImportReport} tells what became of every item. {@link
 * org.descant.catalog.Catalog} lists, searches, shows and opens. {@link
 * org.descant.catalog.DemoDelivery} writes the demo's music as a label would deliver it.
 *
 * <p>What must always hold: one bad file or identifier blocks its recording, by name and with one
 * sentence, and no other; the same delivery twice changes nothing and undoes no choice; an import
 * that is killed has taken nothing by halves and can be repeated; the same recording under two
 * names is trained on once at most; only who delivered a recording may deliver it again; what a
 * message says of the master is never taken for a right in the work.
 *
 * <p>What it refuses: other versions of ERN, DTDs and entities, files outside the delivery, files
 * whose hash is another, keys of {@code rights.json} that it does not know, and to decide anything
 * that is for {@code rights} to decide: that a recording is in the catalogue means nothing yet.
 */
@NullMarked
package org.descant.catalog;

import org.jspecify.annotations.NullMarked;
