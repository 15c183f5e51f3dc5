/** Tests of the demo catalogue's music. */
@NullMarked
package org.descant.synth;

import org.jspecify.annotations.NullMarked;
