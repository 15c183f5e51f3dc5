package org.descant.lab;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.zip.CRC32C;

/**
 * Writes scalars as a TensorBoard event file: TFRecord frames around protocol buffers of {@code
 * tensorflow.Event}. Not thread-safe.
 *
 * <p>A frame is the length (uint64), its masked CRC-32C, the bytes, their masked CRC-32C, all
 * little-endian. Of {@code Event} we write {@code wall_time} (1), {@code step} (2), {@code
 * file_version} (3) and {@code summary} (5), whose values have {@code tag} (1) and {@code
 * simple_value} (2).
 */
public final class EventWriter implements AutoCloseable {
  private static final int VARINT = 0;
  private static final int FIXED64 = 1;
  private static final int BYTES = 2;
  private static final int FIXED32 = 5;

  private final FileChannel channel;

  /** Opens a new file, which must not be there yet, and writes the version record. */
  public EventWriter(Path file, double wallTimeSeconds) throws IOException {
    channel = FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
    var event = new ByteArrayOutputStream();
    fixed64(event, 1, wallTimeSeconds);
    bytes(event, 3, "brain.Event:2".getBytes(StandardCharsets.US_ASCII));
    frame(event.toByteArray());
  }

  /** Appends one event with a scalar for each tag. */
  public void scalars(double wallTimeSeconds, long step, Map<String, Double> byTag)
      throws IOException {
    var summary = new ByteArrayOutputStream();
    for (var scalar : byTag.entrySet()) {
      var value = new ByteArrayOutputStream();
      bytes(value, 1, scalar.getKey().getBytes(StandardCharsets.UTF_8));
      varint(value, 2 << 3 | FIXED32);
      value.writeBytes(littleEndian(Float.BYTES).putFloat(scalar.getValue().floatValue()).array());
      bytes(summary, 1, value.toByteArray());
    }
    var event = new ByteArrayOutputStream();
    fixed64(event, 1, wallTimeSeconds);
    varint(event, 2 << 3 | VARINT);
    varint(event, step);
    bytes(event, 5, summary.toByteArray());
    frame(event.toByteArray());
  }

  private void frame(byte[] data) throws IOException {
    byte[] length = littleEndian(Long.BYTES).putLong(data.length).array();
    ByteBuffer frame = littleEndian(Long.BYTES + Integer.BYTES + data.length + Integer.BYTES);
    frame.put(length).putInt(maskedCrc(length)).put(data).putInt(maskedCrc(data)).flip();
    while (frame.hasRemaining()) {
      channel.write(frame);
    }
  }

  /** CRC-32C rotated and offset, so that a checksum of data that holds checksums stays good. */
  static int maskedCrc(byte[] data) {
    var crc = new CRC32C();
    crc.update(data);
    return Integer.rotateRight((int) crc.getValue(), 15) + 0xa282ead8;
  }

  private static ByteBuffer littleEndian(int capacity) {
    return ByteBuffer.allocate(capacity).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static void fixed64(ByteArrayOutputStream out, int field, double value) {
    varint(out, (long) field << 3 | FIXED64);
    out.writeBytes(littleEndian(Double.BYTES).putDouble(value).array());
  }

  private static void bytes(ByteArrayOutputStream out, int field, byte[] value) {
    varint(out, (long) field << 3 | BYTES);
    varint(out, value.length);
    out.writeBytes(value);
  }

  private static void varint(ByteArrayOutputStream out, long value) {
    long rest = value;
    while ((rest & ~0x7fL) != 0) {
      out.write((int) (rest & 0x7f | 0x80));
      rest >>>= 7;
    }
    out.write((int) rest);
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
