package org.descant.audio;

import static org.bytedeco.ffmpeg.global.avcodec.AV_CODEC_FLAG_BITEXACT;
import static org.bytedeco.ffmpeg.global.avcodec.AV_CODEC_ID_FLAC;
import static org.bytedeco.ffmpeg.global.avcodec.AV_PKT_DATA_NEW_EXTRADATA;
import static org.bytedeco.ffmpeg.global.avcodec.av_packet_alloc;
import static org.bytedeco.ffmpeg.global.avcodec.av_packet_free;
import static org.bytedeco.ffmpeg.global.avcodec.av_packet_get_side_data;
import static org.bytedeco.ffmpeg.global.avcodec.av_packet_unref;
import static org.bytedeco.ffmpeg.global.avcodec.avcodec_alloc_context3;
import static org.bytedeco.ffmpeg.global.avcodec.avcodec_find_encoder;
import static org.bytedeco.ffmpeg.global.avcodec.avcodec_free_context;
import static org.bytedeco.ffmpeg.global.avcodec.avcodec_open2;
import static org.bytedeco.ffmpeg.global.avcodec.avcodec_receive_packet;
import static org.bytedeco.ffmpeg.global.avcodec.avcodec_send_frame;
import static org.bytedeco.ffmpeg.global.avutil.AVERROR_EAGAIN;
import static org.bytedeco.ffmpeg.global.avutil.AVERROR_EOF;
import static org.bytedeco.ffmpeg.global.avutil.AV_SAMPLE_FMT_S16;
import static org.bytedeco.ffmpeg.global.avutil.av_channel_layout_default;
import static org.bytedeco.ffmpeg.global.avutil.av_frame_alloc;
import static org.bytedeco.ffmpeg.global.avutil.av_frame_free;
import static org.bytedeco.ffmpeg.global.avutil.av_frame_get_buffer;
import static org.bytedeco.ffmpeg.global.avutil.av_frame_make_writable;

import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import org.bytedeco.ffmpeg.avcodec.AVCodec;
import org.bytedeco.ffmpeg.avcodec.AVCodecContext;
import org.bytedeco.ffmpeg.avcodec.AVPacket;
import org.bytedeco.ffmpeg.avutil.AVDictionary;
import org.bytedeco.ffmpeg.avutil.AVFrame;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.SizeTPointer;

/** Encodes a sound in memory as native FLAC of 16 bits with one seek point a frame. */
final class FlacEncoder implements AutoCloseable {
  private static final int MAGIC = 0x664C6143; // "fLaC"
  private static final int STREAMINFO_BYTES = 34;
  private static final int BLOCK_HEADER_BYTES = 4;
  private static final int LAST_SEEKTABLE = 0x83 << 24;
  private static final int SEEKTABLE_BYTES_MAX = (1 << 24) - 1;

  /** libFLAC's own default: a tenth of a second, which a slice wastes at most twice. */
  private static final int BLOCK_FRAMES = 4096;

  private final Pcm pcm;
  private final AVCodecContext codec;
  private final AVPacket packet = av_packet_alloc();
  private final AVFrame frame = av_frame_alloc();
  private final byte[] info = new byte[STREAMINFO_BYTES];
  private final ByteArrayOutputStream body = new ByteArrayOutputStream();
  private final ByteArrayOutputStream points = new ByteArrayOutputStream();
  private int indexed;

  static byte[] encode(Pcm pcm) {
    if (pcm.frames() == 0 || pcm.channelCount() > AudioFile.CHANNELS_MAX) {
      throw new AudioException(
          "FLAC is written with one or two channels and at least one frame, was given %d and %d."
              .formatted(pcm.channelCount(), pcm.frames()));
    }
    try (FlacEncoder encoder = new FlacEncoder(pcm)) {
      return encoder.run();
    }
  }

  private FlacEncoder(Pcm pcm) {
    Ffmpeg.quiet();
    this.pcm = pcm;
    this.codec = avcodec_alloc_context3(avcodec_find_encoder(AV_CODEC_ID_FLAC));
  }

  private byte[] run() {
    codec.sample_fmt(AV_SAMPLE_FMT_S16);
    codec.sample_rate(pcm.sampleRate());
    av_channel_layout_default(codec.ch_layout(), pcm.channelCount());
    codec.time_base().num(1).den(pcm.sampleRate());
    codec.bits_per_raw_sample(16);
    codec.frame_size(BLOCK_FRAMES);
    codec.thread_count(1);
    codec.flags(codec.flags() | AV_CODEC_FLAG_BITEXACT);
    AVCodec encoder = avcodec_find_encoder(AV_CODEC_ID_FLAC);
    check(avcodec_open2(codec, encoder, (AVDictionary) null));
    codec.extradata().position(0).get(info);
    int block = codec.frame_size();
    for (int from = 0; from < pcm.frames(); from += block) {
      fill(from, Math.min(block, pcm.frames() - from), block);
      check(avcodec_send_frame(codec, frame));
      takePackets();
    }
    check(avcodec_send_frame(codec, null));
    takePackets();
    return stream(block);
  }

  private void fill(int from, int count, int block) {
    if (from == 0) {
      frame.format(AV_SAMPLE_FMT_S16);
      frame.sample_rate(pcm.sampleRate());
      av_channel_layout_default(frame.ch_layout(), pcm.channelCount());
      frame.nb_samples(block);
      check(av_frame_get_buffer(frame, 0));
    }
    check(av_frame_make_writable(frame));
    frame.nb_samples(count);
    frame.pts(from);
    int channels = pcm.channelCount();
    short[] samples = new short[count * channels];
    for (int c = 0; c < channels; c++) {
      float[] channel = pcm.channel(c);
      for (int i = 0; i < count; i++) {
        samples[i * channels + c] = (short) AudioWriter.quantise(channel[from + i], 1 << 15);
      }
    }
    MemorySegment data =
        MemorySegment.ofAddress(frame.data(0).address()).reinterpret(2L * samples.length);
    MemorySegment.copy(samples, 0, data, ValueLayout.JAVA_SHORT, 0, samples.length);
  }

  private void takePackets() {
    while (true) {
      int result = avcodec_receive_packet(codec, packet);
      if (result == AVERROR_EAGAIN() || result == AVERROR_EOF) {
        return;
      }
      check(result);
      try (SizeTPointer size = new SizeTPointer(1)) {
        BytePointer last = av_packet_get_side_data(packet, AV_PKT_DATA_NEW_EXTRADATA, size);
        if (last != null && !last.isNull() && size.get() == STREAMINFO_BYTES) {
          last.get(info);
        }
      }
      if (packet.size() > 0) {
        byte[] bytes = new byte[packet.size()];
        packet.data().get(bytes);
        int count = (int) packet.duration();
        points.writeBytes(
            ByteBuffer.allocate(FlacStream.POINT_BYTES)
                .putLong(indexed)
                .putLong(body.size())
                .putShort((short) count)
                .array());
        indexed += count;
        body.writeBytes(bytes);
      }
      av_packet_unref(packet);
    }
  }

  private byte[] stream(int block) {
    if (indexed != pcm.frames() || points.size() > SEEKTABLE_BYTES_MAX) {
      throw new AudioException(
          "FLAC of %d frames in blocks of %d came out with %d frames: shorten the recording."
              .formatted(pcm.frames(), block, indexed));
    }
    return ByteBuffer.allocate(
            4 + 2 * BLOCK_HEADER_BYTES + STREAMINFO_BYTES + points.size() + body.size())
        .putInt(MAGIC)
        .putInt(STREAMINFO_BYTES)
        .put(info)
        .putInt(LAST_SEEKTABLE | points.size())
        .put(points.toByteArray())
        .put(body.toByteArray())
        .array();
  }

  @Override
  public void close() {
    av_packet_free(packet);
    av_frame_free(frame);
    avcodec_free_context(codec);
  }

  private static void check(int result) {
    if (result < 0) {
      throw new AudioException(
          "FFmpeg's FLAC encoder refuses the sound (%s): report it."
              .formatted(Ffmpeg.errorText(result)));
    }
  }
}
