package org.descant.lab;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/**
 * What a Chrome trace of libtorch's profiler says, added up by operator.
 *
 * <p>An operator's time is its own: what the operators inside it took is theirs. Arithmetic is
 * known where the input shapes tell it, for matrix products and one-dimensional convolutions; a
 * product that calls another counts once, at the inner one.
 *
 * @param operators most expensive first
 * @param ranges named stretches of the recording, in the order they first began
 * @param seconds time in all operators and ranges
 * @param outsideSeconds of that, inside ranges but in no operator: the program around them
 */
public record TraceSummary(
    List<Operator> operators, List<Range> ranges, double seconds, double outsideSeconds) {
  private static final long TRACE_BYTES_MAX = 1L << 30;
  private static final Set<String> CATEGORIES = Set.of("cpu_op", "user_annotation");
  private static final String RANGE = "user_annotation";

  /**
   * One kind of operator.
   *
   * @param name such as {@code aten::mm}
   * @param calls how often it ran
   * @param seconds of its own
   * @param flops arithmetic of all calls, a multiply-add counted as two; 0 where it is not known
   */
  public record Operator(String name, long calls, double seconds, double flops) {
    /** Operations a second while it ran; 0 where the arithmetic is not known. */
    public double flopsPerSecond() {
      return seconds > 0 ? flops / seconds : 0;
    }
  }

  /** A named stretch: how often, and how long in all with everything inside. */
  public record Range(String name, long calls, double seconds) {}

  public TraceSummary {
    operators = List.copyOf(operators);
    ranges = List.copyOf(ranges);
  }

  /** All arithmetic that is known. */
  public double flops() {
    return operators.stream().mapToDouble(Operator::flops).sum();
  }

  /**
   * Adds up a trace.
   *
   * @throws LabException when the file cannot be read or is no trace
   */
  public static TraceSummary read(Path trace) {
    JsonNode events;
    try {
      if (Files.size(trace) > TRACE_BYTES_MAX) {
        throw new LabException(trace + " is larger than 1 GB; record fewer steps");
      }
      events = RunFolder.JSON.readTree(Files.readAllBytes(trace)).path("traceEvents");
    } catch (IOException | JacksonException e) {
      throw new LabException("cannot read trace " + trace + ": " + e.getMessage(), e);
    }
    if (!events.isArray()) {
      throw new LabException(trace + " is no Chrome trace: it has no traceEvents");
    }
    return of(events);
  }

  private static TraceSummary of(JsonNode events) {
    Map<Long, List<Call>> byThread = new LinkedHashMap<>();
    for (JsonNode event : events) {
      if (event.path("ph").asString("").equals("X")
          && CATEGORIES.contains(event.path("cat").asString(""))) {
        byThread
            .computeIfAbsent(event.path("tid").asLong(), tid -> new ArrayList<>())
            .add(new Call(event));
      }
    }
    byThread.values().forEach(TraceSummary::nest);
    Map<String, double[]> operators = new HashMap<>();
    Map<String, double[]> ranges = new LinkedHashMap<>();
    double total = 0;
    double outside = 0;
    for (List<Call> calls : byThread.values()) {
      for (Call call : calls) {
        double own = (call.duration - call.inside) / 1e6;
        total += own;
        if (!call.range) {
          double[] sums = operators.computeIfAbsent(call.name, name -> new double[3]);
          sums[0]++;
          sums[1] += own;
          sums[2] += call.flops;
        } else {
          outside += own;
          double[] range = ranges.computeIfAbsent(call.name, name -> new double[2]);
          range[0]++;
          range[1] += call.duration / 1e6;
        }
      }
    }
    var found = new ArrayList<Operator>();
    operators.forEach(
        (name, sums) -> found.add(new Operator(name, (long) sums[0], sums[1], sums[2])));
    found.sort(Comparator.comparingDouble(Operator::seconds).reversed());
    var named = new ArrayList<Range>();
    ranges.forEach((name, sums) -> named.add(new Range(name, (long) sums[0], sums[1])));
    return new TraceSummary(found, named, total, outside);
  }

  /** Gives every call the time and arithmetic of those directly inside it. */
  private static void nest(List<Call> calls) {
    calls.sort(
        Comparator.comparingDouble((Call call) -> call.start)
            .thenComparing(Comparator.comparingDouble((Call call) -> call.duration).reversed()));
    Deque<Call> open = new ArrayDeque<>();
    for (Call call : calls) {
      while (!open.isEmpty() && open.element().end() <= call.start) {
        open.pop();
      }
      Call around = open.peek();
      if (around != null) {
        around.inside += call.duration;
      }
      if (call.flops > 0) {
        open.forEach(outer -> outer.flops = 0);
      }
      open.push(call);
    }
  }

  private static final class Call {
    final String name;
    final boolean range;
    final double start;
    final double duration;
    double inside;
    double flops;

    Call(JsonNode event) {
      name = event.path("name").asString("");
      range = event.path("cat").asString("").equals(RANGE);
      start = event.path("ts").asDouble();
      duration = event.path("dur").asDouble();
      flops = Arithmetic.of(name, event.path("args"));
    }

    double end() {
      return start + duration;
    }
  }

  /** Operations of one call, from the shapes of its inputs. */
  private static final class Arithmetic {
    private Arithmetic() {}

    static double of(String name, JsonNode arguments) {
      JsonNode shapes = arguments.path("Input Dims");
      return switch (name) {
        case "aten::mm", "aten::bmm" -> product(shapes.path(0), shapes.path(1));
        case "aten::addmm", "aten::baddbmm", "aten::_addmm_activation" ->
            product(shapes.path(1), shapes.path(2));
        case "aten::mkldnn_convolution",
            "aten::convolution_overrideable",
            "aten::thnn_conv2d",
            "aten::_slow_conv2d_forward" ->
            convolution(shapes.path(0), shapes.path(1), arguments.path("Concrete Inputs"));
        case "aten::convolution_backward" -> backward(shapes);
        default -> 0;
      };
    }

    private static double product(JsonNode a, JsonNode b) {
      if (!a.isArray() || !b.isArray() || b.isEmpty()) {
        return 0;
      }
      return 2 * count(a, 0) * b.get(b.size() - 1).asDouble();
    }

    /** Outputs × the weights that each sees; the weight is [out, in / groups, kernel …]. */
    private static double convolution(JsonNode input, JsonNode weight, JsonNode concrete) {
      if (input.size() < 3 || weight.size() != input.size()) {
        return 0;
      }
      // mkldnn_convolution(input, weight, bias, padding, stride, dilation, groups)
      double[] padding = numbers(concrete.path(3));
      double[] stride = numbers(concrete.path(4));
      double[] dilation = numbers(concrete.path(5));
      double outputs = input.get(0).asDouble() * weight.get(0).asDouble();
      for (int i = 2; i < input.size(); i++) {
        double kernel = at(dilation, i - 2, 1) * (weight.get(i).asDouble() - 1) + 1;
        double room = input.get(i).asDouble() + 2 * at(padding, i - 2, 0) - kernel;
        outputs *= Math.floor(room / at(stride, i - 2, 1)) + 1;
      }
      return 2 * outputs * count(weight, 1);
    }

    /** Gradients of input and weight each cost what the forward pass did. */
    private static double backward(JsonNode shapes) {
      JsonNode gradient = shapes.path(0);
      JsonNode weight = shapes.path(2);
      if (gradient.size() < 3 || weight.size() != gradient.size()) {
        return 0;
      }
      return 4 * count(gradient, 0) * count(weight, 1);
    }

    private static double count(JsonNode shape, int from) {
      double count = 1;
      for (int i = from; i < shape.size(); i++) {
        count *= shape.get(i).asDouble();
      }
      return count;
    }

    private static double at(double[] values, int index, double otherwise) {
      return values.length == 0 ? otherwise : values[Math.min(index, values.length - 1)];
    }

    /** A list as the profiler writes it: {@code "[1, 2]"}. */
    private static double[] numbers(@Nullable JsonNode text) {
      String list = Objects.requireNonNullElse(text, RunFolder.JSON.nullNode()).asString("");
      String inner = list.replaceAll("[\\[\\]\\s]", "");
      if (!inner.matches("[0-9]+(,[0-9]+)*")) {
        return new double[0];
      }
      return java.util.Arrays.stream(inner.split(",")).mapToDouble(Double::parseDouble).toArray();
    }
  }
}
