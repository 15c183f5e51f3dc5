package org.descant.audio;

import static org.bytedeco.ffmpeg.global.avutil.AV_LOG_QUIET;
import static org.bytedeco.ffmpeg.global.avutil.av_log_set_level;
import static org.bytedeco.ffmpeg.global.avutil.av_strerror;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.bytedeco.javacpp.BytePointer;

/** What {@link FfmpegDecoder} and {@link FfmpegEncoder} share. */
final class Ffmpeg {
  private static final int ERROR_TEXT_BYTES_MAX = 256;

  static {
    av_log_set_level(AV_LOG_QUIET);
  }

  private Ffmpeg() {}

  /** Runs the static initialiser: FFmpeg must never print on its own. */
  static void quiet() {}

  /** The path as FFmpeg takes it; without the scheme a colon in a name would be read as one. */
  static BytePointer url(Path file) {
    return new BytePointer("file:" + file.toAbsolutePath(), StandardCharsets.UTF_8);
  }

  /** What an FFmpeg error code means, such as "Invalid data found when processing input". */
  static String errorText(int code) {
    byte[] text = new byte[ERROR_TEXT_BYTES_MAX];
    if (av_strerror(code, text, text.length) < 0) {
      return "error " + code;
    }
    int end = 0;
    while (end < text.length && text[end] != 0) {
      end++;
    }
    return new String(text, 0, end, StandardCharsets.UTF_8);
  }
}
