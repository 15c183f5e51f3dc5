package org.descant.rights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.descant.rights.Fixture.AT;
import static org.descant.rights.Fixture.SONG;

import java.io.BufferedReader;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.descant.database.Database;
import org.descant.database.Notifications;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TwoProcessesTest {
  @Test
  void aRefusalInOneProcessIsToldToTheOtherAndRefusesThere(@TempDir Path home) throws Exception {
    try (Database database = Database.open(home)) {
      Rights rights = Rights.open(database);
      rights.record(Fixture.people());
      rights.record(Fixture.music());
      rights.record(Fixture.agreements());
      ClearedRecording cleared = rights.clearance().clear(Use.STYLE, SONG, AT).orElseThrow();

      BlockingQueue<RightsChange> told = new LinkedBlockingQueue<>();
      Process process =
          new ProcessBuilder(
                  Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                  "-XX:+UseSerialGC",
                  "-XX:TieredStopAtLevel=1",
                  "-Xmx128m",
                  "-cp",
                  System.getProperty("java.class.path"),
                  RefusingProcess.class.getName(),
                  home.toString(),
                  "singer",
                  "STYLE")
              .redirectError(ProcessBuilder.Redirect.INHERIT)
              .start();
      try (Notifications _ = rights.onChange(told::add);
          BufferedReader answers = process.inputReader(StandardCharsets.UTF_8);
          PrintWriter commands =
              new PrintWriter(process.getOutputStream(), true, StandardCharsets.UTF_8)) {
        assertThat(answers.readLine()).isEqualTo("open");
        for (String answer : new String[] {"no", "yes", "no"}) {
          commands.println(answer);
          assertThat(told.poll(30, TimeUnit.SECONDS))
              .isEqualTo(new RightsChange(RightsChange.Kind.CHOICE, "singer"));
          assertThat(rights.clearance().clear(Use.STYLE, SONG, AT).isPresent())
              .as("by the time we are told, it holds")
              .isEqualTo(answer.equals("yes"));
          assertThat(answers.readLine()).isEqualTo("chosen");
        }
        assertThat(catchRefusal(rights, cleared).has(ReasonCode.CHOICE_NO)).isTrue();
      } finally {
        process.destroy();
        process.waitFor();
      }
    }
  }

  private static Decision catchRefusal(Rights rights, ClearedRecording cleared) {
    try {
      return rights.clearance().recheck(cleared);
    } catch (ConsentWithdrawnException e) {
      return e.decision();
    }
  }
}
