package org.descant.ledger;

/** The names of accounts. */
public final class Accounts {
  /** Whoever listens: the money comes from here, so its balance is negative. */
  public static final String FAN = "customer:fan";

  /** The platform's fee, and what no agreement gives to anybody. */
  public static final String PLATFORM = "platform";

  /**
   * What recordings in the public domain have earned: credit is due for them, no money. It is kept
   * apart, so that it is neither the platform's income nor a windfall for other owners.
   */
  public static final String PUBLIC_DOMAIN = "reserve:public-domain";

  private static final String PARTY = "party:";

  private Accounts() {}

  /** A party's account. */
  public static String of(String partyId) {
    return PARTY + partyId;
  }

  /** True if the account is a party's. */
  public static boolean isParty(String account) {
    return account.startsWith(PARTY);
  }

  /** The party of a party's account. */
  public static String partyOf(String account) {
    if (!isParty(account)) {
      throw new LedgerException("The account %s is not a party's.".formatted(account));
    }
    return account.substring(PARTY.length());
  }
}
