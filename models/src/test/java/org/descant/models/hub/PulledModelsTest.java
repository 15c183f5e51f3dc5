package org.descant.models.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.descant.models.ModelException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PulledModelsTest {
  private static final String OTHER = TestHub.COMMIT.replace('0', 'f');

  @TempDir Path models;

  private PulledModels shelf() {
    return PulledModels.in(models);
  }

  private PulledModel pull(TestHub hub, String name) {
    try (HubClient client = hub.client()) {
      return new ModelPull(client, shelf(), PullListener.silent())
          .pull(HubReference.parse(name))
          .model();
    }
  }

  private List<String> everything() throws IOException {
    try (Stream<Path> all = Files.walk(models)) {
      return all.filter(Files::isRegularFile)
          .map(path -> models.relativize(path).toString())
          .filter(path -> !path.endsWith(".lock"))
          .toList();
    }
  }

  @Test
  void removingFreesOnlyWhatNobodyElseHas() throws IOException {
    try (TestHub hub = TestHub.with(10_000, 1)) {
      PulledModel first = pull(hub, "hf:acme/tune");
      hub.listing = json -> json.replace(TestHub.COMMIT, OTHER);
      hub.files.put("extra.txt", new byte[77]);
      PulledModel second;
      // The second commit has one file more, which is served below the first one's address.
      hub.hubHeaders.put("X-Repo-Commit", OTHER);
      assertThatThrownBy(() -> pull(hub, "hf:acme/tune@next")).isInstanceOf(ModelException.class);
      hub.listing = json -> json;
      hub.hubHeaders.clear();
      assertThat(shelf().remove(first)).isEqualTo(10_022);
      assertThat(everything()).isEmpty();

      first = pull(hub, "hf:acme/tune");
      hub.files.remove("extra.txt");
      hub.listing = json -> json.replace(TestHub.COMMIT, OTHER);
      second = pull(hub, "hf:acme/tune@next");

      assertThat(shelf().list().models()).containsExactlyInAnyOrder(first, second);
      assertThat(shelf().remove(first)).isEqualTo(77);
      assertThat(PulledModels.damaged(second, shelf().folder(second), true)).isEmpty();
      assertThat(shelf().remove(second)).isEqualTo(10_022);
      assertThat(everything()).isEmpty();
      assertThat(models.resolve("acme--tune")).doesNotExist();
    }
  }

  @Test
  void aModelThatIsBeingPulledIsNotRemoved() {
    try (TestHub hub = TestHub.with(100, 2)) {
      PulledModel model = pull(hub, "hf:acme/tune");
      try (HeldLock pulling = HeldLock.tryTake(shelf().lockOf("acme--tune")).orElseThrow()) {
        assertThatThrownBy(() -> shelf().remove(model))
            .isInstanceOf(ModelException.class)
            .hasMessageContaining("being pulled just now");
      }
      assertThat(shelf().remove(model)).isEqualTo(122);
    }
  }

  @Test
  void aRecordThatCannotBeReadKeepsAllContents() throws IOException {
    try (TestHub hub = TestHub.with(100, 3)) {
      PulledModel model = pull(hub, "hf:acme/tune");
      Path odd = Files.createDirectories(models.resolve("acme--odd").resolve(OTHER));
      for (String damaged :
          List.of(
              "",
              "null",
              "{\"format\": 2}",
              "{\"format\": 1, \"model\": null}",
              Files.readString(shelf().folder(model).resolve("pull.json")))) {
        Files.writeString(odd.resolve("pull.json"), damaged);
        assertThat(shelf().list().damaged()).as(damaged).containsExactly(odd);
      }

      assertThat(shelf().list().models()).containsExactly(model);
      assertThat(PulledModel.isPulled(odd)).isTrue();
      assertThat(shelf().remove(model)).isZero();
      assertThat(shelf().list().models()).isEmpty();
      assertThat(everything()).hasSize(3);
    }
  }

  @Test
  void aModelIsFoundByItsNames() {
    try (TestHub hub = TestHub.with(100, 4)) {
      PulledModel model = pull(hub, "hf:acme/tune@v1.0");

      for (String name :
          List.of(
              "hf:acme/tune",
              "acme/tune",
              "acme--tune",
              "hf:acme/tune@v1.0",
              "acme--tune@0123456",
              "acme/tune@" + TestHub.COMMIT)) {
        assertThat(shelf().find(name)).as(name).contains(model);
      }
      for (String name : List.of("tune", "", "acme/tunes", "acme/tune@012345", "acme/tune@main")) {
        assertThat(shelf().find(name)).as(name).isEmpty();
      }
      assertThat(PulledModel.isPulled(shelf().folder(model))).isTrue();
      assertThat(PulledModel.isPulled(models)).isFalse();
    }
  }
}
