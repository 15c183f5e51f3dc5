package org.descant.rights;

import org.jspecify.annotations.Nullable;

/**
 * One owner's share with the agreement that lets it be used, for the ledger to pay by.
 *
 * @param share whose, of which right, how much
 * @param workId the work of a publishing share, null for a master share
 * @param agreement in force and granting the use; of several the most specific, then the latest
 */
public record Grant(Share share, @Nullable String workId, Agreement agreement) {}
