package org.descant.tensor;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Optional;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.ActivityTypeSet;
import org.bytedeco.pytorch.ExperimentalConfig;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.ProfilerConfig;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ActivityType;
import org.bytedeco.pytorch.global.torch.ProfilerState;
import org.jspecify.annotations.Nullable;

/**
 * libtorch's own profiler (Kineto): records every operator that the calling thread runs, with its
 * input shapes, until {@link #stop} writes them as a Chrome trace, which Perfetto and {@code
 * chrome://tracing} open. Costs 3 to 12 % of a step.
 *
 * <pre>{@code
 * try (Profiler profiler = Profiler.start()) {
 *   try (Profiler.Range range = Profiler.range("step 12")) { … }
 *   profiler.stop(Path.of("trace.json"));
 * }
 * }</pre>
 *
 * <p>Two of the three functions have no Java binding and are called by their C++ names, which
 * belong to one version of libtorch; {@link #unavailable} tells when this build's library lacks
 * one, and everything else works without them. A recording belongs to the platform thread that
 * started it. One at a time in a process.
 */
public final class Profiler implements AutoCloseable {
  private static final String PREFIX = "_ZN5torch8autograd8profiler";
  private static final String ENABLE =
      PREFIX
          + "14enableProfilerERKNS_8profiler4impl14ProfilerConfigERKSt3setINS3_12ActivityTypeESt4"
          + "lessIS8_ESaIS8_EERKSt13unordered_setIN2at11RecordScopeESt4hashISH_ESt8equal_toISH_ESaI"
          + "SH_EE";
  private static final String DISABLE = PREFIX + "15disableProfilerEv";
  private static final String SAVE =
      PREFIX + "14ProfilerResult4saveERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE";
  private static final String DESTROY = PREFIX + "14ProfilerResultD1Ev";

  /** Sizes of libstdc++'s {@code unordered_set} and {@code string}. */
  private static final long SET_BYTES = 56;

  private static final long STRING_BYTES = 32;

  private static volatile @Nullable Profiler active;

  private final Thread thread;
  private boolean recording = true;

  private Profiler(Thread thread) {
    this.thread = thread;
  }

  /** Why nothing can be recorded here; empty when it can. */
  public static Optional<String> unavailable() {
    NativeRuntime.prepare();
    return Optional.ofNullable(Native.MISSING);
  }

  /**
   * Starts recording what this thread does.
   *
   * @throws TensorException when the library cannot, or a recording is under way
   */
  public static Profiler start() {
    NativeRuntime.requirePlatformThread();
    return start(ProfilerState.KINETO);
  }

  /**
   * Instead of recording, gives every operator and {@link #range} of this thread its name as an
   * NVTX range, which Nsight shows above the GPU's kernels; {@link #close} ends it.
   *
   * @throws TensorException without a GPU
   */
  public static Profiler nvtx() {
    NativeRuntime.requirePlatformThread();
    Device.cuda(0).requireAvailable();
    return start(ProfilerState.NVTX);
  }

  private static synchronized Profiler start(ProfilerState state) {
    Optional<String> missing = unavailable();
    if (missing.isPresent()) {
      throw new TensorException(missing.get());
    }
    if (active != null) {
      throw new TensorException("A recording is under way; stop it before the next one.");
    }
    try (PointerScope scope = new PointerScope();
        Arena arena = Arena.ofConfined()) {
      ActivityTypeSet activities = new ActivityTypeSet();
      activities.insert(ActivityType.CPU);
      if (Device.cuda(0).isAvailable()) {
        activities.insert(ActivityType.CUDA);
      }
      boolean shapes = true;
      ProfilerConfig config =
          new ProfilerConfig(
              state,
              shapes,
              false,
              false,
              false,
              false,
              new ExperimentalConfig(),
              new BytePointer(""));
      torch.prepareProfiler(config, activities);
      Native.enable(
          MemorySegment.ofAddress(config.address()),
          MemorySegment.ofAddress(activities.address()),
          emptySet(arena));
    } catch (RuntimeException e) {
      throw TensorException.fromNative("profiler", e);
    }
    Profiler profiler = new Profiler(Thread.currentThread());
    active = profiler;
    return profiler;
  }

  /** An empty {@code std::unordered_set}: one bucket, which lies inside it; load factor 1. */
  private static MemorySegment emptySet(Arena arena) {
    MemorySegment set = arena.allocate(SET_BYTES, 16);
    set.set(JAVA_LONG, 0, set.address() + 48);
    set.set(JAVA_LONG, 8, 1);
    set.set(JAVA_FLOAT, 32, 1f);
    return set;
  }

  /**
   * Ends the recording and writes it: aside first, then renamed.
   *
   * @throws TensorException on another thread, after the end, or when the file cannot be written
   */
  public void stop(Path trace) {
    if (!recording) {
      throw new TensorException("This recording has ended already.");
    }
    Path aside = trace.toAbsolutePath().resolveSibling(trace.getFileName() + ".tmp");
    finish(aside);
    try {
      if (!Files.isRegularFile(aside)) {
        throw new TensorException("libtorch wrote no trace; is there room for " + trace + "?");
      }
      Files.move(aside, trace, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      throw new TensorException("The trace cannot be written to " + trace + ".", e);
    }
  }

  /** Ends a recording that was not stopped, without a file. */
  @Override
  public void close() {
    if (recording) {
      finish(null);
    }
  }

  private void finish(@Nullable Path file) {
    if (Thread.currentThread() != thread) {
      throw new TensorException("A recording ends on the thread that started it, " + thread + ".");
    }
    recording = false;
    active = null;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment result = arena.allocate(ADDRESS);
      Native.disable(result);
      MemorySegment found = result.get(ADDRESS, 0);
      if (found.address() == 0) {
        return;
      }
      if (file != null) {
        Native.save(found, string(arena, file.toString()));
      }
      Native.destroy(found);
    }
  }

  /** A {@code std::string} that libtorch only reads. */
  private static MemorySegment string(Arena arena, String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    MemorySegment characters = arena.allocate(bytes.length + 1L);
    MemorySegment.copy(bytes, 0, characters, JAVA_BYTE, 0, bytes.length);
    MemorySegment string = arena.allocate(STRING_BYTES, 8);
    string.set(JAVA_LONG, 0, characters.address());
    string.set(JAVA_LONG, 8, bytes.length);
    string.set(JAVA_LONG, 16, bytes.length);
    return string;
  }

  /**
   * Names what this thread does until the range is closed, in the trace or for Nsight. Costs
   * nothing while nobody records on this thread.
   */
  public static Range range(String name) {
    Profiler current = active;
    return current == null || current.thread != Thread.currentThread()
        ? Range.NONE
        : new Range(Ops.enterRange(name));
  }

  /** A named stretch of a recording; ranges close in the reverse order of opening. */
  public static final class Range implements AutoCloseable {
    private static final Range NONE = new Range(null);

    private final @Nullable IValue record;

    private Range(@Nullable IValue record) {
      this.record = record;
    }

    @Override
    public void close() {
      if (record != null) {
        Ops.exitRange(record);
        record.close();
      }
    }
  }

  /** The exported functions, by address. A C++ exception in one of them would end the process. */
  @SuppressWarnings("restricted")
  private static final class Native {
    static final @Nullable String MISSING;
    private static final @Nullable MethodHandle ENABLE_PROFILER;
    private static final @Nullable MethodHandle DISABLE_PROFILER;
    private static final @Nullable MethodHandle SAVE_RESULT;
    private static final @Nullable MethodHandle DESTROY_RESULT;
    private static final @Nullable MethodHandle DELETE;

    static {
      SymbolLookup torch = library("libtorch_cpu.so");
      SymbolLookup standard = library("libstdc++.so");
      ENABLE_PROFILER = find(torch, ENABLE, FunctionDescriptor.ofVoid(ADDRESS, ADDRESS, ADDRESS));
      // Returns a unique_ptr, through a pointer that the caller passes first.
      DISABLE_PROFILER = find(torch, DISABLE, FunctionDescriptor.ofVoid(ADDRESS));
      SAVE_RESULT = find(torch, SAVE, FunctionDescriptor.ofVoid(ADDRESS, ADDRESS));
      DESTROY_RESULT = find(torch, DESTROY, FunctionDescriptor.ofVoid(ADDRESS));
      DELETE = find(standard, "_ZdlPv", FunctionDescriptor.ofVoid(ADDRESS));
      MISSING =
          ENABLE_PROFILER != null && DISABLE_PROFILER != null && SAVE_RESULT != null
              ? null
              : "This build of libtorch does not export its profiler under the names of version"
                  + " 2.10; everything but profiling works.";
    }

    private static @Nullable SymbolLookup library(String name) {
      try (var maps = Files.lines(Path.of("/proc/self/maps"))) {
        Optional<String> path =
            maps.map(line -> line.substring(line.lastIndexOf(' ') + 1))
                .filter(file -> file.contains("/" + name))
                .findFirst();
        return path.isEmpty()
            ? null
            : SymbolLookup.libraryLookup(Path.of(path.get()), Arena.global());
      } catch (IOException | IllegalArgumentException e) {
        return null;
      }
    }

    private static @Nullable MethodHandle find(
        @Nullable SymbolLookup library, String symbol, FunctionDescriptor descriptor) {
      return library == null
          ? null
          : library
              .find(symbol)
              .map(address -> Linker.nativeLinker().downcallHandle(address, descriptor))
              .orElse(null);
    }

    static void enable(MemorySegment config, MemorySegment activities, MemorySegment scopes) {
      call(ENABLE_PROFILER, config, activities, scopes);
    }

    static void disable(MemorySegment result) {
      call(DISABLE_PROFILER, result);
    }

    static void save(MemorySegment result, MemorySegment path) {
      call(SAVE_RESULT, result, path);
    }

    /** Frees a result, as its unique_ptr would; without the symbols it stays until the end. */
    static void destroy(MemorySegment result) {
      if (DESTROY_RESULT != null && DELETE != null) {
        call(DESTROY_RESULT, result);
        call(DELETE, result);
      }
    }

    private static void call(@Nullable MethodHandle function, MemorySegment... arguments) {
      if (function == null) {
        throw new TensorException(String.valueOf(MISSING));
      }
      try {
        function.invokeWithArguments((Object[]) arguments);
      } catch (Throwable e) {
        throw new TensorException("libtorch's profiler failed.", e);
      }
    }
  }
}
