package org.descant.serving;

import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.Jdbi;
import org.jdbi.v3.core.JdbiException;

/**
 * Says which {@link Delivery} is alive: each has a number and holds PostgreSQL's advisory lock of
 * that number on a connection of its own. A process that is killed loses its connection and with it
 * the lock. Thread-safe.
 */
final class DoorLock implements AutoCloseable {
  /** Any constant: the first half of all our lock keys. */
  private static final int DOORS = 0x646f6f72;

  private final Jdbi jdbi;
  private final Handle handle;
  private final int door;

  private DoorLock(Jdbi jdbi, Handle handle, int door) {
    this.jdbi = jdbi;
    this.handle = handle;
    this.door = door;
  }

  /** Takes a number that nobody has, and its lock. */
  static DoorLock take(Jdbi jdbi) {
    Handle handle = jdbi.open();
    try {
      int door =
          handle.createQuery("select nextval('serving.door')::integer").mapTo(Integer.class).one();
      handle
          .createQuery("select pg_advisory_lock(:doors, :door) is null")
          .bind("doors", DOORS)
          .bind("door", door)
          .mapTo(Boolean.class)
          .one();
      return new DoorLock(jdbi, handle, door);
    } catch (RuntimeException e) {
      handle.close();
      throw e;
    }
  }

  /** The number. */
  int door() {
    return door;
  }

  /**
   * Does something only if nobody stands behind that door any more, and so that two who try do not
   * do it at once.
   *
   * @return whether it was done
   */
  boolean ifGone(int other, Runnable work) {
    return jdbi.inTransaction(transaction -> {
      boolean gone =
          transaction
              .createQuery("select pg_try_advisory_xact_lock(:doors, :door)")
              .bind("doors", DOORS)
              .bind("door", other)
              .mapTo(Boolean.class)
              .one();
      if (gone) {
        work.run();
      }
      return gone;
    });
  }

  @Override
  public void close() {
    try (handle) {
      handle
          .createQuery("select pg_advisory_unlock(:doors, :door)")
          .bind("doors", DOORS)
          .bind("door", door)
          .mapTo(Boolean.class)
          .one();
    } catch (JdbiException gone) {
      // With its connection the lock is gone too, which is all that was wanted.
      System.getLogger(DoorLock.class.getName())
          .log(System.Logger.Level.DEBUG, "the lock of door " + door + " was lost", gone);
    }
  }
}
