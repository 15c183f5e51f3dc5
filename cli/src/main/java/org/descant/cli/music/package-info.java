/**
 * Commands about the music that is there and what may be done with it: {@code catalog}, {@code
 * rights}, {@code dataset}. Recordings come in by deliveries, decisions by the gate, and a dataset
 * is built of exactly what is cleared; nothing here looks at sound.
 */
@NullMarked
package org.descant.cli.music;

import org.jspecify.annotations.NullMarked;
