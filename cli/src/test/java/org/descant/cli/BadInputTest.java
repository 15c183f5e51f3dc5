package org.descant.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.descant.cli.platform.Exit;
import org.descant.database.Database;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BadInputTest {
  @TempDir Path home;

  @Test
  void badInputAtTheDoorsIsOneSentenceAndStatusTwo() throws Exception {
    Path text = Files.writeString(home.resolve("notes.flac"), "not audio at all");
    Path xml = Files.writeString(home.resolve("ern.xml"), "<not-ern/>");
    Path file = Files.writeString(home.resolve("file"), "a file, not a home");
    List<List<String>> wrong =
        List.of(
            List.of("catalog", "import", home.resolve("nothing").toString()),
            List.of("catalog", "import", xml.toString()),
            List.of("catalog", "import", text.toString()),
            List.of("rights", "decide", "--use", "train", "--recording", "not-an-isrc"),
            List.of("rights", "decide", "--use", "sing", "--recording", "ZZDSC2600001"),
            List.of("generate", "--out", home.resolve("x.mp3").toString()),
            List.of("generate", "--tempo", "9000", "--out", home.resolve("x.wav").toString()),
            List.of("dataset", "show", "nothing"),
            List.of("train", "no-such-recipe"),
            List.of("trace", "clip-nothing"),
            List.of("verify", home.toString()),
            List.of("verify", text.toString()),
            List.of("ledger", "close", "yesterday"),
            List.of("models", "show", "nothing"),
            List.of("lab", "show", "nothing"),
            List.of("catalog", "ls", "--home", file.toString()),
            List.of("nonsense"));
    Path house = home.resolve("house");
    try (Database ignored = Database.open(house)) { // its server is not started for each of them
      for (List<String> command : wrong) {
        var all = new ArrayList<>(command);
        if (!command.contains("--home") && !command.contains("nonsense")) {
          all.addAll(List.of("--home", house.toString()));
        }
        Answer answer = Answer.to(all.toArray(String[]::new));
        assertThat(answer.status()).as(all + answer.out() + answer.err()).isEqualTo(Exit.BAD_INPUT);
        assertThat(answer.err().lines())
            .filteredOn(line -> line.startsWith("descant: "))
            .as(all + answer.err())
            .singleElement()
            .asString()
            .doesNotContain("Exception", "run again with");
      }
    }
  }
}
