package org.descant.audio;

import static org.bytedeco.ffmpeg.global.avcodec.AV_CODEC_FLAG_BITEXACT;
import static org.bytedeco.ffmpeg.global.avcodec.AV_CODEC_FLAG_GLOBAL_HEADER;
import static org.bytedeco.ffmpeg.global.avcodec.av_packet_alloc;
import static org.bytedeco.ffmpeg.global.avcodec.av_packet_free;
import static org.bytedeco.ffmpeg.global.avcodec.av_packet_rescale_ts;
import static org.bytedeco.ffmpeg.global.avcodec.avcodec_alloc_context3;
import static org.bytedeco.ffmpeg.global.avcodec.avcodec_find_encoder_by_name;
import static org.bytedeco.ffmpeg.global.avcodec.avcodec_free_context;
import static org.bytedeco.ffmpeg.global.avcodec.avcodec_open2;
import static org.bytedeco.ffmpeg.global.avcodec.avcodec_parameters_from_context;
import static org.bytedeco.ffmpeg.global.avcodec.avcodec_receive_packet;
import static org.bytedeco.ffmpeg.global.avcodec.avcodec_send_frame;
import static org.bytedeco.ffmpeg.global.avformat.AVFMT_GLOBALHEADER;
import static org.bytedeco.ffmpeg.global.avformat.AVIO_FLAG_WRITE;
import static org.bytedeco.ffmpeg.global.avformat.av_interleaved_write_frame;
import static org.bytedeco.ffmpeg.global.avformat.av_write_trailer;
import static org.bytedeco.ffmpeg.global.avformat.avformat_alloc_output_context2;
import static org.bytedeco.ffmpeg.global.avformat.avformat_free_context;
import static org.bytedeco.ffmpeg.global.avformat.avformat_new_stream;
import static org.bytedeco.ffmpeg.global.avformat.avformat_write_header;
import static org.bytedeco.ffmpeg.global.avformat.avio_closep;
import static org.bytedeco.ffmpeg.global.avformat.avio_open;
import static org.bytedeco.ffmpeg.global.avutil.AVERROR_EAGAIN;
import static org.bytedeco.ffmpeg.global.avutil.AVERROR_EOF;
import static org.bytedeco.ffmpeg.global.avutil.AV_SAMPLE_FMT_FLT;
import static org.bytedeco.ffmpeg.global.avutil.AV_SAMPLE_FMT_FLTP;
import static org.bytedeco.ffmpeg.global.avutil.AV_SAMPLE_FMT_S16;
import static org.bytedeco.ffmpeg.global.avutil.AV_SAMPLE_FMT_S16P;
import static org.bytedeco.ffmpeg.global.avutil.AV_SAMPLE_FMT_S32;
import static org.bytedeco.ffmpeg.global.avutil.av_channel_layout_default;
import static org.bytedeco.ffmpeg.global.avutil.av_frame_alloc;
import static org.bytedeco.ffmpeg.global.avutil.av_frame_free;
import static org.bytedeco.ffmpeg.global.avutil.av_frame_get_buffer;
import static org.bytedeco.ffmpeg.global.avutil.av_frame_make_writable;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import org.bytedeco.ffmpeg.avcodec.AVCodec;
import org.bytedeco.ffmpeg.avcodec.AVCodecContext;
import org.bytedeco.ffmpeg.avcodec.AVPacket;
import org.bytedeco.ffmpeg.avformat.AVFormatContext;
import org.bytedeco.ffmpeg.avformat.AVIOContext;
import org.bytedeco.ffmpeg.avformat.AVStream;
import org.bytedeco.ffmpeg.avutil.AVDictionary;
import org.bytedeco.ffmpeg.avutil.AVFrame;
import org.bytedeco.javacpp.BytePointer;
import org.jspecify.annotations.Nullable;

/**
 * Encoded files through libavcodec and libavformat. One object writes one file on one thread;
 * closing it frees every native object. Output holds no versions and no times.
 */
final class FfmpegEncoder implements AutoCloseable {

  /**
   * What is written.
   *
   * @param muxer FFmpeg's name of the container
   * @param encoder FFmpeg's name of the encoder
   * @param sampleFormat what the encoder takes: S16, S16P, S32 (the high bits), FLT or FLTP
   * @param bits bits a sample, 16 to 32, where the format is S16 or S32
   * @param bitsPerSecond 0 for lossless
   */
  record Encoding(
      String muxer, String encoder, SampleFormat sampleFormat, int bits, int bitsPerSecond) {
    static final Encoding FLAC_16 = new Encoding("flac", "flac", SampleFormat.S16, 16, 0);
    static final Encoding FLAC_24 = new Encoding("flac", "flac", SampleFormat.S32, 24, 0);

    static Encoding opus(int bitsPerSecond) {
      return new Encoding("ogg", "libopus", SampleFormat.FLT, 0, bitsPerSecond);
    }
  }

  /** How an encoder wants its samples. */
  enum SampleFormat {
    S16(AV_SAMPLE_FMT_S16, 2, false),
    S16P(AV_SAMPLE_FMT_S16P, 2, true),
    S32(AV_SAMPLE_FMT_S32, 4, false),
    FLT(AV_SAMPLE_FMT_FLT, 4, false),
    FLTP(AV_SAMPLE_FMT_FLTP, 4, true);

    private final int code;
    private final int bytes;
    private final boolean planar;

    SampleFormat(int code, int bytes, boolean planar) {
      this.code = code;
      this.bytes = bytes;
      this.planar = planar;
    }
  }

  /** For encoders that take any number of frames at a time. */
  private static final int BLOCK_FRAMES = 4096;

  private static final int STRICT_EXPERIMENTAL = -2;

  private final Pcm pcm;
  private final Encoding encoding;
  private final AVFormatContext format = new AVFormatContext(null);
  private final AVIOContext io = new AVIOContext(null);
  private @Nullable AVCodecContext codec;
  private @Nullable AVPacket packet;
  private @Nullable AVFrame frame;

  /**
   * Writes all of {@code pcm} to {@code file}, in place: callers write aside.
   *
   * @throws IOException if the disk refuses
   */
  static void encode(Pcm pcm, Path file, Encoding encoding) throws IOException {
    try (FfmpegEncoder encoder = new FfmpegEncoder(pcm, encoding)) {
      encoder.run(file);
    }
  }

  private FfmpegEncoder(Pcm pcm, Encoding encoding) {
    Ffmpeg.quiet();
    this.pcm = pcm;
    this.encoding = encoding;
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
    if (!io.isNull()) {
      avio_closep(io);
    }
    if (!format.isNull()) {
      avformat_free_context(format);
    }
  }

  private void run(Path file) throws IOException {
    check(avformat_alloc_output_context2(format, null, encoding.muxer, null), "container");
    AVCodec found = avcodec_find_encoder_by_name(encoding.encoder);
    if (found == null || found.isNull()) {
      throw new IOException("this FFmpeg has no encoder " + encoding.encoder);
    }
    AVCodecContext encoder = avcodec_alloc_context3(found);
    codec = encoder;
    AVPacket output = av_packet_alloc();
    packet = output;
    AVFrame input = av_frame_alloc();
    frame = input;

    encoder.sample_fmt(encoding.sampleFormat.code);
    encoder.sample_rate(pcm.sampleRate());
    av_channel_layout_default(encoder.ch_layout(), pcm.channelCount());
    encoder.time_base().num(1).den(pcm.sampleRate());
    encoder.bit_rate(encoding.bitsPerSecond);
    encoder.bits_per_raw_sample(encoding.bits);
    encoder.strict_std_compliance(STRICT_EXPERIMENTAL);
    encoder.thread_count(1);
    encoder.flags(encoder.flags() | AV_CODEC_FLAG_BITEXACT);
    if ((format.oformat().flags() & AVFMT_GLOBALHEADER) != 0) {
      encoder.flags(encoder.flags() | AV_CODEC_FLAG_GLOBAL_HEADER);
    }
    check(avcodec_open2(encoder, found, (AVDictionary) null), encoding.encoder);

    AVStream stream = avformat_new_stream(format, null);
    stream.time_base().num(1).den(pcm.sampleRate());
    check(avcodec_parameters_from_context(stream.codecpar(), encoder), "parameters");
    format.flags(format.flags() | AVFormatContext.AVFMT_FLAG_BITEXACT);
    try (BytePointer url = Ffmpeg.url(file)) {
      check(avio_open(io, url, AVIO_FLAG_WRITE), "open");
    }
    format.pb(io);
    check(avformat_write_header(format, (AVDictionary) null), "header");

    int block = encoder.frame_size() > 0 ? encoder.frame_size() : BLOCK_FRAMES;
    for (int from = 0; from < pcm.frames(); from += block) {
      fill(input, encoder, from, Math.min(block, pcm.frames() - from), block);
      check(avcodec_send_frame(encoder, input), "encode");
      writePackets(encoder, stream, output);
    }
    check(avcodec_send_frame(encoder, null), "encode");
    writePackets(encoder, stream, output);
    check(av_write_trailer(format), "trailer");
    check(avio_closep(io), "close");
  }

  private void fill(AVFrame input, AVCodecContext encoder, int from, int count, int block)
      throws IOException {
    if (from == 0) {
      input.format(encoder.sample_fmt());
      input.sample_rate(encoder.sample_rate());
      av_channel_layout_default(input.ch_layout(), pcm.channelCount());
      input.nb_samples(block);
      check(av_frame_get_buffer(input, 0), "memory");
    }
    check(av_frame_make_writable(input), "memory");
    input.nb_samples(count);
    input.pts(from);
    SampleFormat kind = encoding.sampleFormat;
    int channels = pcm.channelCount();
    int step = kind.planar ? 1 : channels;
    for (int c = 0; c < channels; c++) {
      ByteBuffer bytes =
          input
              .data(kind.planar ? c : 0)
              .capacity((long) count * step * kind.bytes)
              .asByteBuffer()
              .order(ByteOrder.nativeOrder());
      float[] samples = pcm.channel(c);
      int offset = kind.planar ? 0 : c;
      for (int i = 0; i < count; i++) {
        put(bytes, (i * step + offset) * kind.bytes, samples[from + i]);
      }
    }
  }

  private void put(ByteBuffer bytes, int at, float sample) {
    switch (encoding.sampleFormat) {
      case S16, S16P -> bytes.putShort(at, (short) AudioWriter.quantise(sample, 1 << 15));
      case S32 -> {
        int step = AudioWriter.quantise(sample, 1 << (encoding.bits - 1));
        bytes.putInt(at, step << (Integer.SIZE - encoding.bits));
      }
      case FLT, FLTP -> bytes.putFloat(at, sample);
    }
  }

  private void writePackets(AVCodecContext encoder, AVStream stream, AVPacket output)
      throws IOException {
    while (true) {
      int result = avcodec_receive_packet(encoder, output);
      if (result == AVERROR_EAGAIN() || result == AVERROR_EOF) {
        return;
      }
      check(result, "encode");
      av_packet_rescale_ts(output, encoder.time_base(), stream.time_base());
      output.stream_index(stream.index());
      check(av_interleaved_write_frame(format, output), "write");
    }
  }

  private static void check(int result, String step) throws IOException {
    if (result < 0) {
      throw new IOException("%s: %s".formatted(step, Ffmpeg.errorText(result)));
    }
  }
}
