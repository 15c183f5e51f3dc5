package org.descant.database;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.sql.SQLException;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class DatabaseTest {
  @Test
  void aModuleHasItsOwnSchemaAndMayMigrateAgain() {
    try (Database database = Database.temporary()) {
      database.migrate("sample");
      database.migrate("sample");
      database
          .jdbi()
          .useHandle(handle -> handle.execute("insert into sample.thing values (1, 'Größe')"));
      assertThat(Sql.strings(database, "select name from sample.thing")).containsExactly("Größe");
      assertThat(Sql.count(database, "select count(*) from sample.migration_history")).isPositive();
    }
  }

  @Test
  void manyMayMigrateAtOnce() {
    try (Database database = Database.temporary()) {
      IntStream.range(0, 4).parallel().forEach(_ -> database.migrate("sample"));
      assertThat(Sql.count(database, "select count(*) from sample.thing")).isZero();
    }
  }

  @Test
  void aModuleWithoutMigrationsOrWithABrokenOneIsNamed() {
    try (Database database = Database.temporary()) {
      assertThatThrownBy(() -> database.migrate("nothing"))
          .isInstanceOf(DatabaseException.class)
          .hasMessageContaining("'nothing'");
      assertThatThrownBy(() -> database.migrate("broken"))
          .isInstanceOf(DatabaseException.class)
          .hasMessageContaining("'broken'");
      assertThatThrownBy(() -> database.migrate("no; drop")).isInstanceOf(DatabaseException.class);
    }
  }

  @Test
  void temporaryDatabasesDoNotSeeEachOther() {
    try (Database first = Database.temporary();
        Database second = Database.temporary()) {
      first.jdbi().useHandle(handle -> handle.execute("create table mine (n integer)"));
      second.jdbi().useHandle(handle -> handle.execute("create table mine (n integer)"));
    }
  }

  @Test
  void textSortsTheSameOnEveryMachine() {
    try (Database database = Database.temporary()) {
      assertThat(
              Sql.strings(
                  database, "select x from (values ('b'), ('B'), ('a'), ('ä')) t (x) order by x"))
          .containsExactly("B", "a", "b", "ä");
    }
  }

  @Test
  void whatIsSentAfterACommitArrivesInOrder() throws Exception {
    try (Database database = Database.temporary()) {
      BlockingQueue<String> received = new LinkedBlockingQueue<>();
      try (Notifications _ = database.listen("news", received::add)) {
        database
            .jdbi()
            .useTransaction(handle -> {
              Database.notify(handle, "news", "one");
              Database.notify(handle, "news", "zwei Grüße");
            });
        database
            .jdbi()
            .useHandle(handle -> {
              handle.begin();
              Database.notify(handle, "news", "never");
              handle.rollback();
              Database.notify(handle, "news", "three");
            });
        assertThat(received.poll(60, TimeUnit.SECONDS)).isEqualTo("one");
        assertThat(received.poll(60, TimeUnit.SECONDS)).isEqualTo("zwei Grüße");
        assertThat(received.poll(60, TimeUnit.SECONDS)).isEqualTo("three");
      }
    }
  }

  @Test
  void aListenerSurvivesALostConnectionAndItsOwnErrors() throws Exception {
    try (Database database = Database.temporary()) {
      BlockingQueue<String> received = new LinkedBlockingQueue<>();
      Notifications.Listener listener =
          new Notifications.Listener() {
            @Override
            public void received(String payload) {
              received.add(payload);
              if (payload.equals("bad")) {
                throw new IllegalStateException("on purpose: this line belongs to a test");
              }
            }

            @Override
            public void gap() {
              received.add("gap");
            }
          };
      try (Notifications _ = database.listen("news", listener)) {
        send(database, "bad");
        assertThat(received.poll(60, TimeUnit.SECONDS)).isEqualTo("bad");
        database
            .jdbi()
            .useHandle(handle ->
                handle.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                        + " where query like 'listen%' and datname = current_database()"));
        assertThat(received.poll(60, TimeUnit.SECONDS)).isEqualTo("gap");
        send(database, "good");
        assertThat(received.poll(60, TimeUnit.SECONDS)).isEqualTo("good");
      }
    }
  }

  private static void send(Database database, String payload) {
    database.jdbi().useHandle(handle -> Database.notify(handle, "news", payload));
  }

  @Test
  void aPayloadThatIsTooLongIsRefused() {
    try (Database database = Database.temporary()) {
      assertThatThrownBy(() -> send(database, "ä".repeat(4_000)))
          .isInstanceOf(DatabaseException.class)
          .hasMessageContaining("at most 7999 bytes, was 8000");
      send(database, "ä".repeat(3_999));
    }
  }

  @Test
  void anAddressThatNobodyAnswersIsNamedWithoutItsPassword() {
    assertThatThrownBy(
            () -> Database.open(Path.of("unused"), "postgresql://me:secret@127.0.0.1:1/music"))
        .isInstanceOf(DatabaseException.class)
        .hasMessageContaining("127.0.0.1:1/music")
        .hasMessageContaining("DESCANT_DB_URL")
        .hasMessageNotContaining("secret")
        .hasMessageNotContaining("\n");
  }

  @Test
  void anAddressThatIsNoneIsRefused() {
    for (String url :
        new String[] {
          "nonsense", "mysql://a/b", "postgresql://", "postgresql://h", "jdbc:x", " : "
        }) {
      assertThatThrownBy(() -> Database.open(Path.of("unused"), url))
          .as(url)
          .isInstanceOf(DatabaseException.class)
          .hasMessageContaining("is not a PostgreSQL address");
    }
  }

  @Test
  void theUsersOwnServerIsUsedWhenNamed() {
    TemporaryServer server = TemporaryServer.get();
    String name = server.create();
    for (String form :
        new String[] {
          "postgresql://descant:%s@127.0.0.1:%d/%s",
          "jdbc:postgresql://127.0.0.1:%2$d/%3$s?user=descant&password=%1$s"
        }) {
      String url = form.formatted(server.embedded().password(), server.embedded().port(), name);
      try (Database database = Database.open(Path.of("unused"), url)) {
        database.migrate("sample");
      }
    }
    server.drop(name);
  }

  @Test
  void aNewMigrationRunsAlthoughTheOldOnesAreMarkedAsDone() {
    try (Database database = Database.temporary()) {
      database.migrate("sample");
      database
          .jdbi()
          .useHandle(handle -> handle.execute("comment on schema sample is 'an earlier state'"));
      database.migrate("sample");
      assertThat(Sql.strings(database, "select obj_description('sample'::regnamespace)"))
          .allMatch(comment -> comment.startsWith("descant migrations sha256:"));
    }
  }

  @Test
  void errorsThatAreNobodysBugHaveASentence() {
    assertThat(
            Database.sentence(
                new IllegalStateException(new SQLException("could not extend file", "53100"))))
        .hasValueSatisfying(text -> assertThat(text).contains("disk", "full"));
    assertThat(Database.sentence(new SQLException("gone", "57P01"))).isPresent();
    assertThat(Database.sentence(new DatabaseException("said already"))).contains("said already");
    assertThat(Database.sentence(new SQLException("syntax", "42601"))).isEmpty();
    assertThat(Database.sentence(new IllegalStateException("bug"))).isEmpty();
  }
}
