package org.descant.provenance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.descant.audio.AudioFile;
import org.descant.audio.AudioWriter;
import org.descant.audio.Pcm;
import org.descant.provenance.CredentialReport.Ingredient;
import org.descant.provenance.CredentialReport.State;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ContentCredentialTest {
  @TempDir static Path home;
  static SigningKey key;
  static ContentCredential credential;

  @TempDir Path folder;

  @BeforeAll
  static void makeKeys() {
    key = SigningKey.loadOrCreate(home);
    credential = new ContentCredential(key);
  }

  @Test
  void aSignedWavIsTrustedUnderOurRootAndValidUnderNone() throws IOException {
    for (int dataBytes : new int[] {4_000, 4_001}) {
      Path signed = signedWav(dataBytes);
      assertThat(ContentCredential.verify(signed, key.root()).state()).isEqualTo(State.TRUSTED);
      assertThat(ContentCredential.verify(signed, key.leaf()).state()).isEqualTo(State.TRUSTED);
      assertThat(ContentCredential.verify(signed).state()).isEqualTo(State.VALID);
      SigningKey other = SigningKey.loadOrCreate(folder.resolve("other"));
      assertThat(ContentCredential.verify(signed, other.root()).state()).isEqualTo(State.VALID);
    }
  }

  @Test
  void theCredentialSaysWhatWasPutIn() throws IOException {
    CredentialReport report = ContentCredential.verify(signedWav(4_000));
    assertThat(report.holds()).isTrue();
    var said = report.credential();
    assertThat(said.title()).isEqualTo(TestSound.FACTS.title());
    assertThat(said.generator()).isEqualTo("Descant");
    assertThat(said.clipId()).isEqualTo("clip-1");
    assertThat(said.modelId()).isEqualTo(TestSound.FACTS.modelId());
    assertThat(said.datasetRoot()).isEqualTo(TestSound.FACTS.datasetRoot());
    assertThat(said.seed()).isEqualTo(11);
    assertThat(said.digitalSourceTypes()).containsExactly(Manifest.TRAINED_ALGORITHMIC_MEDIA);
    assertThat(said.ingredients())
        .extracting(Ingredient::title)
        .containsExactly("house-demo", "Front Porch Rag", "Lantern", "prompt");
    assertThat(said.ingredients()).allMatch(one -> one.relationship().equals("inputTo"));
    assertThat(said.ingredients().get(1).description())
        .contains("XX-ABC-26-00001", "Ida Marlow", "62.50 %");
    assertThat(said.ingredients().get(3).description()).isEqualTo(TestSound.FACTS.prompt());
  }

  @Test
  void equalFactsAudioAndKeyGiveEqualBytes() throws IOException {
    byte[] once = Files.readAllBytes(signedWav(4_000));
    assertThat(Files.readAllBytes(signedWav(4_000))).isEqualTo(once);
  }

  @Test
  void signingASignedFileReplacesItsCredential() throws IOException {
    Path signed = signedWav(4_000);
    Path again = folder.resolve("again.wav");
    credential.signWav(signed, again, TestSound.FACTS);
    assertThat(again).hasSameBinaryContentAs(signed);
  }

  @Test
  void theAudioBytesStayAndNothingIsPadding() throws IOException {
    Path plain = TestSound.wav(folder.resolve("plain.wav"), 4_000);
    Path signed = signedWav(4_000);
    byte[] before = Files.readAllBytes(plain);
    byte[] after = Files.readAllBytes(signed);
    assertThat(Arrays.copyOfRange(after, 8, before.length))
        .isEqualTo(Arrays.copyOfRange(before, 8, before.length));
    int manifest = store(signed).bytes().length;
    assertThat(after.length).isEqualTo(before.length + 8 + manifest + (manifest & 1));
    assertThat(longestRunOfZeros(store(signed).bytes())).isLessThan(8);
  }

  @Test
  void aFlacFromTheEncoderKeepsItsSoundAndIsTrusted() {
    var samples = new float[2][44_100];
    var random = new SplittableRandom(3);
    for (int i = 0; i < 44_100; i++) {
      samples[0][i] = (float) Math.round(8_000 * StrictMath.sin(i * 0.05)) / 32_768;
      samples[1][i] = (random.nextInt(200) - 100) / 32_768f;
    }
    Path plain = folder.resolve("plain.flac");
    Path signed = folder.resolve("signed.flac");
    AudioWriter.flac(new Pcm(samples, 44_100), plain);
    credential.signFlac(plain, signed, TestSound.FACTS);
    assertThat(ContentCredential.verify(signed, key.root()).state()).isEqualTo(State.TRUSTED);
    assertThat(AudioFile.decode(signed).hash()).isEqualTo(AudioFile.decode(plain).hash());

    Path again = folder.resolve("again.flac");
    credential.signFlac(signed, again, TestSound.FACTS);
    assertThat(again).hasSameBinaryContentAs(signed);
  }

  @Test
  void anyChangedBitOfTheSoundIsNoticed() throws IOException {
    Path signed = signedWav(4_000);
    byte[] bytes = Files.readAllBytes(signed);
    var random = new SplittableRandom(5);
    for (int i = 0; i < 300; i++) {
      assertChangeIsNoticed(bytes, random.nextInt((int) store(signed).from() * 8));
    }
    CredentialReport report = ContentCredential.verify(flipped(bytes, 1_000 * 8));
    assertThat(report.state()).isEqualTo(State.INVALID);
    assertThat(report.problems()).singleElement().asString().contains("sound");
  }

  @Test
  void changedBitsAllOverTheCredentialAreNoticed() throws IOException {
    Path signed = signedWav(400);
    byte[] bytes = Files.readAllBytes(signed);
    var random = new SplittableRandom(6);
    int from = (int) store(signed).from();
    for (int at = from; at < bytes.length; at += 1 + random.nextInt(6)) {
      assertChangeIsNoticed(bytes, at * 8 + random.nextInt(8));
    }
    // The heads of the first boxes, and what stands around the signature: no hash covers them.
    for (int bit = 0; bit < 100 * 8; bit++) {
      assertChangeIsNoticed(bytes, from * 8 + bit);
      assertChangeIsNoticed(bytes, bytes.length * 8 - 1 - bit);
    }
  }

  @Test
  @Tag("slow")
  void aChangeOfEachBitOfTheCredentialIsNoticed() throws IOException {
    Path signed = signedWav(400);
    byte[] bytes = Files.readAllBytes(signed);
    for (int bit = (int) store(signed).from() * 8; bit < bytes.length * 8; bit++) {
      assertChangeIsNoticed(bytes, bit);
    }
  }

  @Test
  void appendedBytesAndMovedSoundAreNoticed() throws IOException {
    byte[] bytes = Files.readAllBytes(signedWav(4_000));
    Path longer = Files.write(folder.resolve("longer"), Arrays.copyOf(bytes, bytes.length + 4));
    assertThat(ContentCredential.verify(longer).state()).isEqualTo(State.INVALID);

    Path other = TestSound.wav(folder.resolve("other.wav"), 6_000);
    byte[] stolen = Files.readAllBytes(other);
    Store chunk = store(signedWav(4_000));
    byte[] joined = Arrays.copyOf(stolen, stolen.length + (int) (chunk.to() - chunk.from()));
    System.arraycopy(
        bytes, (int) chunk.from(), joined, stolen.length, (int) (chunk.to() - chunk.from()));
    assertThat(ContentCredential.verify(Files.write(other, joined)).state())
        .isEqualTo(State.INVALID);
  }

  @Test
  void aFileWithoutCredentialSaysSo() throws IOException {
    for (byte[] bytes :
        new byte[][] {
          {}, {1, 2, 3}, "RIFF".getBytes(), "ID3".getBytes(), "hello, I am a text".getBytes()
        }) {
      Path file = Files.write(folder.resolve("file"), bytes);
      assertThat(ContentCredential.verify(file).state()).isEqualTo(State.NONE);
    }
    Path plain = TestSound.wav(folder.resolve("plain.wav"), 4_000);
    assertThat(ContentCredential.verify(plain).sentence()).startsWith("No credential");
  }

  @Test
  void hostileBytesGetAnAnswer() throws IOException {
    byte[] wav = Files.readAllBytes(signedWav(400));
    Path flacFile = folder.resolve("signed.flac");
    credential.signFlac(TestSound.flac(folder.resolve("a.flac")), flacFile, TestSound.FACTS);
    byte[] flac = Files.readAllBytes(flacFile);
    var random = new SplittableRandom(9);
    for (int i = 0; i < 1_000; i++) {
      byte[] bytes = (i % 2 == 0 ? wav : flac).clone();
      int at = i % 2 == 0 ? 400 : 0;
      for (int changes = random.nextInt(1, 20); changes > 0; changes--) {
        int length = Math.min(bytes.length - at, 6_000);
        bytes[at + random.nextInt(length)] = (byte) random.nextInt();
      }
      if (random.nextInt(4) == 0) {
        bytes = Arrays.copyOf(bytes, random.nextInt(bytes.length));
      }
      Path file = Files.write(folder.resolve("hostile"), bytes);
      assertThat(ContentCredential.verify(file, key.root()).sentence()).isNotBlank();
    }
  }

  @Test
  void whatIsNoWholeWavOrFlacIsRefusedAndNothingIsLeft() throws IOException {
    Path out = folder.resolve("out.wav");
    Path whole = TestSound.wav(folder.resolve("whole.wav"), 4_000);
    Path cut =
        Files.write(folder.resolve("cut.wav"), Arrays.copyOf(Files.readAllBytes(whole), 2_000));
    assertThatThrownBy(() -> credential.signWav(cut, out, TestSound.FACTS))
        .isInstanceOf(ProvenanceException.class)
        .hasMessageContaining("cut off");
    assertThatThrownBy(() -> credential.signFlac(whole, out, TestSound.FACTS))
        .isInstanceOf(ProvenanceException.class)
        .hasMessageContaining("not a FLAC file");
    assertThatThrownBy(() -> ContentCredential.verify(folder))
        .isInstanceOf(ProvenanceException.class)
        .hasMessageContaining("not a file");
    try (var files = Files.list(folder)) {
      assertThat(files).containsExactlyInAnyOrder(whole, cut);
    }
  }

  private record Store(long from, long to, byte[] bytes) {}

  private static Store store(Path file) throws IOException {
    try (FileChannel channel = FileChannel.open(file)) {
      var store = Carrier.find(channel).orElseThrow();
      return new Store(store.from(), store.to(), store.bytes());
    } catch (Malformed e) {
      throw new AssertionError(e);
    }
  }

  private Path signedWav(int dataBytes) throws IOException {
    Path signed = folder.resolve("signed-" + dataBytes + ".wav");
    Path plain = TestSound.wav(folder.resolve("unsigned-" + dataBytes + ".wav"), dataBytes);
    credential.signWav(plain, signed, TestSound.FACTS);
    return signed;
  }

  private void assertChangeIsNoticed(byte[] bytes, int bit) throws IOException {
    assertThat(ContentCredential.verify(flipped(bytes, bit), key.root()).holds())
        .as("bit %d", bit)
        .isFalse();
  }

  private Path flipped(byte[] bytes, int bit) throws IOException {
    byte[] changed = bytes.clone();
    changed[bit / 8] ^= (byte) (1 << bit % 8);
    return Files.write(folder.resolve("flipped"), changed);
  }

  private static int longestRunOfZeros(byte[] bytes) {
    int longest = 0;
    int run = 0;
    for (byte one : bytes) {
      run = one == 0 ? run + 1 : 0;
      longest = Math.max(longest, run);
    }
    return longest;
  }
}
