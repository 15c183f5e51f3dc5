/**
 * The HTTP API and the pages, over {@link org.descant.serving.Delivery}.
 *
 * <pre>
 *  WebServer (Jetty) → Router → Api ─┬→ Delivery.open, run → LiveGeneration ─┬→ AudioStream
 *                                    ├→ Parties                              └→ Events
 *                                    └→ finished clips, their files and their thread
 * </pre>
 *
 * <p>What must hold: nobody who listens is waited for by what is made; a stream that was cut cannot
 * be taken for a whole clip; every failure is a problem body (RFC 9457) in a sentence. It refuses a
 * POST from a page of another site, bodies above their limit, and more requests than there is room
 * for.
 */
@NullMarked
package org.descant.serving.web;

import org.jspecify.annotations.NullMarked;
