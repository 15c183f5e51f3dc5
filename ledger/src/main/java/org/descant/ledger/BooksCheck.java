package org.descant.ledger;

import java.util.List;

/**
 * What a check of the books found.
 *
 * @param transfers how many were checked
 * @param head the hash of the last one: whoever has noted it can tell if anything before was
 *     changed
 * @param problems one sentence each; empty if all is well
 */
public record BooksCheck(long transfers, String head, List<String> problems) {
  public BooksCheck {
    problems = List.copyOf(problems);
  }

  public boolean balanced() {
    return problems.isEmpty();
  }
}
