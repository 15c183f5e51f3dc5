package org.descant.provenance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.SplittableRandom;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TransparencyLogTest {
  /** The entries and roots that Certificate Transparency's own tests use (RFC 6962). */
  private static final List<String> ENTRIES =
      List.of(
          "",
          "00",
          "10",
          "2021",
          "3031",
          "40414243",
          "5051525354555657",
          "606162636465666768696a6b6c6d6e6f");

  private static final List<String> ROOTS =
      List.of(
          "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
          "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
          "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
          "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
          "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
          "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
          "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
          "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");

  @TempDir Path home;
  SigningKey key;
  TransparencyLog log;

  @BeforeEach
  void open() {
    key = SigningKey.loadOrCreate(home);
    log = TransparencyLog.open(home, key);
  }

  @Test
  void theRootsAreThoseOfRfc6962() {
    assertThat(hex(log.checkpoint().root()))
        .isEqualTo("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    for (int i = 0; i < ENTRIES.size(); i++) {
      assertThat(log.append(HexFormat.of().parseHex(ENTRIES.get(i)))).isEqualTo(i);
      assertThat(hex(log.checkpoint().root())).isEqualTo(ROOTS.get(i));
      assertThat(log.checkpoint().size()).isEqualTo(i + 1);
    }
  }

  @Test
  void theKeyIdIsThatOfAPublishedLogKey() {
    String published = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
    assertThat(LogKey.parse(published)).hasToString(published);
    assertThatThrownBy(() -> LogKey.parse(published.replace("033de0ae", "033de0af")))
        .isInstanceOf(ProvenanceException.class);
  }

  @Test
  void theFilesAreThoseOfTheStandard() throws Exception {
    log.appendAll(entries(0, 300));
    Path tile = home.resolve("log/tile");
    assertThat(tile.resolve("0/000")).hasSize(8_192);
    assertThat(tile.resolve("0/001.p/44")).hasSize(44 * 32);
    assertThat(tile.resolve("1/000.p/1")).hasSize(32);
    assertThat(tile.resolve("entries/000")).exists();
    assertThat(tile.resolve("entries/001.p/44")).hasSize(44 * (2 + 8));
    List<String> note = Files.readAllLines(home.resolve("log/checkpoint"));
    assertThat(note.get(1)).isEqualTo("300");
    assertThat(note.get(3)).isEmpty();
    assertThat(note.get(4)).startsWith("\u2014 " + note.get(0) + " ");
  }

  @Test
  void everyEntryHasAProofThatVerifiesAndNoOtherDoes() {
    log.appendAll(entries(0, 250));
    log.appendAll(entries(250, 20));
    log.appendAll(entries(270, 430));
    Checkpoint head = log.checkpoint();
    for (int i = 0; i < 700; i++) {
      LogProof proof = LogProof.parse(log.prove(i).text());
      assertThat(proof.verify(entry(i), log.verifierKey()).size()).isEqualTo(700);
      assertThat(log.entry(i)).isEqualTo(entry(i));
      assertThat(
              MerkleTree.verifyInclusion(
                  MerkleTree.leafHash(entry(i + 1)), i, 700, proof.hashes(), head.root()))
          .isFalse();
      assertThat(
              MerkleTree.verifyInclusion(
                  MerkleTree.leafHash(entry(i)), i ^ 1, 700, proof.hashes(), head.root()))
          .isFalse();
    }
    assertThat(log.find(entry(613))).hasValue(613);
    assertThat(log.find(entry(-1))).isEmpty();
    assertThatThrownBy(() -> log.prove(700)).hasMessageContaining("no entry 700");
  }

  @Test
  void everyEarlierHeadIsAPrefixOfEveryLaterOne() {
    var roots = new ArrayList<byte[]>(List.of(log.checkpoint().root()));
    for (int i = 0; i < 40; i++) {
      log.append(entry(i));
      roots.add(log.checkpoint().root());
    }
    for (int size = 0; size <= 40; size++) {
      for (int old = 0; old <= size; old++) {
        List<byte[]> proof = log.proveConsistency(old, size);
        assertThat(MerkleTree.verifyConsistency(old, roots.get(old), size, roots.get(size), proof))
            .as("%d in %d", old, size)
            .isTrue();
        if (old > 0 && old < size) {
          byte[] wrong = roots.get(old).clone();
          wrong[3] ^= 1;
          assertThat(MerkleTree.verifyConsistency(old, wrong, size, roots.get(size), proof))
              .isFalse();
          assertThat(MerkleTree.verifyConsistency(old, roots.get(old), size, wrong, proof))
              .isFalse();
        }
      }
    }
  }

  @Test
  void aProofWithAnyChangedCharacterIsRefused() {
    log.appendAll(entries(0, 20));
    String proof = log.prove(7).text();
    var random = new SplittableRandom(4);
    for (int i = 0; i < 500; i++) {
      var changed = new StringBuilder(proof);
      int at = random.nextInt(proof.length());
      changed.setCharAt(at, (char) (proof.charAt(at) ^ 1 << random.nextInt(5)));
      assertThatThrownBy(
              () -> LogProof.parse(changed.toString()).verify(entry(7), log.verifierKey()))
          .as("character %d", at)
          .isInstanceOf(ProvenanceException.class);
    }
    assertThat(LogProof.parse(proof).verify(entry(7), log.verifierKey()).size()).isEqualTo(20);
  }

  @Test
  void leftoversOfACrashAreWrittenAnew() throws Exception {
    log.appendAll(entries(0, 250));
    byte[] before = Files.readAllBytes(home.resolve("log/checkpoint"));
    log.appendAll(entries(1_000, 10));
    Files.write(home.resolve("log/checkpoint"), before);

    log.appendAll(entries(250, 3));
    assertThat(log.entry(251)).isEqualTo(entry(251));
    log.appendAll(entries(253, 10));
    for (int i = 0; i < 263; i++) {
      log.prove(i).verify(entry(i), log.verifierKey());
    }
  }

  @Test
  void damagedTilesStopTheLogFromGrowing() throws Exception {
    log.appendAll(entries(0, 20));
    Path tile = home.resolve("log/tile/0/000.p/20");
    byte[] bytes = Files.readAllBytes(tile);
    bytes[100] ^= 1;
    Files.write(tile, bytes);
    assertThatThrownBy(() -> log.append(entry(20)))
        .isInstanceOf(ProvenanceException.class)
        .hasMessageContaining("backup");
    assertThat(log.checkpoint().size()).isEqualTo(20);
  }

  @Test
  void processesThatAreKilledLoseNothingThatWasAnswered() throws Exception {
    var answered = new ArrayList<Path>();
    var random = new SplittableRandom(11);
    for (int round = 0; round < 3; round++) {
      var processes = new ArrayList<Process>();
      for (int i = 0; i < 2; i++) {
        Path out = home.resolve("out-" + round + "-" + i);
        answered.add(out);
        processes.add(
            ChildProcess.start(
                TransparencyLogTest.class, out, home.toString(), Integer.toString(2 * round + i)));
      }
      long wanted = log.checkpoint().size() + 30;
      while (log.checkpoint().size() < wanted) {
        Thread.sleep(random.nextInt(5, 30));
      }
      for (Process process : processes) {
        process.destroyForcibly().waitFor();
      }
    }
    log.append(entry(-5));

    long size = log.checkpoint().size();
    var seen = new TreeSet<String>();
    for (long i = 0; i < size; i++) {
      log.prove(i).verify(log.entry(i), log.verifierKey());
      assertThat(seen.add(hex(log.entry(i)))).isTrue();
    }
    for (Path out : answered) {
      for (String line : completeLines(out)) {
        String[] words = line.split(" ");
        assertThat(hex(log.entry(Long.parseLong(words[0])))).isEqualTo(words[1]);
      }
    }
  }

  /** Appends for ever; prints each answer. */
  public static void main(String[] arguments) {
    Path home = Path.of(arguments[0]);
    TransparencyLog log = TransparencyLog.open(home, SigningKey.loadOrCreate(home));
    for (long i = 0; ; i++) {
      byte[] entry =
          ByteBuffer.allocate(16).putLong(Long.parseLong(arguments[1])).putLong(i).array();
      System.out.println(log.append(entry) + " " + hex(entry));
    }
  }

  private static List<String> completeLines(Path file) throws Exception {
    String text = Files.readString(file, StandardCharsets.US_ASCII);
    return text.substring(0, text.lastIndexOf('\n') + 1).lines().toList();
  }

  private static List<byte[]> entries(int from, int count) {
    return IntStream.range(from, from + count).mapToObj(TransparencyLogTest::entry).toList();
  }

  private static byte[] entry(int number) {
    return ByteBuffer.allocate(8).putLong(number).array();
  }

  private static String hex(byte[] bytes) {
    return HexFormat.of().formatHex(bytes);
  }
}
