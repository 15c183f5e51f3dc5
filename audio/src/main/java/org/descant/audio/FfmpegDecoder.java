package org.descant.audio;

import static org.bytedeco.ffmpeg.global.avcodec.av_packet_alloc;
import static org.bytedeco.ffmpeg.global.avcodec.av_packet_free;
import static org.bytedeco.ffmpeg.global.avcodec.av_packet_unref;
import static org.bytedeco.ffmpeg.global.avcodec.avcodec_alloc_context3;
import static org.bytedeco.ffmpeg.global.avcodec.avcodec_free_context;
import static org.bytedeco.ffmpeg.global.avcodec.avcodec_get_name;
import static org.bytedeco.ffmpeg.global.avcodec.avcodec_open2;
import static org.bytedeco.ffmpeg.global.avcodec.avcodec_parameters_to_context;
import static org.bytedeco.ffmpeg.global.avcodec.avcodec_receive_frame;
import static org.bytedeco.ffmpeg.global.avcodec.avcodec_send_packet;
import static org.bytedeco.ffmpeg.global.avformat.AVFMT_DURATION_FROM_STREAM;
import static org.bytedeco.ffmpeg.global.avformat.av_find_best_stream;
import static org.bytedeco.ffmpeg.global.avformat.av_read_frame;
import static org.bytedeco.ffmpeg.global.avformat.avformat_close_input;
import static org.bytedeco.ffmpeg.global.avformat.avformat_find_stream_info;
import static org.bytedeco.ffmpeg.global.avformat.avformat_open_input;
import static org.bytedeco.ffmpeg.global.avutil.AVERROR_EAGAIN;
import static org.bytedeco.ffmpeg.global.avutil.AVERROR_EOF;
import static org.bytedeco.ffmpeg.global.avutil.AVERROR_INVALIDDATA;
import static org.bytedeco.ffmpeg.global.avutil.AVMEDIA_TYPE_AUDIO;
import static org.bytedeco.ffmpeg.global.avutil.AV_NOPTS_VALUE;
import static org.bytedeco.ffmpeg.global.avutil.AV_SAMPLE_FMT_DBL;
import static org.bytedeco.ffmpeg.global.avutil.AV_SAMPLE_FMT_DBLP;
import static org.bytedeco.ffmpeg.global.avutil.AV_SAMPLE_FMT_FLT;
import static org.bytedeco.ffmpeg.global.avutil.AV_SAMPLE_FMT_FLTP;
import static org.bytedeco.ffmpeg.global.avutil.AV_SAMPLE_FMT_S16;
import static org.bytedeco.ffmpeg.global.avutil.AV_SAMPLE_FMT_S16P;
import static org.bytedeco.ffmpeg.global.avutil.AV_SAMPLE_FMT_S32;
import static org.bytedeco.ffmpeg.global.avutil.AV_SAMPLE_FMT_S32P;
import static org.bytedeco.ffmpeg.global.avutil.AV_SAMPLE_FMT_U8;
import static org.bytedeco.ffmpeg.global.avutil.AV_SAMPLE_FMT_U8P;
import static org.bytedeco.ffmpeg.global.avutil.AV_TIME_BASE;
import static org.bytedeco.ffmpeg.global.avutil.av_dict_free;
import static org.bytedeco.ffmpeg.global.avutil.av_dict_set;
import static org.bytedeco.ffmpeg.global.avutil.av_frame_alloc;
import static org.bytedeco.ffmpeg.global.avutil.av_frame_free;
import static org.bytedeco.ffmpeg.global.avutil.av_frame_unref;
import static org.bytedeco.ffmpeg.global.avutil.av_sample_fmt_is_planar;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import org.bytedeco.ffmpeg.avcodec.AVCodec;
import org.bytedeco.ffmpeg.avcodec.AVCodecContext;
import org.bytedeco.ffmpeg.avcodec.AVPacket;
import org.bytedeco.ffmpeg.avformat.AVFormatContext;
import org.bytedeco.ffmpeg.avformat.AVStream;
import org.bytedeco.ffmpeg.avutil.AVDictionary;
import org.bytedeco.ffmpeg.avutil.AVFrame;
import org.bytedeco.javacpp.BytePointer;
import org.jspecify.annotations.Nullable;

/**
 * Everything but WAV, through libavformat and libavcodec. One object reads one file on one thread;
 * closing it frees every native object. Only local files of the formats named here are opened:
 * playlists and files that refer to others are not.
 */
final class FfmpegDecoder implements AutoCloseable {
  private static final String FORMATS = "flac,mp3,ogg,mov,aiff,aac";

  /** A shorter end is codec delay or rounding, not a cut. */
  private static final double MISSING_SECONDS_MAX = 0.1;

  /** Packets that do not decode, as a share of all: a stray one is heard, more is no recording. */
  private static final double BROKEN_SHARE_MAX = 0.01;

  private static final int BROKEN_ALLOWED = 2;

  /** A header may lie: more memory than for this is taken only as samples come. */
  private static final double EXPECTED_SECONDS_MAX = 300;

  private final Path file;
  private final AVFormatContext format = new AVFormatContext(null);
  private final AVStream stream;
  private @Nullable AVCodecContext codec;
  private @Nullable AVPacket packet;
  private @Nullable AVFrame frame;

  private float[][] samples = new float[0][];
  private int frames;
  private int sampleRate;

  static AudioInfo probe(Path file) {
    try (FfmpegDecoder decoder = new FfmpegDecoder(file)) {
      return decoder.info();
    }
  }

  static Pcm decode(Path file) {
    try (FfmpegDecoder decoder = new FfmpegDecoder(file)) {
      return decoder.decode();
    }
  }

  private FfmpegDecoder(Path file) {
    this.file = file;
    Ffmpeg.quiet();
    boolean opened = false;
    AVDictionary options = new AVDictionary(null);
    try (BytePointer url = Ffmpeg.url(file)) {
      av_dict_set(options, "format_whitelist", FORMATS, 0);
      av_dict_set(options, "protocol_whitelist", "file", 0);
      int error = avformat_open_input(format, url, null, options);
      if (error < 0) {
        throw new AudioException(
            "%s is no audio file that can be read (%s): deliver WAV, FLAC, MP3, Ogg, M4A or AIFF."
                .formatted(file, Ffmpeg.errorText(error)));
      }
      check(avformat_find_stream_info(format, (AVDictionary) null), "its streams cannot be read");
      int index = av_find_best_stream(format, AVMEDIA_TYPE_AUDIO, -1, -1, (AVCodec) null, 0);
      if (index < 0) {
        throw new AudioException(
            "%s is no audio file: it has no audio stream; deliver WAV, FLAC, MP3, Ogg, M4A or AIFF."
                .formatted(file));
      }
      stream = format.streams(index);
      opened = true;
    } finally {
      av_dict_free(options);
      if (!opened) {
        close();
      }
    }
  }

  @Override
  public void close() {
    if (packet != null) {
      av_packet_free(packet);
    }
    if (frame != null) {
      av_frame_free(frame);
    }
    if (codec != null) {
      avcodec_free_context(codec);
    }
    if (!format.isNull()) {
      avformat_close_input(format);
    }
  }

  private AudioInfo info() {
    return new AudioInfo(
        container(),
        avcodec_get_name(stream.codecpar().codec_id()).getString(),
        stream.codecpar().sample_rate(),
        stream.codecpar().ch_layout().nb_channels(),
        declaredSeconds());
  }

  private String container() {
    String names = format.iformat().name().getString();
    int comma = names.indexOf(',');
    return comma < 0 ? names : names.substring(0, comma);
  }

  private double declaredSeconds() {
    if (stream.duration() != AV_NOPTS_VALUE && stream.duration() > 0) {
      return stream.duration() * (double) stream.time_base().num() / stream.time_base().den();
    }
    return format.duration() > 0 ? format.duration() / (double) AV_TIME_BASE : 0;
  }

  private Pcm decode() {
    AudioInfo info = info();
    AudioFile.checkLimits(file, info.channels(), info.sampleRate(), info.seconds());
    openCodec();
    readAll();
    Pcm pcm = pcm();
    checkWhole(info, pcm);
    return pcm;
  }

  private void openCodec() {
    AVCodec found = new AVCodec(null);
    check(
        av_find_best_stream(format, AVMEDIA_TYPE_AUDIO, stream.index(), -1, found, 0),
        "its codec is not supported");
    codec = avcodec_alloc_context3(found);
    packet = av_packet_alloc();
    frame = av_frame_alloc();
    check(avcodec_parameters_to_context(codec, stream.codecpar()), "its codec cannot be set up");
    codec.pkt_timebase(stream.time_base());
    codec.thread_count(1);
    check(avcodec_open2(codec, found, (AVDictionary) null), "its codec cannot be opened");
  }

  private void readAll() {
    AVPacket input = present(packet);
    AVCodecContext decoder = present(codec);
    long packets = 0;
    long broken = 0;
    boolean more = true;
    while (more) {
      more = av_read_frame(format, input) >= 0;
      if (more && input.stream_index() != stream.index()) {
        av_packet_unref(input);
        continue;
      }
      int error = avcodec_send_packet(decoder, more ? input : null);
      if (more) {
        packets++;
        av_packet_unref(input);
      }
      error = error < 0 && error != AVERROR_EOF ? error : receiveAll(decoder);
      if (error == AVERROR_INVALIDDATA) {
        broken++;
      } else {
        check(error, "it cannot be decoded");
      }
    }
    if (broken > BROKEN_ALLOWED && broken > BROKEN_SHARE_MAX * packets) {
      throw new AudioException(
          "%s is damaged: %d of its %d packets do not decode; deliver the file again."
              .formatted(file, broken, packets));
    }
  }

  /** Takes every frame the decoder has; 0, or the error that stopped it. */
  private int receiveAll(AVCodecContext decoder) {
    AVFrame output = present(frame);
    while (true) {
      int result = avcodec_receive_frame(decoder, output);
      if (result == AVERROR_EAGAIN() || result == AVERROR_EOF) {
        return 0;
      }
      if (result < 0) {
        return result;
      }
      try {
        append(output);
      } finally {
        av_frame_unref(output);
      }
    }
  }

  private void append(AVFrame decoded) {
    int channels = decoded.ch_layout().nb_channels();
    if (samples.length == 0) {
      sampleRate = decoded.sample_rate();
      AudioFile.checkLimits(file, channels, sampleRate, 0);
      double expected = Math.min(declaredSeconds() + 1, EXPECTED_SECONDS_MAX);
      samples = new float[channels][(int) Math.ceil(expected * sampleRate)];
    }
    if (channels != samples.length || decoded.sample_rate() != sampleRate) {
      throw new AudioException(
          "%s changes its channels or sample rate on the way: deliver one format throughout."
              .formatted(file));
    }
    int count = decoded.nb_samples();
    if (frames + (long) count > (long) AudioFile.SECONDS_MAX * sampleRate) {
      AudioFile.checkLimits(file, channels, sampleRate, (frames + count) / (double) sampleRate + 1);
    }
    if (frames + count > samples[0].length) {
      int capacity = frames + count + frames / 2;
      for (int c = 0; c < channels; c++) {
        samples[c] = Arrays.copyOf(samples[c], capacity);
      }
    }
    copy(decoded, channels, count);
    frames += count;
  }

  private void copy(AVFrame decoded, int channels, int count) {
    int kind = decoded.format();
    boolean planar = av_sample_fmt_is_planar(kind) != 0;
    int width = sampleBytes(kind);
    int planes = planar ? channels : 1;
    int step = planar ? 1 : channels;
    for (int plane = 0; plane < planes; plane++) {
      ByteBuffer bytes =
          decoded
              .data(plane)
              .capacity((long) count * step * width)
              .asByteBuffer()
              .order(ByteOrder.nativeOrder());
      for (int offset = 0; offset < step; offset++) {
        float[] out = samples[plane + offset];
        for (int i = 0; i < count; i++) {
          int at = (i * step + offset) * width;
          out[frames + i] = sample(bytes, at, kind);
        }
      }
    }
  }

  private int sampleBytes(int kind) {
    return switch (kind) {
      case AV_SAMPLE_FMT_U8, AV_SAMPLE_FMT_U8P -> 1;
      case AV_SAMPLE_FMT_S16, AV_SAMPLE_FMT_S16P -> 2;
      case AV_SAMPLE_FMT_S32, AV_SAMPLE_FMT_S32P, AV_SAMPLE_FMT_FLT, AV_SAMPLE_FMT_FLTP -> 4;
      case AV_SAMPLE_FMT_DBL, AV_SAMPLE_FMT_DBLP -> 8;
      default ->
          throw new AudioException(
              "%s has samples of FFmpeg's kind %d: deliver WAV or FLAC.".formatted(file, kind));
    };
  }

  private static float sample(ByteBuffer bytes, int at, int kind) {
    return switch (kind) {
      case AV_SAMPLE_FMT_U8, AV_SAMPLE_FMT_U8P ->
          (Byte.toUnsignedInt(bytes.get(at)) - 0x80) * 0x1p-7f;
      case AV_SAMPLE_FMT_S16, AV_SAMPLE_FMT_S16P -> bytes.getShort(at) * 0x1p-15f;
      case AV_SAMPLE_FMT_S32, AV_SAMPLE_FMT_S32P -> bytes.getInt(at) * 0x1p-31f;
      case AV_SAMPLE_FMT_DBL, AV_SAMPLE_FMT_DBLP -> (float) bytes.getDouble(at);
      default -> bytes.getFloat(at);
    };
  }

  private Pcm pcm() {
    if (frames == 0) {
      throw new AudioException("%s holds no samples: deliver the recording again.".formatted(file));
    }
    float[][] whole = new float[samples.length][];
    for (int c = 0; c < whole.length; c++) {
      whole[c] = Arrays.copyOf(samples[c], frames);
      samples[c] = new float[0];
    }
    return new Pcm(whole, sampleRate);
  }

  private void checkWhole(AudioInfo info, Pcm pcm) {
    Optional<FlacHeader> flac =
        info.container().equals("flac") ? FlacHeader.read(file) : Optional.empty();
    if (flac.isPresent()) {
      flac.get().verify(file, pcm);
      return;
    }
    if (info.container().equals("ogg")) {
      OggTail.verify(file);
      return;
    }
    boolean declared = format.duration_estimation_method() == AVFMT_DURATION_FROM_STREAM;
    if (declared && pcm.seconds() < info.seconds() - MISSING_SECONDS_MAX) {
      throw new AudioException(
          "%s is truncated: it declares %.2f s and holds %.2f s; deliver the whole file again."
              .formatted(file, info.seconds(), pcm.seconds()));
    }
  }

  private void check(int result, String what) {
    if (result < 0) {
      throw new AudioException(
          "%s is no usable audio: %s (%s); export it again."
              .formatted(file, what, Ffmpeg.errorText(result)));
    }
  }

  private static <T> T present(@Nullable T object) {
    if (object == null) {
      throw new IllegalStateException("The codec is opened before it is used.");
    }
    return object;
  }
}
