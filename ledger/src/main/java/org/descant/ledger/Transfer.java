package org.descant.ledger;

import org.jspecify.annotations.Nullable;

/**
 * Money from one account to another.
 *
 * @param id the usage's id, a slash, and the place in its run
 * @param amountMicros above zero
 * @param rule the rule and its version that made it
 * @param isrc the recording that earned it
 * @param reason why, for the person who receives it
 */
public record Transfer(
    String id,
    String usageId,
    String fromAccount,
    String toAccount,
    long amountMicros,
    String currency,
    String rule,
    @Nullable String isrc,
    String reason) {}
