package org.descant.training.parallel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

class WorldTest {
  private static final Map<String, String> CLUSTER =
      Map.of(
          "RANK", "5",
          "WORLD_SIZE", "8",
          "LOCAL_RANK", "1",
          "LOCAL_WORLD_SIZE", "4",
          "MASTER_ADDR", "node-0",
          "MASTER_PORT", "29500");

  @Test
  void readsTheVariablesOfTorchrun() {
    assertThat(World.of(CLUSTER)).contains(new World(5, 8, 1, 4, "node-0", 29500, 0, false));
    var first = new HashMap<>(CLUSTER);
    first.put("RANK", "0");
    first.put("TORCHELASTIC_RESTART_COUNT", "2");
    assertThat(World.of(first)).contains(new World(0, 8, 1, 4, "node-0", 29500, 2, true));
    first.put("TORCHELASTIC_USE_AGENT_STORE", "True");
    assertThat(World.of(first).orElseThrow().hostsStore()).isFalse();
  }

  @Test
  void aProcessAloneHasNoWorld() {
    assertThat(World.of(Map.of("PATH", "/bin"))).isEmpty();
    assertThat(World.of(Map.of("RANK", "0", "WORLD_SIZE", "1"))).isEmpty();
  }

  @Test
  void itsVariablesMakeItAgain() {
    for (boolean hosts : new boolean[] {true, false}) {
      var world = new World(0, 3, 0, 3, "127.0.0.1", 4711, 7, hosts);
      assertThat(World.of(world.toEnvironment())).contains(world);
    }
  }

  @Test
  void whatMakesNoSenseIsNamed() {
    refused("MASTER_ADDR", null, "WORLD_SIZE is set and MASTER_ADDR is not");
    refused("RANK", "8", "RANK is 8; allowed: 0 to 7");
    refused("RANK", "one", "RANK is 'one', which is no whole number");
    refused("MASTER_PORT", "70000", "MASTER_PORT is 70000");
    refused("LOCAL_WORLD_SIZE", "9", "LOCAL_WORLD_SIZE is 9");
  }

  private static void refused(String name, String value, String why) {
    var variables = new HashMap<>(CLUSTER);
    if (value == null) {
      variables.remove(name);
    } else {
      variables.put(name, value);
    }
    assertThatThrownBy(() -> World.of(variables))
        .isInstanceOf(ParallelException.class)
        .hasMessageContaining(why);
  }
}
