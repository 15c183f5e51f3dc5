package org.descant.attribution;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.descant.audio.Pcm;
import org.descant.audio.analysis.Fingerprint;
import org.descant.models.HouseModel;
import org.descant.models.codec.MagnitudeCodec;
import org.descant.rights.Isrc;
import org.descant.rights.RecordingWeight;
import org.descant.shards.Dataset;
import org.descant.tensor.DType;
import org.descant.tensor.Safetensors;
import org.descant.tensor.SafetensorsWriter;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AttributorTest {
  @TempDir static Path shared;
  private static Dataset dataset;

  @TempDir Path folder;

  @BeforeAll
  static void makeDataset() {
    dataset = Dataset.open(Small.dataset(shared.resolve("dataset"), 4, 0));
  }

  @AfterAll
  static void closeDataset() {
    dataset.close();
  }

  @Test
  void theIndexIsTheSameBytesEachTime() throws Exception {
    Small.model(folder, dataset, 1);
    List<String> lines = new ArrayList<>();
    AttributionIndex.build(folder, dataset, lines::add);
    byte[] first = Files.readAllBytes(folder.resolve(AttributionIndex.FILE));
    AttributionIndex.build(folder, dataset);
    assertThat(Files.readAllBytes(folder.resolve(AttributionIndex.FILE))).isEqualTo(first);
    assertThat(lines).hasSize(3).last().asString().contains("3 of 3 recordings, 0 s left");
    assertThat(folder).isDirectoryNotContaining("glob:**.tmp");
  }

  @Test
  void weightsCoverTheTrainedRecordingsAloneAndSumToOne() throws Exception {
    Small.model(folder, dataset, 1);
    AttributionIndex.build(folder, dataset);
    weightsCoverTheTrainedRecordings();
  }

  @Test
  void clipsOfAFlowModelAreAttributedAlike() throws Exception {
    Small.flow(folder, dataset);
    AttributionIndex.build(folder, dataset);
    weightsCoverTheTrainedRecordings();
  }

  private void weightsCoverTheTrainedRecordings() throws Exception {
    int[][] codes = Small.codes(7, 100);
    Attributor attributor = Attributor.open(folder);
    List<RecordingWeight> weights = attributor.attribute(codes);
    assertThat(weights)
        .extracting(w -> w.isrc().toString())
        .containsExactly("QZTST2600001", "QZTST2600002", "QZTST2600003");
    assertThat(weights).allMatch(w -> w.weight() >= 0);
    assertThat(weights.stream().mapToDouble(RecordingWeight::weight).sum())
        .isCloseTo(1, within(1e-9));

    List<RecordingWeight> again = new ArrayList<>();
    Thread.ofVirtual().start(() -> again.addAll(attributor.attribute(codes))).join();
    assertThat(again).isEqualTo(weights);
    assertThat(Attributor.open(folder).attribute(codes)).isEqualTo(weights);
    assertThatThrownBy(() -> attributor.attribute(new int[][] {{99, 99}, {0, 0}}))
        .isInstanceOf(AttributionException.class)
        .hasMessageContaining("Codes go from 0 to 15, not 99");
  }

  @Test
  void aMissingIndexIsNamed() {
    Small.model(folder, dataset, 1);
    assertThatThrownBy(() -> Attributor.open(folder))
        .isInstanceOf(AttributionException.class)
        .hasMessageContaining("build it with `descant evaluate " + folder + " --parts INDEX`");
  }

  @Test
  void theIndexOfOtherWeightsIsRefused() {
    Small.model(folder, dataset, 1);
    AttributionIndex.build(folder, dataset);
    Small.model(folder, dataset, 2);
    assertThatThrownBy(() -> Attributor.open(folder))
        .isInstanceOf(AttributionException.class)
        .hasMessageContaining("belongs to other weights");
  }

  @Test
  void somethingElseUnderTheIndexsNameIsRefused() throws Exception {
    Small.model(folder, dataset, 1);
    Files.writeString(folder.resolve(AttributionIndex.FILE), "not an index at all");
    assertThatThrownBy(() -> Attributor.open(folder))
        .isInstanceOf(AttributionException.class)
        .hasMessageContaining("is not an attribution index of this version");
  }

  @Test
  void theIndexKnowsEachRecordingAsTheCodecGivesItBack() throws Exception {
    Small.flow(folder, dataset);
    AttributionIndex.build(folder, dataset);
    Attributor attributor = Attributor.open(folder);
    try (HouseModel model = HouseModel.load(folder)) {
      MagnitudeCodec codec = model.codec();
      for (int i = 0; i < 3; i++) {
        float[][] channels = dataset.read(i).resampled(codec.sampleRate()).channels();
        Pcm back = new Pcm(codec.decode(codec.encode(channels)), codec.sampleRate());
        assertThat(attributor.throughCodec(Isrc.of(dataset.isrc(i))))
            .isEqualTo(Fingerprint.of(back));
      }
      assertThatThrownBy(() -> attributor.throughCodec(Isrc.of(dataset.isrc(3))))
          .isInstanceOf(AttributionException.class)
          .hasMessageContaining("did not learn from " + dataset.isrc(3));
    }
  }

  @Test
  void anIndexOfAnEarlierVersionOrADamagedOneIsRefused() {
    Small.model(folder, dataset, 1);
    AttributionIndex.build(folder, dataset);
    Path file = folder.resolve(AttributionIndex.FILE);
    String print = "print.QZTST2600002";
    try (Scope scope = Scope.open()) {
      Map<String, Tensor> whole = new TreeMap<>();
      Map<String, String> facts;
      try (Safetensors saved = Safetensors.open(file)) {
        saved.names().forEach(name -> whole.put(name, saved.tensor(name)));
        facts = Map.copyOf(saved.metadata());
      }
      SafetensorsWriter.write(file, whole, earlier(facts));
      requireRefused();
      Map<String, Tensor> others = new TreeMap<>(whole);
      others.put("counts", whole.get("counts").add(1));
      SafetensorsWriter.write(file, others, facts);
      requireRefused();
      long size = whole.get(print).size(0);
      List<Tensor> damaged = new ArrayList<>();
      damaged.add(null); // none
      damaged.add(whole.get(print).narrow(0, 0, size - 20)); // a frame less
      damaged.add(whole.get(print).narrow(0, 0, size - 7));
      damaged.add(Tensor.zeros(DType.U8, size));
      damaged.add(
          Tensor.cat(
              List.of(whole.get(print).narrow(0, 0, size - 1), Tensor.ones(DType.U8, 1)), 0));
      for (Tensor each : damaged) {
        Map<String, Tensor> tensors = new TreeMap<>(whole);
        if (each == null) {
          tensors.remove(print);
        } else {
          tensors.put(print, each);
        }
        SafetensorsWriter.write(file, tensors, facts);
        requireRefused();
      }
      SafetensorsWriter.write(file, whole, facts);
    }
    assertThat(Attributor.open(folder).recordings()).hasSize(3);
  }

  private static Map<String, String> earlier(Map<String, String> facts) {
    Map<String, String> earlier = new TreeMap<>(facts);
    earlier.put("format", "descant-attribution/2");
    return earlier;
  }

  private void requireRefused() {
    assertThatThrownBy(() -> Attributor.open(folder))
        .isInstanceOf(AttributionException.class)
        .hasMessageContaining("is not an attribution index of this version")
        .hasMessageContaining("build it again with `descant evaluate " + folder);
  }

  @Test
  void anotherDatasetThanTheModelsIsRefused() {
    Small.model(folder, dataset, 1);
    try (Dataset other = Dataset.open(Small.dataset(shared.resolve("other"), 3, 50))) {
      assertThatThrownBy(() -> AttributionIndex.build(folder, other))
          .isInstanceOf(AttributionException.class)
          .hasMessageContaining("name the right dataset");
    }
  }
}
