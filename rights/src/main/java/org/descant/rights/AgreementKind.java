package org.descant.rights;

/** What kind of promise an agreement is. */
public enum AgreementKind {
  /** Certain uses, on terms. */
  LICENCE,
  /** Given to everybody: every use is granted, credit is due, no money is. */
  PUBLIC_DOMAIN
}
