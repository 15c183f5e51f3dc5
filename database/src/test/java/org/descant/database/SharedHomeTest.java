package org.descant.database;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.CleanupMode;
import org.junit.jupiter.api.io.TempDir;

class SharedHomeTest {
  @TempDir(cleanup = CleanupMode.NEVER)
  Path home;

  @AfterEach
  void stopWhatIsLeft() throws IOException {
    server().ifPresent(ProcessHandle::destroyForcibly);
    Binaries.deleteTree(home);
  }

  private Optional<ProcessHandle> server() throws IOException {
    Postmaster postmaster = Postmaster.read(home.resolve("postgres/data"));
    return postmaster == null
        ? Optional.empty()
        : ProcessHandle.of(postmaster.pid()).filter(ProcessHandle::isAlive);
  }

  @Test
  void theLastOneOutStopsTheServerAndTheNextFindsEverything() throws Exception {
    try (Child first = new Child(home);
        Child second = new Child(home)) {
      assertThat(first.answer()).isEqualTo("open");
      assertThat(second.answer()).isEqualTo("open");
      assertThat(first.ask("write 1")).isEqualTo("written");
      assertThat(second.ask("count")).isEqualTo("1");
      assertThat(first.ask("close")).isEqualTo("closed");
      assertThat(first.end()).isZero();
      assertThat(server()).isPresent();
      assertThat(second.ask("write 2")).isEqualTo("written");
      assertThat(second.end()).as("a process that forgets to close leaves cleanly").isZero();
      assertThat(server()).isEmpty();
    }
    try (Child third = new Child(home)) {
      assertThat(third.answer()).isEqualTo("open");
      assertThat(third.ask("count")).isEqualTo("2");
    }
  }

  @Test
  void manyProcessesMayMakeANewHomeAtOnce() throws Exception {
    List<Child> children = new ArrayList<>();
    try {
      for (int i = 0; i < 4; i++) {
        children.add(new Child(home));
      }
      for (Child child : children) {
        assertThat(child.answer()).isEqualTo("open");
      }
      assertThat(children.getFirst().ask("write 1")).isEqualTo("written");
      for (Child child : children) {
        assertThat(child.ask("count")).isEqualTo("1");
        assertThat(child.end()).isZero();
      }
      assertThat(server()).isEmpty();
    } finally {
      children.forEach(Child::close);
    }
  }

  @Test
  void aKilledProcessLosesNothingCommittedAndBlocksNobody() throws Exception {
    try (Child first = new Child(home)) {
      assertThat(first.answer()).isEqualTo("open");
      assertThat(first.ask("write 1")).isEqualTo("written");
      assertThat(first.ask("begin 99")).isEqualTo("begun");
      first.kill();
    }
    try (Child second = new Child(home)) {
      assertThat(second.answer()).isEqualTo("open");
      assertThat(second.ask("count")).isEqualTo("1");
      assertThat(second.end()).isZero();
      assertThat(server()).as("the survivor was the last one out").isEmpty();
    }
  }

  @Test
  void aKilledServerIsStartedAgainUnderThoseWhoUseIt() throws Exception {
    try (Child first = new Child(home);
        Child second = new Child(home)) {
      assertThat(first.answer()).isEqualTo("open");
      assertThat(second.answer()).isEqualTo("open");
      assertThat(first.ask("write 1")).isEqualTo("written");
      ProcessHandle server = server().orElseThrow();
      List<ProcessHandle> all = new ArrayList<>(server.children().toList());
      all.add(server);
      all.forEach(ProcessHandle::destroyForcibly);
      for (ProcessHandle process : all) {
        process.onExit().get();
      }
      assertThat(first.ask("count")).isEqualTo("1");
      assertThat(second.ask("write 2")).isEqualTo("written");
      assertThat(first.ask("count")).isEqualTo("2");
    }
  }

  @Test
  void everythingKilledAtOnceIsFoundAgain() throws Exception {
    try (Child first = new Child(home)) {
      assertThat(first.answer()).isEqualTo("open");
      for (int i = 0; i < 20; i++) {
        assertThat(first.ask("write " + i)).isEqualTo("written");
      }
      ProcessHandle server = server().orElseThrow();
      first.kill();
      List<ProcessHandle> all = new ArrayList<>(server.children().toList());
      all.add(server);
      all.forEach(ProcessHandle::destroyForcibly);
      for (ProcessHandle process : all) {
        process.onExit().get();
      }
    }
    try (Child second = new Child(home)) {
      assertThat(second.answer()).isEqualTo("open");
      assertThat(second.ask("count")).isEqualTo("20");
    }
  }

  @Test
  void aNumberThatNowBelongsToAnotherProcessDoesNotBlockTheStart() throws Exception {
    try (Child first = new Child(home)) {
      assertThat(first.answer()).isEqualTo("open");
      assertThat(first.ask("write 1")).isEqualTo("written");
      assertThat(first.end()).isZero();
    }
    Files.writeString(
        home.resolve("postgres/data/postmaster.pid"),
        ProcessHandle.current().pid() + "\n" + home + "\n0\n5432\n\n127.0.0.1\n1 1\nready\n");
    try (Child second = new Child(home)) {
      assertThat(second.answer()).isEqualTo("open");
      assertThat(second.ask("count")).isEqualTo("1");
    }
  }

  @Test
  void aFirstStartThatWasKilledLeavesNothingInTheWay() throws Exception {
    Files.createDirectories(home.resolve("postgres/data.new-1/base"));
    Files.writeString(home.resolve("postgres/data.new-1/PG_VERSION"), "18\n");
    try (Child child = new Child(home)) {
      assertThat(child.answer()).isEqualTo("open");
    }
    assertThat(home.resolve("postgres/data.new-1")).doesNotExist();
  }

  @Test
  void oneProcessMayOpenAHomeTwice() throws Exception {
    try (Database outer = Database.open(home, null)) {
      try (Database inner = Database.open(home, null)) {
        inner.jdbi().useHandle(handle -> handle.execute("create table once (n integer)"));
      }
      assertThat(Sql.count(outer, "select count(*) from once")).isZero();
    }
    assertThat(server()).isEmpty();
  }

  @Test
  void onlyThisMachineWithThePasswordGetsIn() throws Exception {
    try (Database database = Database.open(home, null)) {
      List<String> listening = Sql.strings(database, "show listen_addresses");
      assertThat(listening).containsExactly("127.0.0.1");
      Postmaster postmaster = Postmaster.read(home.resolve("postgres/data"));
      assertThatThrownBy(() ->
              Database.open(
                  home,
                  "postgresql://descant:guess@127.0.0.1:%d/postgres".formatted(postmaster.port())))
          .isInstanceOf(DatabaseException.class)
          .hasMessageContaining("refuses the user or password")
          .hasMessageNotContaining("guess");
      assertThat(Files.getPosixFilePermissions(home.resolve("postgres/data/descant.password")))
          .hasSize(2);
    }
  }

  @Test
  void aHomeThatIsAFileIsRefused() throws Exception {
    Path file = Files.writeString(home.resolve("file"), "x");
    assertThatThrownBy(() -> Database.open(file, null))
        .isInstanceOf(DatabaseException.class)
        .hasMessage(
            "The home %s is a file, not a folder: name another with --home or DESCANT_HOME"
                .formatted(file));
    assertThatThrownBy(() -> Database.open(file.resolve("below"), null))
        .isInstanceOf(DatabaseException.class)
        .hasMessageContaining("is a file or lies in one");
  }

  @Test
  void aReadOnlyHomeIsRefused() throws Exception {
    assumeTrue(works("unshare", "-U", "true"), "skipped: unshare is not allowed here");
    Path closed = Files.createDirectory(home.resolve("closed"));
    closed.toFile().setWritable(false);
    // In a user namespace root is an ordinary user, for whom the folder is read-only.
    try (Child child = new Child(List.of("unshare", "-U"), closed)) {
      assertThat(child.answer())
          .isEqualTo(
              "refused: The home %s cannot be written to: make it writable, or name another with --home or DESCANT_HOME"
                  .formatted(closed));
      assertThat(child.end()).isEqualTo(2);
    }
    try (var left = Files.list(closed)) {
      assertThat(left).isEmpty();
    }
  }

  @Test
  void aFullDiskIsRefusedBeforeAnythingIsWritten() throws Exception {
    Path small = Files.createDirectory(home.resolve("small"));
    String mount = "mount -t tmpfs -o size=20m none " + small + " && exec \"$@\"";
    assumeTrue(
        works("unshare", "-rm", "sh", "-c", mount, "sh", "true"),
        "skipped: mounting is not allowed here");
    try (Child child = new Child(List.of("unshare", "-rm", "sh", "-c", mount, "sh"), small)) {
      assertThat(child.answer())
          .startsWith("refused: The disk that holds " + small + " is full: free ");
      assertThat(child.end()).isEqualTo(2);
    }
  }

  @Test
  void aClusterOfAnotherVersionIsRefused() throws Exception {
    try (Child child = new Child(home)) {
      assertThat(child.answer()).isEqualTo("open");
      assertThat(child.end()).isZero();
    }
    Files.writeString(home.resolve("postgres/data/PG_VERSION"), "17\n");
    assertThatThrownBy(() -> Database.open(home, null))
        .isInstanceOf(DatabaseException.class)
        .hasMessageContaining("is of PostgreSQL 17 and this Descant brings 18");
  }

  @Test
  void aHomeMayHaveSpacesAndQuotesAndNothingAShellWouldRead() throws Exception {
    Path odd = home.resolve("Mary's new 'home' ü;&");
    try (Child child = new Child(odd)) {
      assertThat(child.answer()).isEqualTo("open");
      assertThat(child.end()).isZero();
    }
    assertThatThrownBy(() -> Database.open(home.resolve("a$(touch x)"), null))
        .isInstanceOf(DatabaseException.class)
        .hasMessageContaining("choose another name");
  }

  @Test
  void whereNamespacesAreForbiddenRootStartsItAsAnotherUser() throws Exception {
    assumeTrue(
        (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid") == 0
            && works("setpriv", "--version"),
        "skipped: not root, or no setpriv");
    Path tools = Files.createDirectory(home.resolve("tools"));
    for (String tool : new String[] {"setpriv", "true", "sh"}) {
      Files.createSymbolicLink(tools.resolve(tool), Path.of("/usr/bin", tool));
    }
    Path data = home.resolve("postgres/data");
    // Without unshare on the path, as where the kernel does not allow it.
    try (Child first = new Child(List.of("env", "PATH=" + tools), home)) {
      assertThat(first.answer()).isEqualTo("open");
      assertThat(first.ask("write 1")).isEqualTo("written");
      assertThat((int) Files.getAttribute(data, "unix:uid")).isEqualTo(65534);
      assertThat(first.end()).isZero();
    }
    assertThat(server()).isEmpty();
    try (Child second = new Child(home)) {
      assertThat(second.answer()).isEqualTo("open");
      assertThat(second.ask("count")).isEqualTo("1");
      assertThat(second.end()).isZero();
    }
    assertThat(server()).isEmpty();
  }

  private static boolean works(String... command) throws IOException, InterruptedException {
    return new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start()
            .waitFor()
        == 0;
  }
}
