package org.descant.tensor;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import tools.jackson.databind.json.JsonMapper;

/**
 * Writes safetensors files. The bytes depend only on the tensors and the metadata: wider element
 * types first (so that data is aligned), then by name; the header is padded with spaces to 8 bytes.
 * The file is written aside, synced and renamed, so a reader sees the old one or the whole new one.
 */
public final class SafetensorsWriter {
  /** One write call; a {@link ByteBuffer} holds less than 2 GiB. */
  private static final long PIECE_BYTES = 1L << 28;

  private static final JsonMapper JSON = JsonMapper.builder().build();

  private SafetensorsWriter() {}

  /** Writes {@code tensors} (on any device, in any layout) and text {@code metadata}. */
  public static void write(Path file, Map<String, Tensor> tensors, Map<String, String> metadata) {
    Path folder = file.toAbsolutePath().getParent();
    if (folder == null) {
      throw new TensorException("Cannot write weights to " + file + ": it is a folder.");
    }
    Path aside = file.resolveSibling(file.getFileName() + ".tmp");
    try {
      try (FileChannel channel =
          FileChannel.open(
              aside,
              StandardOpenOption.CREATE,
              StandardOpenOption.TRUNCATE_EXISTING,
              StandardOpenOption.WRITE)) {
        write(channel, tensors, metadata);
        channel.force(true);
      }
      Files.move(aside, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      syncFolder(folder);
    } catch (IOException e) {
      throw new TensorException(
          "Cannot write %s: %s.".formatted(file, e.getMessage()), deleting(aside, e));
    } catch (RuntimeException e) {
      throw deleting(aside, e);
    }
  }

  private static void write(
      FileChannel channel, Map<String, Tensor> tensors, Map<String, String> metadata)
      throws IOException {
    List<Map.Entry<String, Tensor>> ordered =
        tensors.entrySet().stream()
            .sorted(
                Comparator.comparingInt(
                        (Map.Entry<String, Tensor> e) -> -e.getValue().dtype().bytes())
                    .thenComparing(Map.Entry::getKey))
            .toList();
    byte[] header = header(ordered, metadata);
    ByteBuffer length = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    writeFully(channel, length.putLong(header.length).flip());
    writeFully(channel, ByteBuffer.wrap(header));
    for (Map.Entry<String, Tensor> entry : ordered) {
      try (Scope scope = Scope.open()) {
        MemorySegment data = entry.getValue().detach().to(Device.CPU).contiguous().memory();
        for (long from = 0; from < data.byteSize(); from += PIECE_BYTES) {
          long piece = Math.min(PIECE_BYTES, data.byteSize() - from);
          writeFully(channel, data.asSlice(from, piece).asByteBuffer());
        }
      }
    }
  }

  private static byte[] header(
      List<Map.Entry<String, Tensor>> ordered, Map<String, String> metadata) {
    Map<String, Object> header = new LinkedHashMap<>();
    if (!metadata.isEmpty()) {
      header.put("__metadata__", new TreeMap<>(metadata));
    }
    long offset = 0;
    for (Map.Entry<String, Tensor> entry : ordered) {
      Tensor tensor = entry.getValue();
      DType type = tensor.dtype();
      if (!type.storable() || entry.getKey().equals("__metadata__")) {
        throw new TensorException(
            "A file cannot hold %s as %s; convert or rename it.".formatted(tensor, entry.getKey()));
      }
      long end = Math.addExact(offset, Math.multiplyExact(tensor.count(), type.bytes()));
      Map<String, Object> place = new LinkedHashMap<>();
      place.put("dtype", type.name());
      place.put("shape", tensor.shape());
      place.put("data_offsets", new long[] {offset, end});
      header.put(entry.getKey(), place);
      offset = end;
    }
    byte[] json = JSON.writeValueAsBytes(header);
    byte[] padded = Arrays.copyOf(json, Math.ceilDiv(json.length, Long.BYTES) * Long.BYTES);
    Arrays.fill(padded, json.length, padded.length, (byte) ' ');
    return padded;
  }

  private static void writeFully(FileChannel channel, ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }

  /** Makes the rename itself survive a power cut. */
  private static void syncFolder(Path folder) throws IOException {
    try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }

  private static <E extends Exception> E deleting(Path aside, E failure) {
    try {
      Files.deleteIfExists(aside);
    } catch (IOException e) {
      failure.addSuppressed(e);
    }
    return failure;
  }
}
