package org.descant.serving;

import java.nio.file.Path;
import org.descant.attribution.Attributor;
import org.descant.catalog.Catalog;
import org.descant.database.Database;
import org.descant.engine.Engine;
import org.descant.ledger.Ledger;
import org.descant.provenance.Lineage;
import org.descant.provenance.SigningKey;
import org.descant.provenance.TransparencyLog;
import org.descant.rights.Rights;

/**
 * What a delivery needs, opened by the composition root, which also closes it.
 *
 * @param clips folder of finished files
 */
public record House(
    Database database,
    Rights rights,
    Catalog catalog,
    Ledger ledger,
    Lineage lineage,
    TransparencyLog log,
    SigningKey key,
    Engine engine,
    Attributor attributor,
    Path clips) {}
