package org.descant.database;

import java.util.List;

/** Short queries of tests. */
final class Sql {
  private Sql() {}

  static int count(Database database, String sql) {
    return database
        .jdbi()
        .<Integer, RuntimeException>withHandle(
            handle -> handle.createQuery(sql).mapTo(Integer.class).one());
  }

  static List<String> strings(Database database, String sql) {
    return database
        .jdbi()
        .<List<String>, RuntimeException>withHandle(
            handle -> handle.createQuery(sql).mapTo(String.class).list());
  }
}
