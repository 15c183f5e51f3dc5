package org.descant.audio.analysis;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.descant.audio.AudioException;
import org.descant.audio.Beat;
import org.descant.audio.Mode;
import org.descant.audio.MusicalKey;
import org.descant.audio.Pcm;
import org.descant.audio.RealMusic;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class EstimatorsTest {
  @ParameterizedTest
  @EnumSource(TestSong.Style.class)
  void tempoIsFoundWithAndWithoutDrums(TestSong.Style style) {
    for (double bpm : new double[] {66, 84, 100, 113, 128}) {
      TestSong song = TestSong.of(style, bpm, MusicalKey.parse("E minor"), 20, (long) bpm);
      TempoEstimate tempo = TempoEstimator.estimate(song.pcm());
      assertThat(tempo.bpm()).as("%s at %s BPM", style, bpm).isCloseTo(bpm, within(0.01 * bpm));
      assertThat(tempo.confidence()).isBetween(0.0, 1.0);
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {50, 57, 150, 172, 200})
  void tempoAtTheEndsIsFoundUpToAnOctave(double bpm) {
    for (TestSong.Style style : TestSong.Style.values()) {
      TestSong song = TestSong.of(style, bpm, MusicalKey.parse("C"), 20, 7);
      double found = TempoEstimator.estimate(song.pcm()).bpm();
      assertThat(MirScores.isTempoOrOctave(bpm, found, 0.02)).as("%s: %s", style, found).isTrue();
    }
  }

  @ParameterizedTest
  @EnumSource(TestSong.Style.class)
  void beatsFallWhereTheyWerePlayed(TestSong.Style style) {
    TestSong song = TestSong.of(style, 104, MusicalKey.parse("F"), 25, 3);
    List<Beat> beats = BeatTracker.track(song.pcm());
    double[] truth = song.beats().stream().mapToDouble(Double::doubleValue).toArray();
    assertThat(MirScores.beatFMeasure(truth, MirScores.times(beats))).isGreaterThan(0.95);
    double[] downbeats = new double[(truth.length + song.beatsPerBar() - 1) / song.beatsPerBar()];
    for (int i = 0; i < downbeats.length; i++) {
      downbeats[i] = truth[i * song.beatsPerBar()];
    }
    double[] found =
        beats.stream().filter(b -> b.positionInBar() == 1).mapToDouble(Beat::time).toArray();
    assertThat(MirScores.beatFMeasure(downbeats, found)).as("downbeats").isGreaterThan(0.9);
  }

  @Test
  void clicksAreHeardOnTime() {
    float[] samples = new float[10 * 44_100];
    double[] truth = new double[19];
    for (int i = 0; i < truth.length; i++) {
      truth[i] = 0.5 + i * 0.5;
      for (int k = 0; k < 400; k++) {
        samples[(int) (truth[i] * 44_100) + k] = (float) (Math.sin(k * 0.4) * Math.exp(-k / 80.0));
      }
    }
    double[] found = MirScores.times(BeatTracker.track(Pcm.ofMono(samples, 44_100)));
    assertThat(found).hasSize(truth.length);
    double error = 0;
    for (int i = 0; i < truth.length; i++) {
      error += (found[i] - truth[i]) / truth.length;
      assertThat(found[i]).isCloseTo(truth[i], within(0.02));
    }
    assertThat(error).isCloseTo(0, within(0.008));
  }

  @Test
  void keyOfEveryTonicIsFound() {
    for (Mode mode : Mode.values()) {
      for (int tonic = 0; tonic < 12; tonic++) {
        MusicalKey key = new MusicalKey(tonic, mode);
        TestSong.Style style = TestSong.Style.values()[tonic % TestSong.Style.values().length];
        Pcm song = TestSong.of(style, 110, key, 14, tonic, 1).pcm();
        assertThat(KeyEstimator.estimate(song).key()).as("%s", style).isEqualTo(key);
      }
    }
  }

  @Test
  void chromaOfATriadIsTheTriadWhateverTheTuning() {
    for (double cents : new double[] {-40, 0, 30}) {
      float[] samples = new float[3 * 44_100];
      for (int midi : new int[] {60, 64, 67}) {
        double hertz = 440 * Math.pow(2, (midi - 69 + cents / 100) / 12);
        for (int i = 0; i < samples.length; i++) {
          samples[i] += (float) (0.2 * Math.sin(2 * Math.PI * hertz * i / 44_100));
        }
      }
      Chroma chroma = Chroma.of(Pcm.ofMono(samples, 44_100));
      assertThat(chroma.tuningCents()).isCloseTo(cents, within(3.0));
      double[] mean = Chroma.mean(chroma.frames(), chroma.weights());
      Integer[] order = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
      Arrays.sort(order, (a, b) -> Double.compare(mean[b], mean[a]));
      assertThat(order).startsWith(order[0], order[1], order[2]);
      assertThat(List.of(order[0], order[1], order[2])).containsExactlyInAnyOrder(0, 4, 7);
      assertThat(Arrays.stream(mean).sum()).isCloseTo(1, within(1e-9));
    }
  }

  @Test
  void estimatesAreTheSameEachTime() {
    Pcm song = TestSong.of(TestSong.Style.DANCE, 123, MusicalKey.parse("B minor"), 12, 5).pcm();
    assertThat(TempoEstimator.estimate(song)).isEqualTo(TempoEstimator.estimate(song));
    assertThat(KeyEstimator.estimate(song)).isEqualTo(KeyEstimator.estimate(song));
    assertThat(BeatTracker.track(song)).isEqualTo(BeatTracker.track(song));
  }

  @Test
  void noThreadIsLeftBehind() {
    Set<Thread> before = Thread.getAllStackTraces().keySet();
    Pcm song = TestSong.of(TestSong.Style.ROCK, 100, MusicalKey.parse("C"), 30, 5).pcm();
    TempoEstimator.estimate(song);
    KeyEstimator.estimate(song);
    assertThat(Thread.getAllStackTraces().keySet())
        .filteredOn(thread -> !thread.isDaemon() && !before.contains(thread))
        .isEmpty();
  }

  @Test
  void silenceIsAnsweredWithoutConfidence() {
    Pcm silence = Pcm.ofMono(new float[10 * 22_050], 22_050);
    assertThat(TempoEstimator.estimate(silence).confidence()).isZero();
    assertThat(KeyEstimator.estimate(silence).confidence()).isZero();
    assertThat(BeatTracker.track(silence)).isEmpty();
  }

  @Test
  void soundsTooShortAreRefused() {
    Pcm click = Pcm.ofMono(new float[100], 22_050);
    assertThatThrownBy(() -> TempoEstimator.estimate(click))
        .isInstanceOf(AudioException.class)
        .hasMessageContaining("at least 3 s");
    assertThatThrownBy(() -> BeatTracker.track(click)).isInstanceOf(AudioException.class);
    assertThatThrownBy(() -> KeyEstimator.estimate(click)).isInstanceOf(AudioException.class);
  }

  // ---- the published vectors of mir_eval

  @Test
  void keyScoresAreThoseOfMirEval() throws IOException {
    Path folder = RealMusic.shared("mir_eval").resolve("key");
    for (int i = 0; i < 10; i++) {
      MusicalKey reference = key(folder.resolve("ref%02d.txt".formatted(i)));
      MusicalKey estimate = key(folder.resolve("est%02d.txt".formatted(i)));
      double expected = value(folder.resolve("output%02d.json".formatted(i)), "Weighted Score");
      assertThat(MirScores.key(reference, estimate))
          .as("%d: %s, %s", i, reference, estimate)
          .isEqualTo(expected);
    }
  }

  @Test
  void beatScoresAreThoseOfMirEval() throws IOException {
    Path folder = RealMusic.shared("mir_eval").resolve("beat");
    for (int i = 0; i < 10; i++) {
      double[] reference = numbers(folder.resolve("ref%02d.txt".formatted(i)));
      double[] estimate = numbers(folder.resolve("est%02d.txt".formatted(i)));
      double expected = value(folder.resolve("output%02d.json".formatted(i)), "F-measure");
      assertThat(MirScores.beatFMeasure(reference, estimate))
          .as("vector %d", i)
          .isCloseTo(expected, within(1e-9));
    }
  }

  @Test
  void tempoScoresAreThoseOfMirEval() throws IOException {
    Path folder = RealMusic.shared("mir_eval").resolve("tempo");
    for (int i = 0; i < 4; i++) {
      double[] reference = numbers(folder.resolve("ref%02d.lab".formatted(i)));
      double[] estimate = numbers(folder.resolve("est%02d.lab".formatted(i)));
      double score =
          MirScores.tempoPScore(
              Arrays.copyOf(reference, 2), reference[2], Arrays.copyOf(estimate, 2));
      assertThat(score)
          .as("vector %d", i)
          .isCloseTo(
              value(folder.resolve("output%02d.json".formatted(i)), "P-score"), within(1e-9));
    }
  }

  private static MusicalKey key(Path file) throws IOException {
    try (Stream<String> lines = Files.lines(file)) {
      return MusicalKey.parse(
          lines
              .filter(line -> !line.startsWith("#") && !line.isBlank())
              .findFirst()
              .orElseThrow()
              .replaceAll("\\s+", " "));
    }
  }

  private static double[] numbers(Path file) throws IOException {
    try (Stream<String> lines = Files.lines(file)) {
      return lines
          .filter(line -> !line.startsWith("#") && !line.isBlank())
          .flatMap(line -> Stream.of(line.strip().split("\\s+")))
          .mapToDouble(Double::parseDouble)
          .toArray();
    }
  }

  private static double value(Path json, String field) throws IOException {
    String text = Files.readString(json);
    int start = text.indexOf(':', text.indexOf('"' + field + '"')) + 1;
    int end = start;
    while (end < text.length() && text.charAt(end) != ',' && text.charAt(end) != '}') {
      end++;
    }
    return Double.parseDouble(text.substring(start, end).strip());
  }
}
