/**
 * Commands about models and how they come to be: {@code train}, {@code lab}, {@code evaluate},
 * {@code models}. A run that is interrupted ends safely; a model without a rights manifest is
 * studied here and played nowhere else.
 */
@NullMarked
package org.descant.cli.learning;

import org.jspecify.annotations.NullMarked;
