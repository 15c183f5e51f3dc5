package org.descant.tensor;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.io.IOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.nio.file.Files;
import java.nio.file.Path;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Process-wide settings of libtorch. {@link #init} is idempotent and thread-safe; the first {@link
 * Scope} prepares the runtime by itself, so calling it late changes the thread count only.
 *
 * <p>The environment must be set before the JVM starts: {@code GOMP_SPINCOUNT=3000}, {@code
 * OPENBLAS_NUM_THREADS=1}; and the JVM flag {@code -Dorg.bytedeco.javacpp.maxPhysicalBytes=0}
 * avoids a system call of 1.4 µs at every native allocation.
 */
public final class NativeRuntime {
  private static final int THREADS_MAX = 1024;
  private static final String PHYSICAL_BYTES = "org.bytedeco.javacpp.maxPhysicalBytes";
  private static volatile int threads;

  private NativeRuntime() {}

  /**
   * Sets the threads one operation may use, here and on every thread that opens a {@link Scope}
   * after this. Training: the number of cores; serving: 1 and one worker per core.
   */
  public static void init(int intraOpThreads) {
    if (intraOpThreads < 1 || intraOpThreads > THREADS_MAX) {
      throw new TensorException(
          "Threads per operation must be 1 to %d, was %d.".formatted(THREADS_MAX, intraOpThreads));
    }
    prepare();
    threads = intraOpThreads;
    torch.set_num_threads(intraOpThreads);
  }

  /** Threads one operation uses on the calling thread. */
  public static int threads() {
    prepare();
    return threads > 0 ? threads : torch.get_num_threads();
  }

  /**
   * What a run record should keep about the machine and the library.
   *
   * @param fp32MatmulPrecision libtorch's setting for fp32 products
   * @param fp32MatmulError relative error of an fp32 product of 256 terms, measured at start
   * @param physicalBytesCheckOff whether JavaCPP's memory check, slow and misleading here, is off
   */
  public record Description(
      String cpu,
      String vectorInstructions,
      String libtorch,
      int threads,
      String fp32MatmulPrecision,
      double fp32MatmulError,
      boolean physicalBytesCheckOff) {}

  /** Describes the machine and the effective settings. */
  public static Description describe() {
    prepare();
    return new Description(
        cpuModel(),
        torch.get_cpu_capability().getString(),
        libtorchVersion(),
        threads(),
        Loaded.FP32_SETTING,
        Loaded.FP32_ERROR,
        Pointer.maxPhysicalBytes() == 0);
  }

  /**
   * Fails on a virtual thread: libtorch keeps grad mode, autocast and thread counts per platform
   * thread, and another virtual thread would find them changed.
   */
  static void requirePlatformThread() {
    if (Thread.currentThread().isVirtual()) {
      throw new TensorException(
          "Tensors need a platform thread, because libtorch's modes belong to one; hand this work"
              + " to an executor of platform threads.");
    }
  }

  /** Loads libtorch and applies the settings that never change. */
  static void prepare() {
    Loaded.touch();
  }

  /** The thread count asked for by {@link #init}; 0 when it was never called. */
  static int requestedThreads() {
    return threads;
  }

  /** The version of the binding's jar: libtorch's own, a dash, JavaCPP's. */
  private static String libtorchVersion() {
    String version = torch.class.getPackage().getImplementationVersion();
    return version == null ? "unknown" : version;
  }

  private static String cpuModel() {
    try (var lines = Files.lines(Path.of("/proc/cpuinfo"))) {
      return lines
          .filter(line -> line.startsWith("model name"))
          .map(line -> line.substring(line.indexOf(':') + 1).strip())
          .findFirst()
          .orElse(System.getProperty("os.arch"));
    } catch (IOException e) {
      return System.getProperty("os.arch");
    }
  }

  private static final class Loaded {
    private static final String FAST = "medium";

    private static final String EXACT = "highest";

    /** bf16 products of this size err by 3e-3, fp32 ones by 4e-7. */
    private static final double FP32_ERROR_MAX = 1e-5;

    static final String FP32_SETTING;
    static final double FP32_ERROR;

    static {
      // Read by JavaCPP when its Pointer class loads, which is later than this line unless another
      // module used JavaCPP first.
      if (System.getProperty(PHYSICAL_BYTES) == null) {
        System.setProperty(PHYSICAL_BYTES, "0");
      }
      keepLargeBlocks();
      torch.globalContext().setFloat32MatmulPrecision(FAST);
      double error = fp32MatmulError();
      boolean fp32 = error < FP32_ERROR_MAX;
      if (!fp32) {
        torch.globalContext().setFloat32MatmulPrecision(EXACT);
        error = fp32MatmulError();
      }
      FP32_SETTING = fp32 ? FAST : EXACT;
      FP32_ERROR = error;
    }

    /**
     * "medium" sends fp32 products to oneDNN, which shares libgomp's threads with everything else;
     * with OpenBLAS two pools spin against each other (2.9 times slower on 2 cores). The setting
     * allows bf16 inside, which CPUs with AMX may take up: then fp32 would not be fp32, so the
     * error decides.
     */
    private static double fp32MatmulError() {
      try (PointerScope scope = new PointerScope()) {
        var a =
            torch
                .arange(new Scalar(256 * 256), new TensorOptions(ScalarType.Double))
                .sin()
                .view(256, 256);
        var exact = a.matmul(a);
        var single = a.to(ScalarType.Float);
        var error = single.matmul(single).to(ScalarType.Double).sub(exact).norm();
        return error.item_double() / exact.norm().item_double();
      }
    }

    static void touch() {}

    /**
     * glibc maps blocks above 32 MiB afresh each time, and the page faults cost more than the
     * arithmetic (softmax over 33 MB: 11.0 ms, with this 2.5 ms). C libraries without mallopt keep
     * their own policy.
     */
    @SuppressWarnings("restricted")
    private static void keepLargeBlocks() {
      Linker linker = Linker.nativeLinker();
      var symbol = linker.defaultLookup().find("mallopt");
      if (symbol.isEmpty()) {
        return;
      }
      var mallopt =
          linker.downcallHandle(symbol.get(), FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
      int mmapThreshold = -3;
      int trimThreshold = -1;
      int topPad = -2;
      try {
        int unused = (int) mallopt.invokeExact(mmapThreshold, 1 << 30);
        unused = (int) mallopt.invokeExact(trimThreshold, Integer.MAX_VALUE);
        unused = (int) mallopt.invokeExact(topPad, 64 << 20);
      } catch (Throwable e) {
        throw new TensorException("The C library refused mallopt.", e);
      }
    }
  }
}
