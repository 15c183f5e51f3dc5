package org.descant.provenance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class CborTest {
  /** RFC 8949, appendix A: value, encoding. */
  private static final Map<String, Object> PUBLISHED =
      Map.ofEntries(
          Map.entry("00", 0L),
          Map.entry("17", 23L),
          Map.entry("1818", 24L),
          Map.entry("1903e8", 1000L),
          Map.entry("1a000f4240", 1_000_000L),
          Map.entry("1b000000e8d4a51000", 1_000_000_000_000L),
          Map.entry("20", -1L),
          Map.entry("3903e7", -1000L),
          Map.entry("fb3ff199999999999a", 1.1),
          Map.entry("f5", true),
          Map.entry("f6", Cbor.Null.NULL),
          Map.entry("f7", Cbor.Null.UNDEFINED),
          Map.entry("62c3bc", "\u00fc"),
          Map.entry("8301820203820405", List.of(1L, List.of(2L, 3L), List.of(4L, 5L))),
          Map.entry("a26161016162820203", Map.of("a", 1L, "b", List.of(2L, 3L))),
          Map.entry(
              "c074323031332d30332d32315432303a30343a30305a",
              new Cbor.Tagged(0, "2013-03-21T20:04:00Z")));

  @Test
  void writesAndReadsThePublishedExamples() throws Malformed {
    for (var example : PUBLISHED.entrySet()) {
      byte[] bytes = HexFormat.of().parseHex(example.getKey());
      assertThat(Cbor.encode(example.getValue())).isEqualTo(bytes);
      assertThat(Cbor.decode(bytes)).isEqualTo(example.getValue());
    }
  }

  @Test
  void readsIndefiniteLengthsAndShortFloats() throws Malformed {
    assertThat(decode("5f42010243030405ff")).isEqualTo(new byte[] {1, 2, 3, 4, 5});
    assertThat(decode("7f657374726561646d696e67ff")).isEqualTo("streaming");
    assertThat(decode("9f018202039f0405ffff"))
        .isEqualTo(List.of(1L, List.of(2L, 3L), List.of(4L, 5L)));
    assertThat(decode("bf61610161629f0203ffff")).isEqualTo(Map.of("a", 1L, "b", List.of(2L, 3L)));
    assertThat(decode("f93e00")).isEqualTo(1.5);
    assertThat(decode("fa47c35000")).isEqualTo(100_000.0);
  }

  @Test
  void ordersMapKeysByTheirBytesWhateverTheOrderOfTheMap() {
    var map = new LinkedHashMap<Object, Object>();
    map.put("bb", 1);
    map.put("a", 2);
    map.put(33L, 3);
    map.put(1L, 4);
    assertThat(HexFormat.of().formatHex(Cbor.encode(map)))
        .isEqualTo("a40104182103616102626262" + "01");
  }

  @Test
  void refusesWhatIsCutOffNestedOrDouble() {
    for (String hex :
        List.of("", "18", "62c3", "830102", "a1", "ff", "1c", "a2616101616102", "61ff", "0000")) {
      assertThatThrownBy(() -> decode(hex)).as(hex).isInstanceOf(Malformed.class);
    }
    assertThatThrownBy(() -> decode("81".repeat(100_000))).isInstanceOf(Malformed.class);
    assertThatThrownBy(() -> decode("9b00000000ffffffff")).isInstanceOf(Malformed.class);
  }

  @Test
  void endsWithAValueOrMalformedForAnyBytes() {
    var random = new SplittableRandom(1);
    for (int i = 0; i < 200_000; i++) {
      var bytes = new byte[random.nextInt(40)];
      random.nextBytes(bytes);
      try {
        Cbor.decode(bytes);
      } catch (Malformed _) {
        // An answer.
      }
    }
  }

  private static Object decode(String hex) throws Malformed {
    return Cbor.decode(HexFormat.of().parseHex(hex));
  }
}
