package org.descant.provenance.proof;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;
import org.descant.provenance.LogKey;
import org.descant.provenance.ProvenanceException;
import org.descant.provenance.SigningKey;
import org.descant.provenance.TransparencyLog;
import org.descant.provenance.proof.RecordingProof.Answer;
import org.descant.provenance.proof.RecordingProof.Verified;
import org.descant.rights.Isrc;
import org.descant.rights.Use;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RecordingProofTest {
  private static final String MODEL = "sha256:" + "ab".repeat(32);

  @TempDir Path home;

  private TransparencyLog log() {
    return TransparencyLog.open(home, SigningKey.loadOrCreate(home));
  }

  private static Isrc isrc(int number) {
    return Isrc.of("QZTST26%05d".formatted(number));
  }

  private static String hash(SplittableRandom random) {
    byte[] bytes = new byte[32];
    random.nextBytes(bytes);
    return HexFormat.of().formatHex(bytes);
  }

  private static DatasetLine line(int number, SplittableRandom random) {
    boolean allowed = random.nextInt(3) > 0;
    String pcm = !allowed && random.nextBoolean() ? "-" : hash(random);
    return new DatasetLine(isrc(number), pcm, Use.TRAIN, allowed, hash(random));
  }

  private static List<DatasetLine> lines(int count, SplittableRandom random) {
    Set<Integer> numbers = new HashSet<>();
    while (numbers.size() < count) {
      numbers.add(random.nextInt(3 * count));
    }
    return numbers.stream().map(number -> line(number, random)).toList();
  }

  @Test
  void theRootIsThatOfTheManifestsText() {
    List<DatasetLine> lines =
        List.of(
            new DatasetLine(isrc(2), "-", Use.TRAIN, false, "cd".repeat(32)),
            new DatasetLine(isrc(1), "ab".repeat(32), Use.TRAIN, true, "cd".repeat(32)));
    // printf 'descant-dataset/1\tTRAIN\nQZTST2600001\t…\n' | sha256sum
    assertThat(DatasetLine.root(lines))
        .isEqualTo("f370e63c17d126d055ae0e8ae423c51912d01afbe0c0b9b03efee8db5dff4b4f");
    assertThatThrownBy(() -> DatasetLine.root(List.of(lines.get(0), lines.get(0))))
        .hasMessageContaining("twice");
  }

  @Test
  void everyRecordingOfRandomSetsIsShownAsItIsAndEveryOtherAsAbsent() {
    var random = new SplittableRandom(1);
    for (int count : new int[] {1, 2, 3, 8, 65, 300}) {
      List<DatasetLine> lines = lines(count, random);
      var tree = new DatasetTree(lines);
      var shuffled = new ArrayList<>(lines);
      shuffled.addFirst(shuffled.removeLast());
      assertThat(new DatasetTree(shuffled).root()).isEqualTo(tree.root());
      for (int number = 0; number < 3 * count; number++) {
        Isrc isrc = isrc(number);
        Optional<DatasetLine> expected =
            lines.stream().filter(line -> line.isrc().equals(isrc)).findFirst();
        assertThat(DatasetTree.check(tree.root(), isrc, tree.way(isrc))).isEqualTo(expected);
      }
    }
  }

  /** Whatever way is shown under one root, it never contradicts the tree. */
  @Test
  void noWayShowsAbsenceOfWhatIsThereOrAnotherLine() {
    var random = new SplittableRandom(2);
    List<DatasetLine> lines = lines(40, random);
    var tree = new DatasetTree(lines);
    for (DatasetLine line : lines) {
      Isrc isrc = line.isrc();
      DatasetTree.Way way = tree.way(isrc);
      var other =
          new DatasetLine(isrc, line.pcmHash(), Use.TRAIN, !line.allowed(), line.rulesHash());
      List<DatasetTree.Way> forged = new ArrayList<>();
      forged.add(new DatasetTree.Way(way.siblings(), null));
      forged.add(new DatasetTree.Way(way.siblings(), other.text()));
      forged.add(new DatasetTree.Way(List.of(), way.leaf()));
      lines.stream()
          .filter(neighbour -> neighbour != line)
          .forEach(neighbour -> forged.add(tree.way(neighbour.isrc())));
      for (DatasetTree.Way wrong : forged) {
        assertThatThrownBy(() -> DatasetTree.check(tree.root(), isrc, wrong))
            .isInstanceOf(ProvenanceException.class);
      }
    }
  }

  @Test
  void aProofIsReadBackAndSaysWhatTheDatasetSays() throws Exception {
    var random = new SplittableRandom(3);
    TransparencyLog log = log();
    log.append("something else".getBytes(StandardCharsets.UTF_8));
    List<DatasetLine> lines = lines(50, random);
    var seen = new HashSet<Answer>();
    for (int number = 0; number < 150; number += 7) {
      Isrc isrc = isrc(number);
      for (boolean whole : new boolean[] {false, true}) {
        Path file = home.resolve("proof.json");
        RecordingProof.make(log, MODEL, lines, isrc, List.of("Künstlerin said no."), whole)
            .write(file);
        assertThat(RecordingProof.looksLikeOne(file)).isTrue();
        Verified verified = RecordingProof.read(file).verify(log.verifierKey());
        assertThat(verified.recording()).isEqualTo(isrc);
        assertThat(verified.model()).isEqualTo(MODEL);
        assertThat(verified.dataset()).isEqualTo(DatasetLine.root(lines));
        assertThat(verified.notes()).containsExactly("Künstlerin said no.");
        assertThat(verified.answer())
            .isEqualTo(
                lines.stream()
                    .filter(line -> line.isrc().equals(isrc))
                    .map(line -> line.allowed() ? Answer.INCLUDED : Answer.REFUSED)
                    .findFirst()
                    .orElse(Answer.ABSENT));
        seen.add(verified.answer());
        assertThat(verified.sentence()).contains(isrc.formatted()).contains(MODEL);
        assertThat(Files.readString(file).contains("\"list\":null")).isEqualTo(!whole);
      }
    }
    assertThat(seen).containsExactlyInAnyOrder(Answer.values());
    assertThat(log.checkpoint().size()).as("each entry once").isEqualTo(3);
  }

  @Test
  void anyFlippedBitFailsWithASentence() {
    var random = new SplittableRandom(4);
    TransparencyLog log = log();
    List<DatasetLine> lines = lines(30, random);
    for (int number : new int[] {89, 1}) {
      for (boolean whole : new boolean[] {false, true}) {
        byte[] proof =
            RecordingProof.make(log, MODEL, lines, isrc(number), List.of("a note"), whole).bytes();
        RecordingProof.parse(proof).verify(null);
        int stride = whole ? 201 : number == 89 ? 7 : 41;
        for (int bit = random.nextInt(stride); bit < 8 * proof.length; bit += stride) {
          byte[] changed = proof.clone();
          changed[bit / 8] ^= (byte) (1 << (bit % 8));
          int at = bit;
          assertThatThrownBy(() -> RecordingProof.parse(changed).verify(null))
              .as("bit %d", at)
              .isInstanceOf(ProvenanceException.class);
        }
        for (int i = 0; i < 60; i++) {
          byte[] changed = proof.clone();
          int at = random.nextInt(changed.length);
          changed[at] += (byte) random.nextInt(1, 256);
          assertThatThrownBy(() -> RecordingProof.parse(changed).verify(null))
              .as("byte %d", at)
              .isInstanceOf(ProvenanceException.class);
        }
      }
    }
  }

  @Test
  void aProofOfAnotherHouseIsNotTakenForOurs() throws Exception {
    TransparencyLog ours = log();
    Path elsewhere = Files.createDirectory(home.resolve("elsewhere"));
    TransparencyLog theirs = TransparencyLog.open(elsewhere, SigningKey.loadOrCreate(elsewhere));
    List<DatasetLine> lines = lines(5, new SplittableRandom(5));
    RecordingProof proof = RecordingProof.make(theirs, MODEL, lines, isrc(1), List.of(), false);
    assertThat(proof.verify(null).logKey()).isEqualTo(theirs.verifierKey());
    assertThatThrownBy(() -> proof.verify(ours.verifierKey())).hasMessageContaining("signed by");
  }

  /** A house that logs the tree of another list is found out by the list. */
  @Test
  void aTreeThatIsNotThatOfTheListIsFoundOut() {
    TransparencyLog log = log();
    List<DatasetLine> lines = lines(9, new SplittableRandom(6));
    String whole =
        new String(
            RecordingProof.make(log, MODEL, lines, isrc(1), List.of(), true).bytes(),
            StandardCharsets.UTF_8);
    String cut = whole.replaceFirst("\"list\":\\[\"[^\"]*\",", "\"list\":[");
    assertThat(cut).isNotEqualTo(whole);
    String body = cut.substring(0, cut.lastIndexOf(",\"signature\":")) + "}";
    String note = log.sign(body + "\n").strip();
    String signed =
        body.substring(0, body.length() - 1)
            + ",\"signature\":\""
            + note.substring(note.lastIndexOf(' ') + 1)
            + "\"}\n";
    assertThatThrownBy(
            () -> RecordingProof.parse(signed.getBytes(StandardCharsets.UTF_8)).verify(null))
        .isInstanceOf(ProvenanceException.class)
        .hasMessageContaining("list");
  }

  @Test
  void noBytesBreakTheReader() {
    TransparencyLog log = log();
    List<DatasetLine> lines = lines(3, new SplittableRandom(7));
    String proof =
        new String(
            RecordingProof.make(log, MODEL, lines, isrc(1), List.of(), false).bytes(),
            StandardCharsets.UTF_8);
    var wrong = new ArrayList<>(List.of("", "{", "{}\n", ",\"signature\":\"}\n", "\"}\n"));
    for (String name :
        List.of("format", "recording", "answer", "notes", "model", "tree", "way", "logKey")) {
      wrong.add(proof.replaceFirst("\"" + name + "\":(\\{[^}]*}|[^,]*)", "\"" + name + "\":null"));
      wrong.add(proof.replaceFirst("\"" + name + "\":(\\{[^}]*}|[^,]*),", ""));
    }
    assertThat(wrong).doesNotContain(proof);
    for (String text : wrong) {
      assertThatThrownBy(() -> RecordingProof.parse(text.getBytes(StandardCharsets.UTF_8)))
          .as(text)
          .isInstanceOf(ProvenanceException.class);
    }
  }

  @Test
  void theLogSignsNothingThatCouldPassForACheckpoint() {
    TransparencyLog log = log();
    LogKey key = LogKey.parse(log.verifierKey());
    assertThat(key.verified(log.sign("a line\n"))).isEqualTo("a line\n");
    assertThatThrownBy(() -> log.sign(key.name() + "\n7\nAAAA\n"))
        .isInstanceOf(ProvenanceException.class);
  }
}
