/**
 * What was used, what it earned, and who is paid for it.
 *
 * <pre>
 *   Usage ─► pending ─┬─► posted: RoyaltyRun ─► Transfers ─► two entries each ─► Statement
 *                     └─► voided: no money moves
 * </pre>
 *
 * <p>What must always hold: amounts are whole millionths of a euro; what is paid out for a usage
 * adds up to exactly what it earned; every transfer takes from one account what it gives to
 * another, so all balances add up to zero; a usage is settled once, whoever asks and how often;
 * nothing is changed once it is booked, and a chain of hashes shows it. The division of money is a
 * pure function: the same usage, weights and terms give the same transfers, in whatever order they
 * come.
 *
 * <p>What it refuses: a second usage under a known id with other facts, a settlement of a settled
 * usage the other way, a booking in a closed period, a currency other than EUR.
 */
@NullMarked
package org.descant.ledger;

import org.jspecify.annotations.NullMarked;
