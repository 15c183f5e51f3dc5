package org.descant.audio.analysis;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.descant.audio.AudioException;
import org.descant.audio.AudioFile;
import org.descant.audio.AudioWriter;
import org.descant.audio.MusicalKey;
import org.descant.audio.Pcm;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class FingerprintTest {
  private static final double SECONDS = 20;

  @TempDir Path folder;

  @ParameterizedTest
  @EnumSource(TestSong.Style.class)
  void theSameRecordingIsFoundThroughOpusGainAndCut(TestSong.Style style) {
    Pcm song = song(style, 1);
    Pcm copy = opus(Loudness.normalizeTo(song.sliceSeconds(3.217, SECONDS), -30, 1), 32_000);
    assertThat(Fingerprint.of(song).isSameRecordingAs(Fingerprint.of(copy))).isTrue();
    CopyMatch match = CopiedSpan.longest(copy, song);
    assertThat(match.seconds()).isGreaterThan(SECONDS - 3.217 - 0.6);
    assertThat(match.recordingStart() - match.clipStart()).isCloseTo(3.217, within(0.06));
  }

  @Test
  void differentMusicWithTheSameChordsTempoAndBandIsAnother() {
    List<Pcm> songs = new ArrayList<>();
    for (TestSong.Style style : TestSong.Style.values()) {
      songs.add(song(style, 11 + style.ordinal()));
    }
    songs.add(song(TestSong.Style.ROCK, 21));
    songs.add(song(TestSong.Style.WALTZ, 22));
    for (int i = 0; i < songs.size(); i++) {
      for (int j = 0; j < i; j++) {
        Fingerprint a = Fingerprint.of(songs.get(i));
        Fingerprint b = Fingerprint.of(songs.get(j));
        assertThat(a.similarity(b)).as("songs %d and %d", i, j).isLessThan(0.65);
        assertThat(CopiedSpan.longest(a, b).seconds()).as("songs %d, %d", i, j).isLessThan(2);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(TestSong.Style.class)
  void aSpliceOfFourSecondsIsFoundWhereItIs(TestSong.Style style) {
    Pcm recording = song(style, 1);
    Pcm clip = TestSong.of(style, 97, MusicalKey.parse("Eb"), 15, 2, 1).pcm();
    int at = 5 * TestSong.RATE;
    System.arraycopy(
        recording.channel(0), 8 * TestSong.RATE, clip.channel(0), at, 4 * TestSong.RATE);
    CopyMatch match = CopiedSpan.longest(opus(clip, 32_000), recording);
    assertThat(match.seconds()).isCloseTo(4, within(0.3));
    assertThat(match.clipStart()).isCloseTo(5, within(0.3));
    assertThat(match.recordingStart()).isCloseTo(8, within(0.3));
  }

  @Test
  void silenceAndSteadyTonesAreCopiesOfNothing() {
    Pcm silence = Pcm.ofMono(new float[10 * 44_100], 44_100);
    float[] tone = new float[10 * 44_100];
    for (int i = 0; i < tone.length; i++) {
      tone[i] = (float) (0.3 * Math.sin(i * 0.05));
    }
    Pcm steady = Pcm.ofMono(tone, 44_100);
    assertThat(CopiedSpan.longest(silence, silence)).isEqualTo(CopyMatch.NONE);
    assertThat(CopiedSpan.longest(silence, song(TestSong.Style.ROCK, 1)).seconds()).isZero();
    assertThat(Fingerprint.of(silence).similarity(Fingerprint.of(silence))).isZero();
    assertThat(CopiedSpan.longest(steady, steady).seconds()).isZero();
  }

  @Test
  void veryShortSoundsAreAnswered() {
    Fingerprint tiny = Fingerprint.of(Pcm.ofMono(new float[] {0.5f}, 44_100));
    Fingerprint song = Fingerprint.of(song(TestSong.Style.ROCK, 1));
    assertThat(tiny.similarity(song)).isZero();
    assertThat(song.similarity(tiny)).isZero();
    assertThat(CopiedSpan.longest(tiny, song)).isEqualTo(CopyMatch.NONE);
    assertThat(Fingerprint.fromBytes(tiny.toBytes())).isEqualTo(tiny);
  }

  @Test
  void bytesBringBackTheFingerprint() {
    Fingerprint one = Fingerprint.of(song(TestSong.Style.BALLAD, 3));
    Fingerprint back = Fingerprint.fromBytes(one.toBytes());
    assertThat(back).isEqualTo(one).hasSameHashCodeAs(one);
    assertThat(back.similarity(one)).isGreaterThan(0.999);
    assertThat(back.seconds()).isCloseTo(SECONDS, within(0.1));
    assertThat(one.toBytes().length).isLessThan((int) (450 * SECONDS));
    assertThatThrownBy(() -> Fingerprint.fromBytes(new byte[0])).isInstanceOf(AudioException.class);
    assertThatThrownBy(() -> Fingerprint.fromBytes(new byte[22]))
        .isInstanceOf(AudioException.class)
        .hasMessageContaining("no fingerprint");
  }

  private static Pcm song(TestSong.Style style, long seed) {
    return TestSong.of(style, 112, MusicalKey.parse("A minor"), SECONDS, seed).pcm();
  }

  private Pcm opus(Pcm pcm, int bitsPerSecond) {
    Path file = folder.resolve("copy.opus");
    AudioWriter.opus(pcm, file, bitsPerSecond);
    return AudioFile.decode(file);
  }
}
