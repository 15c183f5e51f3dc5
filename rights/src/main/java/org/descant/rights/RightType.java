package org.descant.rights;

/** Which of the two rights in recorded music a share is a part of. */
public enum RightType {
  /** In the recording. */
  MASTER,
  /** In the work that is recorded. */
  PUBLISHING
}
