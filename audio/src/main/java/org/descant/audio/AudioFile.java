package org.descant.audio;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Reads audio files: WAV, FLAC, MP3, Ogg Vorbis, Ogg Opus, M4A/AAC, AIFF. The content decides, not
 * the name. Safe for many threads.
 *
 * <p>A file is refused, with an {@link AudioException} that says why, if it is missing, a folder,
 * unreadable, empty or no audio; if it has more than {@value #CHANNELS_MAX} channels; if it lasts
 * longer than {@value #SECONDS_MAX} s; if a sample is NaN or infinite; or if it is cut off. The
 * last is always seen in WAV, AIFF and FLAC (whose checksum is verified too), in Ogg and M4A, and
 * in MP3 that states its length in a Xing or Info header; an MP3 or raw AAC without one just ends.
 */
public final class AudioFile {
  /** Half an hour. */
  public static final int SECONDS_MAX = 30 * 60;

  public static final int CHANNELS_MAX = 2;
  public static final int SAMPLE_RATE_MIN = 4_000;
  public static final int SAMPLE_RATE_MAX = 192_000;

  private static final int SNIFF_BYTES = 4;

  private AudioFile() {}

  /**
   * What the file says about itself; samples are not decoded. The limits on channels, rate and
   * length are checked, and that a WAV is whole.
   */
  public static AudioInfo probe(Path file) {
    AudioInfo info = isWav(file) ? WavFile.probe(file) : FfmpegDecoder.probe(file);
    checkLimits(file, info.channels(), info.sampleRate(), info.seconds());
    return info;
  }

  /** All samples of the file at its own rate and with its own channels. */
  public static Pcm decode(Path file) {
    Pcm pcm = isWav(file) ? WavFile.decode(file) : FfmpegDecoder.decode(file);
    if (pcm.frames() == 0) {
      throw new AudioException("%s holds no samples: deliver the recording again.".formatted(file));
    }
    if (!pcm.isFinite()) {
      throw new AudioException(
          "%s holds samples that are not numbers (NaN or infinite): render it again."
              .formatted(file));
    }
    return pcm;
  }

  /**
   * All samples at the rate and with the channels that are asked for: stereo becomes mono as the
   * mean, mono becomes stereo by repetition.
   */
  public static Pcm decode(Path file, int sampleRate, int channels) {
    Pcm pcm = decode(file);
    return channels < pcm.channelCount()
        ? pcm.withChannels(channels).resampled(sampleRate)
        : pcm.resampled(sampleRate).withChannels(channels);
  }

  /** Refuses what is beyond the limits; zero seconds means that the length is not known yet. */
  static void checkLimits(Path file, int channels, int sampleRate, double seconds) {
    if (channels > CHANNELS_MAX) {
      throw new AudioException(
          "%s has %d channels: deliver mono or stereo.".formatted(file, channels));
    }
    if (sampleRate < SAMPLE_RATE_MIN || sampleRate > SAMPLE_RATE_MAX) {
      throw new AudioException(
          "%s has a sample rate of %d Hz: deliver %d to %d Hz."
              .formatted(file, sampleRate, SAMPLE_RATE_MIN, SAMPLE_RATE_MAX));
    }
    if (seconds > SECONDS_MAX) {
      throw new AudioException(
          "%s lasts %.0f s: deliver recordings of up to %d s."
              .formatted(file, seconds, SECONDS_MAX));
    }
  }

  static boolean isWav(Path file) {
    if (Files.isDirectory(file)) {
      throw new AudioException("%s is a folder: name an audio file in it.".formatted(file));
    }
    if (!Files.exists(file)) {
      throw new AudioException("%s does not exist: check the path.".formatted(file));
    }
    try (FileChannel channel = FileChannel.open(file)) {
      if (channel.size() == 0) {
        throw new AudioException(
            "%s is empty (0 bytes): deliver the recording again.".formatted(file));
      }
      ByteBuffer head = ByteBuffer.allocate(SNIFF_BYTES);
      channel.read(head, 0);
      String magic = new String(head.array(), StandardCharsets.ISO_8859_1);
      return WavFile.MAGICS.contains(magic);
    } catch (IOException e) {
      throw new AudioException(
          "%s cannot be read (%s): check its permissions.".formatted(file, e.getMessage()), e);
    }
  }
}
