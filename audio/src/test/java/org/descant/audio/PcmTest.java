package org.descant.audio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PcmTest {
  @Test
  void hashIsSha256OfHeadAndSteps() throws Exception {
    Pcm pcm = new Pcm(new float[][] {{0, 0.5f, -1}, {1, -0.25f, 0x1p-24f}}, 44_100);
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    digest.update("pcm/1 44100 2 3\n".getBytes(StandardCharsets.US_ASCII));
    ByteBuffer steps = ByteBuffer.allocate(24).order(ByteOrder.LITTLE_ENDIAN);
    for (int step : new int[] {0, 8_388_608, 4_194_304, -2_097_152, -8_388_608, 1}) {
      steps.putInt(step);
    }
    digest.update(steps.array());
    assertThat(pcm.hash()).isEqualTo(HexFormat.of().formatHex(digest.digest()));
  }

  @Test
  void hashDiffersByRateChannelsAndOneStep() {
    Pcm one = new Pcm(new float[][] {{0, 0.5f}}, 8000);
    assertThat(new Pcm(new float[][] {{0, 0.5f}}, 8001).hash()).isNotEqualTo(one.hash());
    assertThat(new Pcm(new float[][] {{0}, {0.5f}}, 8000).hash()).isNotEqualTo(one.hash());
    assertThat(new Pcm(new float[][] {{0, 0.5f + 0x1p-23f}}, 8000).hash()).isNotEqualTo(one.hash());
  }

  @Test
  void hashOfMoreThanOneBlockIsThatOfTheWhole() {
    float[] ramp = new float[20_000];
    for (int i = 0; i < ramp.length; i++) {
      ramp[i] = i / 32_768f;
    }
    assertThat(Pcm.ofMono(ramp, 44_100).hash())
        .isEqualTo(Pcm.ofMono(ramp.clone(), 44_100).slice(0, 20_000).hash());
  }

  @ParameterizedTest
  @CsvSource({
    "44100, 48000, 997", "48000, 44100, 997", "44100, 22050, 3000", "44100, 16000, 440",
    "96000, 44100, 15000", "44100, 44101, 1000", "11025, 44100, 4000", "44100, 192000, 15000"
  })
  void resamplingKeepsATone(int from, int to, double hertz) {
    int frames = from;
    float[] in = new float[frames];
    for (int i = 0; i < frames; i++) {
      in[i] = (float) (0.5 * Math.sin(2 * Math.PI * hertz * i / from));
    }
    Pcm out = Pcm.ofMono(in, from).resampled(to);
    assertThat(out.frames()).isEqualTo(to);
    double worst = 0;
    for (int i = to / 10; i < to * 9 / 10; i++) {
      double ideal = 0.5 * Math.sin(2 * Math.PI * hertz * i / to);
      worst = Math.max(worst, Math.abs(out.channel(0)[i] - ideal));
    }
    assertThat(worst).isLessThan(1e-4);
  }

  @Test
  void resamplingRemovesWhatTheLowerRateCannotHold() {
    float[] in = new float[44_100];
    for (int i = 0; i < in.length; i++) {
      in[i] = (float) Math.sin(2 * Math.PI * 13_000 * i / 44_100);
    }
    float[] out = Pcm.ofMono(in, 44_100).resampled(22_050).channel(0);
    double loudest = 0;
    for (int i = 1000; i < out.length - 1000; i++) {
      loudest = Math.max(loudest, Math.abs(out[i]));
    }
    assertThat(loudest).isLessThan(1e-4);
  }

  @Test
  void monoIsTheMeanAndSlicesAreCopies() {
    Pcm stereo = new Pcm(new float[][] {{1, 0.5f}, {0, -0.5f}}, 8000);
    assertThat(stereo.mono().channel(0)).containsExactly(0.5f, 0f);
    assertThat(stereo.mono().withChannels(2).channelCount()).isEqualTo(2);
    Pcm part = stereo.slice(1, 2);
    assertThat(part.channels()).isDeepEqualTo(new float[][] {{0.5f}, {-0.5f}});
    assertThat(stereo.seconds()).isCloseTo(2 / 8000.0, within(1e-12));
    assertThat(stereo.sliceSeconds(-1, 10)).isEqualTo(stereo);
    assertThatThrownBy(() -> stereo.slice(1, 3)).hasMessageContaining("do not lie");
    assertThatThrownBy(() -> stereo.sliceSeconds(Double.NaN, 1)).isInstanceOf(AudioException.class);
  }

  @Test
  void shapesThatMakeNoSoundAreRefused() {
    assertThatThrownBy(() -> new Pcm(new float[0][], 8000)).isInstanceOf(AudioException.class);
    assertThatThrownBy(() -> new Pcm(new float[][] {{0}, {0, 1}}, 8000))
        .hasMessageContaining("one length");
    assertThatThrownBy(() -> new Pcm(new float[1][1], 0)).hasMessageContaining("sample rate");
    assertThatThrownBy(() -> new Pcm(new float[1][1], 8000).resampled(-1))
        .hasMessageContaining("sample rate");
    assertThatThrownBy(() -> new Pcm(new float[2][1], 8000).withChannels(3))
        .hasMessageContaining("cannot become 3");
  }
}
