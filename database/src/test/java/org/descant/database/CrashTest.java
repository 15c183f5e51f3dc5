package org.descant.database;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.CleanupMode;
import org.junit.jupiter.api.io.TempDir;

/** Processes and servers are killed at random moments, from the first start on. */
class CrashTest {
  private static final int FIRST_STARTS = 5;
  private static final int ROUNDS = 15;

  @TempDir(cleanup = CleanupMode.NEVER)
  Path home;

  @Test
  @Tag("slow")
  void whatWasSaidToBeWrittenIsThereWhoeverIsKilledWhenever() throws Exception {
    SplittableRandom random = new SplittableRandom(1);
    Set<Integer> written = new HashSet<>();
    try {
      for (int round = 0; round < FIRST_STARTS; round++) {
        List<Child> children = List.of(new Child(home), new Child(home));
        Thread.sleep(random.nextInt(1_500));
        for (Child child : children) {
          child.kill();
        }
      }
      try (Database database = Database.open(home, null)) {
        database.jdbi().useHandle(handle -> handle.execute("create table note (n integer)"));
      }
      for (int round = 0; round < ROUNDS; round++) {
        List<Child> children = List.of(new Child(home), new Child(home));
        for (int i = 0; i < 2; i++) {
          children.get(i).send("loop " + 100_000 * (2 * round + i));
        }
        for (int answers = random.nextInt(60); answers >= 0; answers--) {
          String answer = children.getFirst().answer();
          assertThat(answer).matches("open|[0-9]+");
          remember(answer, written);
        }
        if (random.nextBoolean()) {
          killServer();
        }
        for (Child child : children) {
          child.kill();
          child.rest().forEach(line -> remember(line, written));
        }
      }
      try (Database database = Database.open(home, null)) {
        Set<Integer> found = new HashSet<>();
        Sql.strings(database, "select n::text from note")
            .forEach(n -> found.add(Integer.valueOf(n)));
        assertThat(written).isNotEmpty();
        assertThat(found).containsAll(written);
      }
      System.out.printf("%d commits survived %d rounds%n", written.size(), FIRST_STARTS + ROUNDS);
    } finally {
      killServer();
      Binaries.deleteTree(home);
    }
  }

  private static void remember(String answer, Set<Integer> written) {
    if (answer.matches("[0-9]+")) {
      written.add(Integer.valueOf(answer));
    }
  }

  private void killServer() throws Exception {
    Postmaster postmaster = Postmaster.read(home.resolve("postgres/data"));
    if (postmaster != null && postmaster.alive(home.resolve("postgres/data"))) {
      ProcessHandle server = ProcessHandle.of(postmaster.pid()).orElseThrow();
      List<ProcessHandle> all = new ArrayList<>(server.children().toList());
      all.add(server);
      all.forEach(ProcessHandle::destroyForcibly);
    }
  }
}
