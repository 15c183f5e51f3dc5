package org.descant.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.DoubleBinaryOperator;
import java.util.function.DoubleUnaryOperator;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Every wrapper against plain Java on small inputs. */
class TensorTest {
  private static final double TOLERANCE = 2e-6;
  private static final float[] A = {-2.5f, -1, -0.25f, 0.5f, 1.5f, 3};
  private static final float[] B = {0.5f, -1, 2, 0.5f, -4, 1};
  private static final float[] POSITIVE = {0.1f, 0.5f, 1, 2, 5, 9};

  private Scope scope;

  @BeforeAll
  static void oneThread() {
    NativeRuntime.init(1);
  }

  @BeforeEach
  void open() {
    scope = Scope.open();
  }

  @AfterEach
  void close() {
    scope.close();
  }

  private static void assertValues(Tensor actual, double... expected) {
    double[] values = actual.toDoubles();
    assertThat(values).hasSize(expected.length);
    for (int i = 0; i < expected.length; i++) {
      assertThat(values[i])
          .as("element %d of %s", i, Arrays.toString(values))
          .isCloseTo(
              expected[i],
              org.assertj.core.data.Offset.offset(TOLERANCE * Math.max(1, Math.abs(expected[i]))));
    }
  }

  private record Unary(
      String name, float[] input, Function<Tensor, Tensor> op, DoubleUnaryOperator reference) {}

  @TestFactory
  Stream<DynamicTest> elementwiseFunctionsAgreeWithJava() {
    return Stream.of(
            new Unary("neg", A, Tensor::neg, x -> -x),
            new Unary("abs", A, Tensor::abs, Math::abs),
            new Unary("sign", A, Tensor::sign, Math::signum),
            new Unary("square", A, Tensor::square, x -> x * x),
            new Unary("sqrt", POSITIVE, Tensor::sqrt, Math::sqrt),
            new Unary("rsqrt", POSITIVE, Tensor::rsqrt, x -> 1 / Math.sqrt(x)),
            new Unary("reciprocal", POSITIVE, Tensor::reciprocal, x -> 1 / x),
            new Unary("pow", POSITIVE, t -> t.pow(1.5), x -> Math.pow(x, 1.5)),
            new Unary("powOf", A, t -> t.powOf(10), x -> Math.pow(10, x)),
            new Unary("exp", A, Tensor::exp, Math::exp),
            new Unary("log", POSITIVE, Tensor::log, Math::log),
            new Unary("log1p", POSITIVE, Tensor::log1p, Math::log1p),
            new Unary("log10", POSITIVE, Tensor::log10, Math::log10),
            new Unary("sin", A, Tensor::sin, Math::sin),
            new Unary("cos", A, Tensor::cos, Math::cos),
            new Unary("tanh", A, Tensor::tanh, Math::tanh),
            new Unary("sigmoid", A, Tensor::sigmoid, x -> 1 / (1 + Math.exp(-x))),
            new Unary("silu", A, Tensor::silu, x -> x / (1 + Math.exp(-x))),
            new Unary("relu", A, Tensor::relu, x -> Math.max(0, x)),
            new Unary("elu", A, Tensor::elu, x -> x > 0 ? x : Math.expm1(x)),
            new Unary("softplus", A, Tensor::softplus, x -> Math.log1p(Math.exp(x))),
            new Unary("gelu", A, Tensor::gelu, x -> x * normalCdf(x)),
            new Unary(
                "geluTanh",
                A,
                Tensor::geluTanh,
                x ->
                    0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)))),
            new Unary("floor", A, Tensor::floor, Math::floor),
            new Unary("round", A, Tensor::round, Math::rint),
            new Unary("clamp", A, t -> t.clamp(-1, 1), x -> Math.clamp(x, -1.0, 1.0)),
            new Unary("clampMin", A, t -> t.clampMin(0.5), x -> Math.max(x, 0.5)),
            new Unary("clampMax", A, t -> t.clampMax(0.5), x -> Math.min(x, 0.5)),
            new Unary("add double", A, t -> t.add(0.75), x -> x + 0.75),
            new Unary("add long", A, t -> t.add(2), x -> x + 2),
            new Unary("sub double", A, t -> t.sub(0.75), x -> x - 0.75),
            new Unary("sub long", A, t -> t.sub(2), x -> x - 2),
            new Unary("mul double", A, t -> t.mul(0.75), x -> x * 0.75),
            new Unary("mul long", A, t -> t.mul(2), x -> x * 2),
            new Unary("div double", A, t -> t.div(0.75), x -> x / 0.75),
            new Unary("add in place", A, t -> t.copy().addInPlace(0.75), x -> x + 0.75),
            new Unary("mul in place", A, t -> t.copy().mulInPlace(0.75), x -> x * 0.75),
            new Unary("fill", A, t -> t.copy().fill(7), x -> 7),
            new Unary("zero", A, t -> t.copy().zero(), x -> 0),
            new Unary("zerosLike", A, Tensor::zerosLike, x -> 0),
            new Unary("eq", A, t -> t.eq(0.5), x -> x == 0.5 ? 1 : 0),
            new Unary("ne", A, t -> t.ne(0.5), x -> x != 0.5 ? 1 : 0),
            new Unary("lt", A, t -> t.lt(0.5), x -> x < 0.5 ? 1 : 0),
            new Unary("le", A, t -> t.le(0.5), x -> x <= 0.5 ? 1 : 0),
            new Unary("gt", A, t -> t.gt(0.5), x -> x > 0.5 ? 1 : 0),
            new Unary("ge", A, t -> t.ge(0.5), x -> x >= 0.5 ? 1 : 0),
            new Unary("not", A, t -> t.gt(0.5).not(), x -> x > 0.5 ? 0 : 1),
            new Unary("masked fill", A, t -> t.maskedFill(t.lt(0.0), 9), x -> x < 0 ? 9 : x),
            new Unary("detach", A, Tensor::detach, x -> x),
            new Unary("contiguous", A, Tensor::contiguous, x -> x))
        .map(row ->
            DynamicTest.dynamicTest(
                row.name,
                () -> {
                  double[] expected = new double[row.input.length];
                  for (int i = 0; i < expected.length; i++) {
                    expected[i] = row.reference.applyAsDouble(row.input[i]);
                  }
                  assertValues(row.op.apply(Tensor.of(row.input, 2, 3)), expected);
                }));
  }

  private static double normalCdf(double x) {
    // Simpson's rule over the density; exact enough for a reference.
    int n = 20_000;
    double from = -12;
    double h = (x - from) / n;
    double sum = 0;
    for (int i = 0; i <= n; i++) {
      double t = from + i * h;
      double weight = i == 0 || i == n ? 1 : i % 2 == 1 ? 4 : 2;
      sum += weight * Math.exp(-t * t / 2);
    }
    return sum * h / 3 / Math.sqrt(2 * Math.PI);
  }

  private record Binary(
      String name, java.util.function.BinaryOperator<Tensor> op, DoubleBinaryOperator reference) {}

  @TestFactory
  Stream<DynamicTest> binaryFunctionsAgreeWithJava() {
    return Stream.of(
            new Binary("add", Tensor::add, Double::sum),
            new Binary("sub", Tensor::sub, (x, y) -> x - y),
            new Binary("mul", Tensor::mul, (x, y) -> x * y),
            new Binary("div", Tensor::div, (x, y) -> x / y),
            new Binary("add in place", (x, y) -> x.copy().addInPlace(y), Double::sum),
            new Binary("add scaled", (x, y) -> x.copy().addInPlace(y, 0.5), (x, y) -> x + 0.5 * y),
            new Binary("sub in place", (x, y) -> x.copy().subInPlace(y), (x, y) -> x - y),
            new Binary("mul in place", (x, y) -> x.copy().mulInPlace(y), (x, y) -> x * y),
            new Binary("div in place", (x, y) -> x.copy().divInPlace(y), (x, y) -> x / y),
            new Binary(
                "lerp", (x, y) -> x.copy().lerpInPlace(y, 0.25), (x, y) -> x + 0.25 * (y - x)),
            new Binary("maximum", Tensor::maximum, Math::max),
            new Binary("minimum", Tensor::minimum, Math::min),
            new Binary("atan2", Tensor::atan2, Math::atan2),
            new Binary("eq", Tensor::eq, (x, y) -> x == y ? 1 : 0),
            new Binary("lt", Tensor::lt, (x, y) -> x < y ? 1 : 0),
            new Binary("gt", Tensor::gt, (x, y) -> x > y ? 1 : 0),
            new Binary("and", (x, y) -> x.gt(0.0).and(y.gt(0.0)), (x, y) -> x > 0 && y > 0 ? 1 : 0),
            new Binary("or", (x, y) -> x.gt(0.0).or(y.gt(0.0)), (x, y) -> x > 0 || y > 0 ? 1 : 0),
            new Binary("where", (x, y) -> x.where(x.gt(y), y), Math::max),
            new Binary("copyFrom", (x, y) -> x.copy().copyFrom(y), (x, y) -> y))
        .map(row ->
            DynamicTest.dynamicTest(
                row.name,
                () -> {
                  double[] expected = new double[A.length];
                  for (int i = 0; i < expected.length; i++) {
                    expected[i] = row.reference.applyAsDouble(A[i], B[i]);
                  }
                  assertValues(row.op.apply(Tensor.of(A, 2, 3), Tensor.of(B, 2, 3)), expected);
                }));
  }

  @Test
  void makingTensors() {
    assertValues(Tensor.zeros(2), 0, 0);
    assertValues(Tensor.ones(2), 1, 1);
    assertValues(Tensor.ones(DType.I32, 2), 1, 1);
    assertValues(Tensor.full(2.5, 2), 2.5, 2.5);
    assertValues(Tensor.scalar(3), 3);
    assertValues(Tensor.arange(3), 0, 1, 2);
    assertValues(Tensor.arange(1, 8, 3), 1, 4, 7);
    assertValues(Tensor.linspace(0, 1, 5), 0, 0.25, 0.5, 0.75, 1);
    assertValues(Tensor.eye(2), 1, 0, 0, 1);
    assertValues(Tensor.hannWindow(4), 0, 0.5, 1, 0.5);
    assertValues(Tensor.of(new int[] {4, 5}), 4, 5);
    assertValues(Tensor.of(new double[] {0.1, 0.2}), 0.1, 0.2);
    assertThat(Tensor.of(new long[] {Long.MAX_VALUE}).toLongs()).containsExactly(Long.MAX_VALUE);
    assertThat(Tensor.of(new long[] {-7, 8}).toInts()).containsExactly(-7, 8);
    assertThat(Tensor.empty(DType.BF16, 2, 0).toFloats()).isEmpty();
    assertThat(Tensor.zeros(DType.I64, 3).add(1).dtype()).isEqualTo(DType.I64);
    assertThat(Tensor.zeros(DType.I64, 3).mul(0.5).dtype()).isEqualTo(DType.F32);
  }

  @Test
  void describingTensors() {
    Tensor t = Tensor.zeros(DType.BF16, 2, 3);
    assertThat(t.toString()).isEqualTo("Tensor BF16 [2, 3] cpu");
    assertThat(t.dim()).isEqualTo(2);
    assertThat(t.size(-1)).isEqualTo(3);
    assertThat(t.count()).isEqualTo(6);
    assertThat(t.device()).isEqualTo(Device.CPU);
    assertThat(t.transpose(0, 1).isContiguous()).isFalse();
    assertThat(t.to(Device.CPU).sharesDataWith(t)).isTrue();
    assertThat(t.copy().sharesDataWith(t)).isFalse();
    assertThatThrownBy(() -> t.size(2)).hasMessageContaining("outside");
    assertThat(Device.CPU.isAvailable()).isTrue();
    Device absent = Device.cuda(100);
    assertThat(absent.isAvailable()).isFalse();
    assertThatThrownBy(() -> t.to(absent)).hasMessageContaining("cuda:100 is not available");
    assertThatThrownBy(() -> new Device(Device.Kind.CPU, 1)).hasMessageContaining("no device");
    for (DType type : DType.values()) {
      assertThat(Tensor.zeros(type, 1).dtype()).isEqualTo(type);
    }
  }

  @Test
  void shapesAndViews() {
    Tensor t = Tensor.of(new float[] {0, 1, 2, 3, 4, 5}, 2, 3);
    assertValues(t.transpose(0, 1), 0, 3, 1, 4, 2, 5);
    assertValues(t.permute(1, 0).contiguous(), 0, 3, 1, 4, 2, 5);
    assertThat(t.reshape(3, -1).shape()).containsExactly(3, 2);
    assertThat(t.view(6).sharesDataWith(t)).isTrue();
    assertThat(t.unsqueeze(0).shape()).containsExactly(1, 2, 3);
    assertThat(t.unsqueeze(1).squeeze(1).shape()).containsExactly(2, 3);
    assertThat(t.unsqueeze(0).flatten(0, 1).shape()).containsExactly(2, 3);
    assertValues(t.select(0, 0).unsqueeze(0).expand(2, 3), 0, 1, 2, 0, 1, 2);
    assertValues(t.select(0, 1).repeat(2), 3, 4, 5, 3, 4, 5);
    assertValues(t.repeatInterleave(2, 0).select(1, 0), 0, 0, 3, 3);
    assertValues(t.narrow(1, 1, 2), 1, 2, 4, 5);
    assertValues(t.slice(1, 0, 3, 2), 0, 2, 3, 5);
    assertValues(t.select(1, 2), 2, 5);
    assertValues(t.view(6).unfold(0, 4, 2), 0, 1, 2, 3, 2, 3, 4, 5);
    assertValues(t.flip(1), 2, 1, 0, 5, 4, 3);
    assertValues(t.roll(1, 1), 2, 0, 1, 5, 3, 4);
    assertValues(t.tril(0), 0, 0, 0, 3, 4, 0);
    assertValues(t.triu(1), 0, 1, 2, 0, 0, 5);
    assertValues(t.pad(1, 0, 9), 9, 0, 1, 2, 9, 3, 4, 5);
    assertValues(t.pad(1, 1, "reflect"), 1, 0, 1, 2, 1, 4, 3, 4, 5, 4);
    assertValues(Tensor.cat(List.of(t, t.neg()), 1).select(0, 0), 0, 1, 2, 0, -1, -2);
    assertThat(Tensor.stack(List.of(t, t), 0).shape()).containsExactly(2, 2, 3);
    assertThat(t.split(2, 1).stream().map(s -> s.size(1))).containsExactly(2L, 1L);
    assertThat(t.splitSizes(1, 1, 2).stream().map(s -> s.size(1))).containsExactly(1L, 2L);
    assertValues(t.chunk(3, 1).get(2), 2, 5);
    assertValues(t.unbind(0).get(1), 3, 4, 5);
  }

  @Test
  void choosingElements() {
    Tensor t = Tensor.of(new float[] {0, 1, 2, 3, 4, 5}, 2, 3);
    assertValues(t.indexSelect(1, Tensor.of(new long[] {2, 0})), 2, 0, 5, 3);
    assertValues(t.gather(1, Tensor.of(new long[] {2, 1}, 2, 1)), 2, 4);
    assertValues(
        t.scatter(1, Tensor.of(new long[] {2, 1}, 2, 1), Tensor.of(new float[] {8, 9}, 2, 1)),
        0,
        1,
        8,
        3,
        9,
        5);
    assertValues(t.scatter(1, Tensor.of(new long[] {0, 0}, 2, 1), 7), 7, 1, 2, 7, 4, 5);
    assertValues(
        t.copy().scatterAddInPlace(1, Tensor.of(new long[] {1, 1, 2, 2}, 2, 2), Tensor.ones(2, 2)),
        0,
        3,
        2,
        3,
        4,
        7);
    assertValues(
        t.copy().indexAddInPlace(0, Tensor.of(new long[] {1, 1}), Tensor.ones(2, 3)),
        0,
        1,
        2,
        5,
        6,
        7);
    assertValues(
        t.copy().indexCopyInPlace(0, Tensor.of(new long[] {1}), Tensor.ones(1, 3)),
        0,
        1,
        2,
        1,
        1,
        1);
    assertValues(t.embedding(Tensor.of(new long[] {1, 0}, 2, 1)), 3, 4, 5, 0, 1, 2);
    assertValues(t.maskedSelect(t.gt(2.5)), 3, 4, 5);
    assertValues(t.gt(3.5).nonzero(), 1, 1, 1, 2);
    assertValues(Tensor.of(new long[] {1, 0}).oneHot(3), 0, 1, 0, 1, 0, 0);
    assertValues(Tensor.of(new long[] {1, 3, 1}).bincount(5), 0, 2, 0, 1, 0);
    assertValues(Tensor.of(new long[] {7, -7}).floorDivide(2), 3, -4);
    assertValues(Tensor.of(new long[] {7, -7}).remainder(3), 1, 2);
  }

  @Test
  void orderingElements() {
    Tensor t = Tensor.of(new float[] {3, 1, 2, 4, 6, 5}, 2, 3);
    assertValues(t.argmax(1, false), 0, 1);
    assertValues(t.argmin(0, false), 0, 0, 0);
    Tensor.Ranked top = t.topk(2, 1);
    assertValues(top.values(), 3, 2, 6, 5);
    assertValues(top.indices(), 0, 2, 1, 2);
    Tensor.Ranked sorted = Tensor.of(new float[] {2, 1, 2, 1}).sort(0, false);
    assertValues(sorted.values(), 1, 1, 2, 2);
    assertValues(sorted.indices(), 1, 3, 0, 2);
  }

  @Test
  void reducing() {
    Tensor t = Tensor.of(new float[] {1, 2, 3, 4, 5, 9}, 2, 3);
    assertValues(t.sum(), 24);
    assertValues(t.sum(0, false), 5, 7, 12);
    assertValues(t.sum(new long[] {0, 1}, true), 24);
    assertValues(t.mean(), 4);
    assertValues(t.mean(1, true), 2, 6);
    assertValues(t.var(1, false, false), 2.0 / 3, 14.0 / 3);
    assertValues(t.var(1, true, false), 1, 7);
    assertValues(t.amax(), 9);
    assertValues(t.amax(0, false), 4, 5, 9);
    assertValues(t.amin(), 1);
    assertValues(t.amin(1, false), 1, 4);
    assertValues(t.norm(), Math.sqrt(1 + 4 + 9 + 16 + 25 + 81));
    assertValues(
        t.logSumExp(1, false),
        Math.log(Math.exp(1) + Math.exp(2) + Math.exp(3)),
        Math.log(Math.exp(4) + Math.exp(5) + Math.exp(9)));
    assertValues(t.cumsum(1), 1, 3, 6, 4, 9, 18);
    assertThat(t.allFinite()).isTrue();
    assertThat(t.log().sub(Double.POSITIVE_INFINITY).allFinite()).isFalse();
    assertValues(Tensor.of(new float[] {0, Float.NaN}).isNaN(), 0, 1);
    assertThat(t.sum().item()).isEqualTo(24);
    assertThat(Tensor.of(new long[] {5}).itemLong()).isEqualTo(5);
    assertThatThrownBy(t::item).hasMessageContaining("exactly one element");
  }

  private static double[] doubles(long seed, int count) {
    SplittableRandom random = new SplittableRandom(seed);
    return random.doubles(count, -1, 1).map(x -> (float) x).toArray();
  }

  private static Tensor tensor(double[] values, long... shape) {
    return Tensor.of(values, shape).to(DType.F32);
  }

  @Test
  void productsAgreeWithLoops() {
    double[] x = doubles(1, 2 * 3 * 4);
    double[] w = doubles(2, 5 * 4);
    double[] b = doubles(3, 5);
    double[] expected = new double[2 * 3 * 5];
    for (int row = 0; row < 6; row++) {
      for (int out = 0; out < 5; out++) {
        double sum = b[out];
        for (int in = 0; in < 4; in++) {
          sum += x[row * 4 + in] * w[out * 4 + in];
        }
        expected[row * 5 + out] = sum;
      }
    }
    Tensor input = tensor(x, 2, 3, 4);
    Tensor weight = tensor(w, 5, 4);
    Tensor bias = tensor(b, 5);
    assertValues(input.linear(weight, bias), expected);
    assertValues(input.linear(weight).add(bias), expected);
    assertValues(input.matmul(weight.transpose(0, 1)).add(bias), expected);
    assertValues(
        input.bmmPlus(bias, weight.transpose(0, 1).unsqueeze(0).expand(2, 4, 5), 1), expected);
  }

  @Test
  void convolutionsAgreeWithLoops() {
    int batch = 2;
    int in = 4;
    int out = 6;
    int time = 11;
    int kernel = 3;
    int stride = 2;
    int padding = 2;
    int dilation = 2;
    int groups = 2;
    double[] x = doubles(4, batch * in * time);
    double[] w = doubles(5, out * in / groups * kernel);
    double[] b = doubles(6, out);
    int frames = (time + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
    double[] expected = new double[batch * out * frames];
    for (int n = 0; n < batch; n++) {
      for (int o = 0; o < out; o++) {
        for (int f = 0; f < frames; f++) {
          double sum = b[o];
          for (int i = 0; i < in / groups; i++) {
            int channel = o / (out / groups) * (in / groups) + i;
            for (int k = 0; k < kernel; k++) {
              int at = f * stride - padding + k * dilation;
              if (at >= 0 && at < time) {
                sum += x[(n * in + channel) * time + at] * w[(o * (in / groups) + i) * kernel + k];
              }
            }
          }
          expected[(n * out + o) * frames + f] = sum;
        }
      }
    }
    Tensor.Conv conv =
        Tensor.Conv.PLAIN
            .withStride(stride)
            .withPadding(padding)
            .withDilation(dilation)
            .withGroups(groups);
    assertValues(
        tensor(x, batch, in, time)
            .conv1d(tensor(w, out, in / groups, kernel), tensor(b, out), conv),
        expected);
    assertThat(
            Tensor.zeros(1, 8, 9)
                .conv1d(Tensor.zeros(8, 1, 7), null, Tensor.Conv.depthwise(7, 8))
                .shape())
        .containsExactly(1, 8, 9);
    assertThat(Tensor.Conv.same(5)).isEqualTo(new Tensor.Conv(1, 2, 1, 1));
    assertThatThrownBy(() -> new Tensor.Conv(0, 0, 1, 1)).isInstanceOf(TensorException.class);
  }

  @Test
  void convolutionOverRowsAndColumnsIsItsDefinition() {
    int rows = 5;
    int columns = 7;
    double[] x = doubles(31, 2 * rows * columns);
    double[] w = doubles(32, 3 * 2 * 3 * 2);
    double[] b = doubles(33, 3);
    var conv = new Tensor.Conv2d(2, 3, 1, 1);
    double[] expected = new double[3 * 3 * 3];
    for (int o = 0; o < 3; o++) {
      for (int r = 0; r < 3; r++) {
        for (int c = 0; c < 3; c++) {
          double sum = b[o];
          for (int i = 0; i < 2; i++) {
            for (int kr = 0; kr < 3; kr++) {
              for (int kc = 0; kc < 2; kc++) {
                int row = 2 * r + kr - 1;
                int column = 3 * c + kc - 1;
                if (row >= 0 && row < rows && column >= 0 && column < columns) {
                  sum +=
                      x[(i * rows + row) * columns + column] * w[((o * 2 + i) * 3 + kr) * 2 + kc];
                }
              }
            }
          }
          expected[(o * 3 + r) * 3 + c] = sum;
        }
      }
    }
    assertValues(
        tensor(x, 1, 2, rows, columns).conv2d(tensor(w, 3, 2, 3, 2), tensor(b, 3), conv), expected);
    assertThatThrownBy(() -> new Tensor.Conv2d(1, 0, 0, 0)).isInstanceOf(TensorException.class);
    assertValues(Tensor.of(new float[] {-2, 0, 3}, 3).leakyRelu(0.1), -0.2, 0, 3);
  }

  @Test
  void transposedConvolutionIsTheAdjoint() {
    Tensor x = tensor(doubles(7, 2 * 3 * 8), 2, 3, 8);
    Tensor w = tensor(doubles(8, 5 * 3 * 4), 5, 3, 4);
    Tensor.Conv conv = Tensor.Conv.PLAIN.withStride(2).withPadding(1);
    Tensor y = x.conv1d(w, null, conv);
    Tensor z = tensor(doubles(9, (int) y.count()), y.shape());
    Tensor back = z.convTranspose1d(w, null, conv, 0);
    assertThat(back.shape()).isEqualTo(x.shape());
    assertThat(y.mul(z).sum().item())
        .isCloseTo(back.mul(x).sum().item(), org.assertj.core.data.Offset.offset(1e-5));
  }

  @Test
  void normalisationsAgreeWithTheirDefinition() {
    Tensor x = tensor(doubles(10, 24), 2, 3, 4);
    Tensor w = tensor(doubles(11, 4), 4);
    Tensor b = tensor(doubles(12, 4), 4);
    Tensor centred = x.sub(x.mean(-1, true));
    Tensor variance = x.var(-1, false, true);
    assertValues(
        x.layerNorm(w, b, 1e-5), centred.mul(variance.add(1e-5).rsqrt()).mul(w).add(b).toDoubles());
    assertValues(
        x.rmsNorm(w, 1e-6), x.mul(x.square().mean(-1, true).add(1e-6).rsqrt()).mul(w).toDoubles());
    assertValues(x.rmsNorm(null, 1e-9).square().mean(-1, false), 1, 1, 1, 1, 1, 1);
    Tensor channels = tensor(doubles(13, 2 * 4 * 5), 2, 4, 5);
    Tensor groups = channels.reshape(2, 2, 10).layerNorm(null, null, 1e-5);
    assertValues(channels.groupNorm(2, null, null, 1e-5), groups.reshape(2, 4, 5).toDoubles());
  }

  @Test
  void softmaxAndLossesAgreeWithTheirDefinition() {
    double[] logits = doubles(14, 12);
    long[] target = {2, 0, Tensor.IGNORE};
    double[] softmax = new double[12];
    double[] rowLoss = new double[3];
    for (int row = 0; row < 3; row++) {
      double sum = 0;
      for (int c = 0; c < 4; c++) {
        sum += Math.exp(logits[row * 4 + c]);
      }
      for (int c = 0; c < 4; c++) {
        softmax[row * 4 + c] = Math.exp(logits[row * 4 + c]) / sum;
      }
      if (target[row] >= 0) {
        rowLoss[row] = -Math.log(softmax[row * 4 + (int) target[row]]);
      }
    }
    Tensor x = tensor(logits, 3, 4);
    Tensor y = Tensor.of(target);
    assertValues(x.softmax(1), softmax);
    assertValues(x.logSoftmax(-1).exp(), softmax);
    assertValues(x.crossEntropy(y), (rowLoss[0] + rowLoss[1]) / 2);
    assertValues(x.crossEntropyPerRow(y), rowLoss);
    double smooth = 0;
    for (int i = 0; i < 8; i++) {
      smooth -= Math.log(softmax[i]) / 8;
    }
    assertValues(x.crossEntropy(y, 0.2), 0.8 * (rowLoss[0] + rowLoss[1]) / 2 + 0.2 * smooth);
    Tensor p = Tensor.of(A);
    Tensor q = Tensor.of(B);
    assertValues(p.l1Loss(q), p.sub(q).abs().mean().item());
    assertValues(p.mseLoss(q), p.sub(q).square().mean().item());
    Tensor s = p.sigmoid();
    Tensor t = q.gt(0.0).to(DType.F32);
    assertValues(
        p.binaryCrossEntropy(t),
        t.mul(s.log()).add(t.neg().add(1).mul(s.neg().add(1).log())).mean().neg().item());
    assertValues(
        Tensor.of(new float[] {0, 0, 3, 4}, 2, 2).cdist(Tensor.of(new float[] {3, 4}, 1, 2)), 5, 0);
  }

  @Test
  void resamplingInTime() {
    Tensor x = Tensor.of(new float[] {0, 2, 4, 6}, 1, 1, 4);
    assertValues(x.avgPool1d(2, 2, 0), 1, 5);
    assertValues(x.interpolateNearest(2), 0, 4);
    assertValues(x.interpolateLinear(8), 0, 0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6);
  }

  @Test
  void spectraAgreeWithTheSlowTransform() {
    int n = 8;
    int hop = 2;
    int samples = 24;
    double[] signal = doubles(15, samples);
    Tensor x = tensor(signal, samples);
    Tensor window = Tensor.hannWindow(n);
    double[] w = window.toDoubles();
    int frames = 1 + samples / hop;
    double[] expected = new double[(n / 2 + 1) * frames * 2];
    for (int bin = 0; bin <= n / 2; bin++) {
      for (int frame = 0; frame < frames; frame++) {
        for (int i = 0; i < n; i++) {
          int at = Math.abs(frame * hop + i - n / 2);
          at = at < samples ? at : 2 * (samples - 1) - at;
          double angle = -2 * Math.PI * bin * i / n;
          int place = (bin * frames + frame) * 2;
          expected[place] += signal[at] * w[i] * Math.cos(angle);
          expected[place + 1] += signal[at] * w[i] * Math.sin(angle);
        }
      }
    }
    Tensor spectrum = x.stft(window, hop);
    assertThat(spectrum.dtype()).isEqualTo(DType.COMPLEX64);
    assertValues(spectrum.viewAsReal(), expected);
    assertValues(spectrum.viewAsReal().viewAsComplex().viewAsReal(), expected);
    assertValues(spectrum.abs().polar(spectrum.angle()).viewAsReal(), expected);
    assertValues(spectrum.unsqueeze(0).istft(window, hop, samples), signal);
    assertThat(spectrum.istft(window, hop, 0).size(-1)).isEqualTo(samples);
    Tensor transformed = x.rfft();
    assertThat(transformed.shape()).containsExactly(samples / 2 + 1);
    assertValues(transformed.irfft(samples), signal);
    assertValues(transformed.viewAsReal().select(0, 0), Arrays.stream(signal).sum(), 0);
  }

  @Test
  void dataGoesInAndOut() {
    Tensor t = Tensor.zeros(2, 2).copyFrom(new float[] {1, 2, 3, 4});
    assertThat(t.transpose(0, 1).toFloats()).containsExactly(1, 3, 2, 4);
    float[] out = new float[4];
    t.copyTo(java.lang.foreign.MemorySegment.ofArray(out));
    assertThat(out).containsExactly(1, 2, 3, 4);
    t.neg().copyTo(out);
    assertThat(out).containsExactly(-1, -2, -3, -4);
    assertThat(t.to(DType.BF16).toFloats()).containsExactly(1, 2, 3, 4);
    assertThatThrownBy(() -> t.copyFrom(new float[3])).hasMessageContaining("16 bytes");
    assertThatThrownBy(() -> t.copyFrom(new long[2])).hasMessageContaining("long[]");
    assertThatThrownBy(() -> t.transpose(0, 1).copyFrom(new float[4]))
        .hasMessageContaining("contiguous");
  }

  @Test
  void nativeErrorsAreOneLine() {
    assertThatThrownBy(() -> Tensor.zeros(2, 3).add(Tensor.zeros(2, 4)))
        .isInstanceOf(TensorException.class)
        .hasMessage(
            "add: The size of tensor a (3) must match the size of tensor b (4) at non-singleton"
                + " dimension 1")
        .hasCauseInstanceOf(RuntimeException.class);
  }

  /** Two layers against the recurrence written out (gates in the order i, f, g, o). */
  @Test
  void lstmAgreesWithJava() {
    int time = 5;
    int batch = 2;
    int in = 3;
    int hidden = 2;
    SplittableRandom random = new SplittableRandom(5);
    List<Tensor> weights = new ArrayList<>();
    for (int[] shape :
        new int[][] {{8, in}, {8, hidden}, {8}, {8}, {8, hidden}, {8, hidden}, {8}, {8}}) {
      int count = Arrays.stream(shape).reduce(1, (a, b) -> a * b);
      float[] values = new float[count];
      for (int i = 0; i < count; i++) {
        values[i] = (float) random.nextGaussian();
      }
      weights.add(Tensor.of(values, Arrays.stream(shape).asLongStream().toArray()));
    }
    double[][][] x = new double[time][batch][in];
    float[] flat = new float[time * batch * in];
    for (int i = 0; i < flat.length; i++) {
      flat[i] = (float) random.nextGaussian();
      x[i / (batch * in)][i / in % batch][i % in] = flat[i];
    }
    for (int layer = 0; layer < 2; layer++) {
      x = lstmLayer(x, weights.subList(4 * layer, 4 * layer + 4), hidden);
    }
    double[] expected =
        Arrays.stream(x).flatMap(Arrays::stream).flatMapToDouble(Arrays::stream).toArray();
    assertValues(Tensor.of(flat, time, batch, in).lstm(weights), expected);
    assertThatThrownBy(() -> Tensor.ones(1, 1, in).lstm(weights.subList(0, 3)))
        .isInstanceOf(TensorException.class)
        .hasMessageContaining("four weights");
  }

  private static double[][][] lstmLayer(double[][][] x, List<Tensor> weights, int hidden) {
    double[][] all = weights.stream().map(Tensor::toDoubles).toArray(double[][]::new);
    int in = x[0][0].length;
    double[][][] out = new double[x.length][x[0].length][hidden];
    for (int row = 0; row < x[0].length; row++) {
      double[] state = new double[hidden];
      double[] cell = new double[hidden];
      for (int t = 0; t < x.length; t++) {
        double[] gates = new double[4 * hidden];
        for (int g = 0; g < gates.length; g++) {
          gates[g] = all[2][g] + all[3][g];
          for (int i = 0; i < in; i++) {
            gates[g] += all[0][g * in + i] * x[t][row][i];
          }
          for (int i = 0; i < hidden; i++) {
            gates[g] += all[1][g * hidden + i] * state[i];
          }
        }
        double[] next = new double[hidden];
        for (int i = 0; i < hidden; i++) {
          double input = 1 / (1 + Math.exp(-gates[i]));
          double forget = 1 / (1 + Math.exp(-gates[hidden + i]));
          double output = 1 / (1 + Math.exp(-gates[3 * hidden + i]));
          cell[i] = forget * cell[i] + input * Math.tanh(gates[2 * hidden + i]);
          next[i] = output * Math.tanh(cell[i]);
        }
        state = next;
        out[t][row] = next.clone();
      }
    }
    return out;
  }
}
