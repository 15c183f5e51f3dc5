package org.descant.audio;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Path;

/**
 * Any part of a WAV or FLAC file, decoded without the rest of it. The file is mapped once and stays
 * mapped until {@link #close}; until then reading is safe for many threads. A training job that
 * draws thousands of excerpts opens each file once.
 *
 * <p>WAV of every kind that {@link AudioFile} reads; FLAC as {@link FlacStream} does.
 */
public final class AudioSlices implements AutoCloseable {
  private final Arena arena;
  private final Source source;

  private AudioSlices(Arena arena, Source source) {
    this.arena = arena;
    this.source = source;
  }

  private sealed interface Source {
    record Wav(WavFile.Layout layout, MemorySegment samples) implements Source {}

    record Flac(FlacStream stream) implements Source {}
  }

  /**
   * Maps a file and reads its head.
   *
   * @throws AudioException when it is missing, cut off, damaged or neither WAV nor FLAC
   */
  public static AudioSlices open(Path file) {
    boolean wav = AudioFile.isWav(file);
    Arena arena = Arena.ofShared();
    boolean opened = false;
    try (FileChannel channel = FileChannel.open(file)) {
      MemorySegment bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
      Source source;
      if (wav) {
        WavFile.Layout layout = WavFile.layout(file, channel);
        AudioFile.checkLimits(file, layout.channels(), layout.sampleRate(), layout.seconds());
        source = new Source.Wav(layout, bytes.asSlice(layout.dataStart(), layout.dataBytes()));
      } else {
        source = new Source.Flac(FlacStream.of(bytes, file.toString()));
      }
      opened = true;
      return new AudioSlices(arena, source);
    } catch (IOException e) {
      throw new AudioException(
          "%s cannot be read (%s): check the disk.".formatted(file, e.getMessage()), e);
    } finally {
      if (!opened) {
        arena.close();
      }
    }
  }

  /** Frames a second. */
  public int sampleRate() {
    return switch (source) {
      case Source.Wav wav -> wav.layout.sampleRate();
      case Source.Flac flac -> flac.stream.sampleRate();
    };
  }

  /** 1 or 2. */
  public int channels() {
    return switch (source) {
      case Source.Wav wav -> wav.layout.channels();
      case Source.Flac flac -> flac.stream.channels();
    };
  }

  /** Length in frames. */
  public long frames() {
    return switch (source) {
      case Source.Wav wav -> wav.layout.frames();
      case Source.Flac flac -> flac.stream.frames();
    };
  }

  /**
   * Decodes {@code count} frames from frame {@code from} into planar floats of ±1 full scale.
   *
   * @param out one array a channel, filled from index {@code at}
   * @throws AudioException when the frames are not in the file, or do not decode
   */
  public void read(long from, int count, float[][] out, int at) {
    if (from < 0 || count < 0 || from > frames() - count || out.length != channels()) {
      throw new AudioException(
          "%d frames from %d into %d channels were asked for; there are %d frames of %d channels."
              .formatted(count, from, out.length, frames(), channels()));
    }
    switch (source) {
      case Source.Wav wav -> WavFile.copy(wav.samples, wav.layout, from, count, out, at);
      case Source.Flac flac -> flac.stream.read(from, count, out, at);
    }
  }

  /** As {@link #read(long, int, float[][], int)}, into new arrays. */
  public Pcm read(long from, int count) {
    float[][] out = new float[channels()][Math.max(0, count)];
    read(from, count, out, 0);
    return new Pcm(out, sampleRate());
  }

  @Override
  public void close() {
    arena.close();
  }
}
