package org.descant.rights;

/** Why a use is allowed or refused. */
public enum ReasonCode {
  /** Allows: an owner has an agreement in force that grants the use. */
  GRANTED,
  /** Nobody has granted anything for this recording. */
  NO_AGREEMENT,
  /** An owner's agreement grants the use, but has ended. */
  AGREEMENT_ENDED,
  /** An owner's agreement grants the use, but begins later. */
  NOT_YET_IN_FORCE,
  /** An owner's agreement covers the recording or work, but not this use. */
  USE_NOT_GRANTED,
  /** An owner's agreement grants the use, but not in this territory. */
  TERRITORY_NOT_GRANTED,
  /** Somebody behind the recording has said no. */
  CHOICE_NO,
  /** An owner of the recording or of a work has no agreement, while others have. */
  OWNER_MISSING,
  /** The shares of the recording or of a work do not add up to the whole. */
  SHARES_INCOMPLETE,
  /** The recording names no work, so nobody can speak for those who wrote it. */
  WORK_UNKNOWN,
  /** The recording must wait, for example for its file. */
  BLOCKED,
  /** Nobody has registered the recording. */
  UNKNOWN_RECORDING
}
