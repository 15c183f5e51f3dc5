/**
 * The web pages: Play, Artist and Clip. Plain web components, no build step; {@code serving} serves
 * them from the class path under this package's name and they speak only the public HTTP API.
 *
 * <p>The pages refuse to load anything from another host.
 */
@NullMarked
package org.descant.studio;

import org.jspecify.annotations.NullMarked;
