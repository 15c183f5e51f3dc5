package org.descant.tensor;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Reads weights in the safetensors format, from one file or from shards with an index, by mapping
 * them.
 *
 * <p>A file is 8 bytes of header length (little-endian), a JSON header that gives each tensor its
 * dtype, shape and place, and the data. The header is not trusted: the tensors must tile the data
 * exactly, without overlap or gap, and every size must agree with dtype and shape; else {@link
 * #open} throws. Format: github.com/huggingface/safetensors, README "Format".
 *
 * <p>Tensors are copied out of the mapping, so they outlive {@link #close}, and a file that changes
 * later cannot change them. Thread-safe until closed.
 */
public final class Safetensors implements AutoCloseable {
  private static final long HEADER_BYTES_MAX = 32L << 20;
  private static final long INDEX_BYTES_MAX = 32L << 20;
  private static final int SHARDS_MAX = 4096;
  private static final int DIMENSIONS_MAX = 16;
  private static final String METADATA = "__metadata__";
  private static final String INDEX_SUFFIX = ".index.json";
  private static final String FILE_NAME = "model.safetensors";

  private static final ValueLayout.OfLong LITTLE_LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private static final JsonMapper JSON =
      JsonMapper.builder(
              JsonFactory.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build())
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  /** What the header says about one tensor; {@code bytes} are its place in the mapped file. */
  private record Entry(DType dtype, long[] shape, MemorySegment bytes) {}

  private final Path path;
  private final Arena arena;
  private final SortedMap<String, Entry> entries = new TreeMap<>();
  private final Map<String, String> metadata = new LinkedHashMap<>();

  private Safetensors(Path path) {
    this.path = path;
    this.arena = Arena.ofShared();
  }

  /**
   * Opens a {@code .safetensors} file, a {@code .safetensors.index.json} with its shards beside it,
   * or a folder that holds {@code model.safetensors} or its index.
   */
  public static Safetensors open(Path path) {
    Path file = path;
    if (Files.isDirectory(path)) {
      file = path.resolve(FILE_NAME);
      if (!Files.exists(file)) {
        file = path.resolve(FILE_NAME + INDEX_SUFFIX);
      }
    }
    if (!Files.isRegularFile(file)) {
      throw new TensorException("There is no weights file at " + path + ".");
    }
    Safetensors opened = new Safetensors(path);
    try {
      if (file.toString().endsWith(INDEX_SUFFIX)) {
        opened.readIndex(file);
      } else {
        opened.readShard(file);
      }
      return opened;
    } catch (IOException e) {
      opened.close();
      throw new TensorException("Cannot read %s: %s.".formatted(file, e.getMessage()), e);
    } catch (RuntimeException e) {
      opened.close();
      throw e;
    }
  }

  /** What was opened. */
  public Path path() {
    return path;
  }

  /** The tensors' names, sorted. */
  public Set<String> names() {
    return Collections.unmodifiableSet(entries.keySet());
  }

  public boolean contains(String name) {
    return entries.containsKey(name);
  }

  public DType dtype(String name) {
    return entry(name).dtype;
  }

  public long[] shape(String name) {
    return entry(name).shape.clone();
  }

  /** The header's free text. */
  public Map<String, String> metadata() {
    return Collections.unmodifiableMap(metadata);
  }

  /** A copy of one tensor in its own element type, in the current scope. */
  public Tensor tensor(String name) {
    Entry entry = entry(name);
    return read(entry, Tensor.empty(entry.dtype, entry.shape), name);
  }

  /** A copy of one tensor, converted. */
  public Tensor tensor(String name, DType type) {
    return tensor(name).to(type);
  }

  /** Copies one tensor, converted where needed, over another of the same shape. */
  public void copyInto(String name, Tensor target) {
    Entry entry = entry(name);
    requireShape(name, target.shape());
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      if (entry.dtype == target.dtype()
          && target.isContiguous()
          && target.device().equals(Device.CPU)) {
        read(entry, target, name);
      } else {
        target.copyFrom(tensor(name));
      }
    }
  }

  /** Fails unless the file holds this tensor with this shape. */
  void requireShape(String name, long[] shape) {
    Entry entry = entry(name);
    if (!Arrays.equals(entry.shape, shape)) {
      throw new TensorException(
          "%s in %s is %s where this model needs %s: it belongs to another configuration."
              .formatted(name, path, Arrays.toString(entry.shape), Arrays.toString(shape)));
    }
  }

  private Tensor read(Entry entry, Tensor target, String name) {
    try {
      return readMapped(entry, target, name);
    } catch (InternalError e) {
      // How the JVM reports a page of a mapping that no longer has a file behind it.
      throw new TensorException("%s was cut short while it was being read.".formatted(path), e);
    }
  }

  private Tensor readMapped(Entry entry, Tensor target, String name) {
    if (entry.dtype == DType.BOOL) {
      for (long i = 0; i < entry.bytes.byteSize(); i++) {
        if ((entry.bytes.get(JAVA_BYTE, i) & ~1) != 0) {
          throw broken(path, "BOOL tensor " + name + " holds a byte other than 0 and 1");
        }
      }
    }
    return target.copyFrom(entry.bytes);
  }

  private Entry entry(String name) {
    Entry entry = entries.get(name);
    if (entry == null) {
      throw new TensorException("%s holds no tensor %s.".formatted(path, name));
    }
    return entry;
  }

  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      arena.close();
    }
  }

  // ---------------------------------------------------------------- index of shards

  private void readIndex(Path file) throws IOException {
    if (Files.size(file) > INDEX_BYTES_MAX) {
      throw broken(file, "the index is larger than " + INDEX_BYTES_MAX + " bytes");
    }
    JsonNode index = parse(file, Files.readAllBytes(file));
    JsonNode map = index.path("weight_map");
    if (!map.isObject()) {
      throw broken(file, "the index has no weight_map");
    }
    Map<String, Set<String>> namesOfShard = new TreeMap<>();
    for (Map.Entry<String, JsonNode> property : map.properties()) {
      JsonNode shard = property.getValue();
      if (!shard.isString() || !isPlainName(shard.stringValue())) {
        throw broken(file, "tensor " + property.getKey() + " names no file beside the index");
      }
      namesOfShard
          .computeIfAbsent(shard.stringValue(), key -> new TreeSet<>())
          .add(property.getKey());
    }
    if (namesOfShard.size() > SHARDS_MAX) {
      throw broken(file, "the index names more than " + SHARDS_MAX + " files");
    }
    for (Map.Entry<String, Set<String>> shard : namesOfShard.entrySet()) {
      Path shardFile = file.resolveSibling(shard.getKey());
      if (!Files.isRegularFile(shardFile)) {
        throw new TensorException("%s names %s, which is missing.".formatted(file, shardFile));
      }
      Set<String> before = new TreeSet<>(entries.keySet());
      readShard(shardFile);
      Set<String> added = new TreeSet<>(entries.keySet());
      added.removeAll(before);
      if (!added.equals(shard.getValue())) {
        throw broken(file, "the index and " + shard.getKey() + " disagree on the tensors in it");
      }
    }
  }

  private static boolean isPlainName(String name) {
    return name.endsWith(".safetensors") && name.matches("[A-Za-z0-9][A-Za-z0-9._-]*");
  }

  // ---------------------------------------------------------------- one file

  private void readShard(Path file) throws IOException {
    MemorySegment mapped;
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      mapped = channel.map(MapMode.READ_ONLY, 0, channel.size(), arena);
    }
    if (mapped.byteSize() < Long.BYTES) {
      throw broken(file, "it is shorter than 8 bytes");
    }
    long headerBytes = mapped.get(LITTLE_LONG, 0);
    if (headerBytes < 2
        || headerBytes > HEADER_BYTES_MAX
        || headerBytes > mapped.byteSize() - Long.BYTES) {
      throw broken(file, "the header length " + headerBytes + " is impossible");
    }
    byte[] header = mapped.asSlice(Long.BYTES, headerBytes).toArray(JAVA_BYTE);
    if (header[0] != '{') {
      throw broken(file, "the header is not a JSON object");
    }
    readHeader(file, parse(file, header), mapped.asSlice(Long.BYTES + headerBytes));
  }

  private void readHeader(Path file, JsonNode header, MemorySegment data) {
    record Placed(String name, long begin, long end) {}
    List<Placed> places = new ArrayList<>();
    for (Map.Entry<String, JsonNode> property : header.properties()) {
      String name = property.getKey();
      JsonNode value = property.getValue();
      if (name.equals(METADATA)) {
        readMetadata(file, value);
        continue;
      }
      DType dtype = dtypeOf(file, name, value.path("dtype"));
      long[] shape = shapeOf(file, name, value.path("shape"));
      JsonNode offsets = value.path("data_offsets");
      if (!offsets.isArray() || offsets.size() != 2) {
        throw broken(file, "tensor " + name + " has no data_offsets");
      }
      long begin = wholeNumber(file, name, offsets.get(0));
      long end = wholeNumber(file, name, offsets.get(1));
      if (begin > end || end > data.byteSize()) {
        throw broken(file, "tensor " + name + " lies outside the file");
      }
      if (end - begin != bytesOf(file, name, dtype, shape)) {
        throw broken(file, "the size of tensor " + name + " disagrees with its shape");
      }
      places.add(new Placed(name, begin, end));
      if (entries.put(name, new Entry(dtype, shape, data.asSlice(begin, end - begin))) != null) {
        throw broken(file, "tensor " + name + " is in two files");
      }
    }
    places.sort(Comparator.comparingLong(Placed::begin).thenComparingLong(Placed::end));
    long next = 0;
    for (Placed place : places) {
      if (place.begin != next) {
        throw broken(
            file,
            "tensor %s %s the one before it"
                .formatted(place.name, place.begin < next ? "overlaps" : "leaves a gap after"));
      }
      next = place.end;
    }
    if (next != data.byteSize()) {
      throw broken(file, (data.byteSize() - next) + " bytes at the end belong to no tensor");
    }
  }

  private void readMetadata(Path file, JsonNode value) {
    if (!value.isObject()) {
      throw broken(file, "its metadata is not an object");
    }
    for (Map.Entry<String, JsonNode> entry : value.properties()) {
      if (!entry.getValue().isString()) {
        throw broken(file, "metadata " + entry.getKey() + " is not text");
      }
      metadata.put(entry.getKey(), entry.getValue().stringValue());
    }
  }

  private static DType dtypeOf(Path file, String name, JsonNode value) {
    for (DType type : DType.values()) {
      if (type.storable() && value.isString() && value.stringValue().equals(type.name())) {
        return type;
      }
    }
    throw broken(file, "tensor " + name + " has dtype " + value + ", which cannot be read");
  }

  private static long[] shapeOf(Path file, String name, JsonNode value) {
    if (!value.isArray() || value.size() > DIMENSIONS_MAX) {
      throw broken(file, "tensor " + name + " has no usable shape");
    }
    long[] shape = new long[value.size()];
    for (int i = 0; i < shape.length; i++) {
      shape[i] = wholeNumber(file, name, value.get(i));
    }
    return shape;
  }

  private static long bytesOf(Path file, String name, DType dtype, long[] shape) {
    try {
      long bytes = dtype.bytes();
      for (long length : shape) {
        bytes = Math.multiplyExact(bytes, length);
      }
      return bytes;
    } catch (ArithmeticException e) {
      throw broken(file, "the shape of tensor " + name + " overflows");
    }
  }

  private static long wholeNumber(Path file, String name, JsonNode value) {
    if (!value.isIntegralNumber() || !value.canConvertToLong() || value.longValue() < 0) {
      throw broken(file, "tensor " + name + " has " + value + " where a size belongs");
    }
    return value.longValue();
  }

  private static JsonNode parse(Path file, byte[] json) {
    try {
      JsonNode node = JSON.readTree(json);
      if (!node.isObject()) {
        throw broken(file, "its JSON is not an object");
      }
      return node;
    } catch (JacksonException e) {
      throw new TensorException(
          "%s is not a usable safetensors file: its JSON is broken (%s)."
              .formatted(file, e.getOriginalMessage()),
          e);
    }
  }

  private static TensorException broken(Path file, String why) {
    return new TensorException("%s is not a usable safetensors file: %s.".formatted(file, why));
  }
}
