package org.descant.rights;

/**
 * Something that can be recorded. A fact is never changed: a later one about the same thing takes
 * its place from the moment it is recorded, and the earlier one stays readable for ever.
 */
public sealed interface Fact permits Party, Work, Recording, Agreement, Choice {}
