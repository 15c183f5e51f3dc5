package org.descant.synth;

import static java.util.stream.Collectors.counting;
import static java.util.stream.Collectors.groupingBy;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Offset.offset;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.descant.audio.Pcm;
import org.descant.audio.analysis.Loudness;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DemoCatalogueTest {
  /** SHA-256 over the lines {@code <slug> <hash of the mix>\n} of all tracks. */
  private static final String ALL =
      "2b1c0c83d5cda06afe4128188fc8bf40f8cb7f70d7ea3bc22be8873ee1355514";

  @Test
  void tenArtistsHaveThreeTracksEach() {
    List<DemoTrack> tracks = DemoCatalogue.tracks();
    assertThat(tracks).hasSize(30);
    assertThat(tracks.stream().map(DemoTrack::slug)).doesNotHaveDuplicates();
    Map<String, Long> perArtist =
        tracks.stream().collect(groupingBy(DemoTrack::artistSlug, counting()));
    assertThat(perArtist).hasSize(10).allSatisfy((artist, n) -> assertThat(n).isEqualTo(3));
    assertThat(tracks.stream().map(DemoTrack::genre).distinct()).hasSize(10);
  }

  @Test
  void keysTemposAndMetersAreSpread() {
    List<DemoTrack> tracks = DemoCatalogue.tracks();
    assertThat(tracks.stream().map(DemoTrack::key).distinct().count()).isGreaterThanOrEqualTo(20);
    assertThat(tracks.stream().mapToDouble(DemoTrack::tempoBpm).min().orElseThrow())
        .isLessThanOrEqualTo(62);
    assertThat(tracks.stream().mapToDouble(DemoTrack::tempoBpm).max().orElseThrow())
        .isGreaterThanOrEqualTo(138);
    assertThat(tracks.stream().map(DemoTrack::beatsPerBar).distinct())
        .containsExactlyInAnyOrder(3, 4);
  }

  @Test
  void everyTrackNamesItsPeople() {
    for (DemoTrack track : DemoCatalogue.tracks()) {
      assertThat(track.composers()).as(track.slug()).isNotEmpty();
      assertThat(track.performers()).as(track.slug()).isNotEmpty();
      assertThat(track.producers()).as(track.slug()).isNotEmpty();
      assertThat(track.tags()).as(track.slug()).hasSizeGreaterThan(3);
      assertThat(track.description()).endsWith(".");
    }
  }

  @Test
  void anUnknownTrackIsRefused() {
    assertThatThrownBy(() -> DemoCatalogue.render("nothing"))
        .isInstanceOf(SynthException.class)
        .hasMessageContaining("\"nothing\"");
  }

  /** Four different bands; the hashes are those of the frozen catalogue. */
  @ParameterizedTest
  @CsvSource({
    "pocketwatch-two-step,f5a12a047e752445c086556cae5a772575d7dc4e4c6f7df9d96b59c71d6b1499",
    "nocturne-in-the-arcade,302664def8eefbbc00f709ffd84fd05687c9b63a90c2c5b9633fb2dd550310f5",
    "rust-and-honey,fa8cdcd8a795f48bdad50ed6b796dcc0a2430aefaf7ef8044f6b9c5cffc251a2",
    "polar-garden,430c825458876a06dc05764844133fd6d9c1ee387e86c3f80a0565730e1ace89"
  })
  void aTrackIsTheSumOfItsStemsAndTheSameBitsAsEver(String slug, String hash) {
    Rendering rendering = DemoCatalogue.render(slug);
    checkSound(slug, rendering);
    assertThat(rendering.mix().hash()).isEqualTo(hash);
  }

  @Test
  @Tag("slow")
  void theWholeCatalogueIsTheSameBitsAsEver() throws Exception {
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    for (DemoTrack track : DemoCatalogue.tracks()) {
      Rendering rendering = track.render();
      checkSound(track.slug(), rendering);
      String line = track.slug() + " " + rendering.mix().hash() + "\n";
      digest.update(line.getBytes(StandardCharsets.US_ASCII));
    }
    assertThat(HexFormat.of().formatHex(digest.digest())).isEqualTo(ALL);
  }

  private static void checkSound(String slug, Rendering rendering) {
    Pcm mix = rendering.mix();
    assertThat(mix.sampleRate()).isEqualTo(44_100);
    assertThat(mix.channelCount()).isEqualTo(2);
    assertThat(mix.seconds()).isEqualTo(rendering.truth().seconds());
    assertThat(20 * Math.log10(peak(mix))).as(slug).isLessThanOrEqualTo(-0.3);
    assertThat(Loudness.integratedLufs(mix)).as(slug).isBetween(-20.0, -14.0);
    assertThat(Mixer.lufs(mix.channels())).isCloseTo(Loudness.integratedLufs(mix), offset(0.1));
    int wrong = 0;
    for (int c = 0; c < 2; c++) {
      int[] sum = new int[mix.frames()];
      for (Pcm stem : rendering.stems().values()) {
        float[] samples = stem.channels()[c];
        for (int i = 0; i < sum.length; i++) {
          int value = (int) (samples[i] * 32_768);
          wrong += value / 32_768f == samples[i] ? 0 : 1;
          sum[i] += value;
        }
      }
      for (int i = 0; i < sum.length; i++) {
        wrong += mix.channels()[c][i] == sum[i] / 32_768f ? 0 : 1;
      }
    }
    assertThat(wrong).as("samples off the grid or off the sum").isZero();
    rendering
        .stems()
        .forEach((name, stem) -> assertThat(peak(stem)).as(name).isBetween(0.003, 0.999));
  }

  private static double peak(Pcm pcm) {
    double peak = 0;
    for (float[] channel : pcm.channels()) {
      for (float x : channel) {
        peak = Math.max(peak, Math.abs(x));
      }
    }
    return peak;
  }

  /** Without its compilers the virtual machine computes sample by sample as the standard says. */
  @Test
  void theInterpreterPlaysTheSameBitsAsTheCompilers() throws Exception {
    Process interpreter =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xint",
                "-cp",
                System.getProperty("java.class.path"),
                ShortPiece.class.getName())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    String slow = new String(interpreter.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(interpreter.waitFor()).isZero();
    for (int i = 0; i < 4; i++) {
      assertThat(ShortPiece.hash()).isEqualTo(slow.strip());
    }
  }
}
