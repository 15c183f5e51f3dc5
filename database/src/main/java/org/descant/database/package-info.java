/**
 * PostgreSQL for the rest of Descant, and the only door to it.
 *
 * <pre>
 *   process A ──┐                       ┌── home/postgres/data      the cluster
 *   process B ──┼── Database.open(home) ┼── home/postgres/start.lock  who starts or stops
 *   process C ──┘                       └── home/postgres/in-use.lock who is here
 * </pre>
 *
 * <p>By default the server is a real PostgreSQL that lives in the home folder: the first process
 * that opens the home starts it, all share it, and the last one to leave stops it. Presence is a
 * file lock, so the operating system forgets a killed process for us. {@code DESCANT_DB_URL} names
 * the user's own server instead.
 *
 * <p>What must always hold: a committed transaction survives the death of any process; a dead
 * process never keeps a home from being opened; the embedded server listens on loopback only and
 * wants a password that only the owner of the home can read.
 *
 * <p>What it refuses: a home that is a file, that is read-only, that was made by another major
 * version of PostgreSQL, or whose disk is full, each with one sentence that says what to do.
 */
@NullMarked
package org.descant.database;

import org.jspecify.annotations.NullMarked;
