package org.descant.serving.web;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ByteRangeTest {
  @ParameterizedTest
  @CsvSource({
    "bytes=0-, 0, 99",
    "bytes=0-0, 0, 0",
    "bytes=10-19, 10, 19",
    "bytes=90-1000, 90, 99",
    "bytes=-30, 70, 99",
    "bytes=-1000, 0, 99",
    "' bytes = 5 - 6 ', 5, 6"
  })
  void aSingleRangeIsCutToWhatThereIs(String header, long from, long to) {
    assertThat(ByteRange.of(header, 100)).isEqualTo(new ByteRange(from, to));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "bytes=-",
        "bytes=3-1",
        "bytes=0-1,5-6",
        "items=0-1",
        "bytes=a-b",
        "bytes=99999999999999999999-"
      })
  void whatIsNoSingleRangeIsIgnored(String header) {
    assertThat(ByteRange.of(header, 100)).isNull();
  }

  @Test
  void noHeaderIsNoRange() {
    assertThat(ByteRange.of(null, 100)).isNull();
  }

  @ParameterizedTest
  @ValueSource(strings = {"bytes=100-", "bytes=100-200", "bytes=-0"})
  void aRangeOutsideIsRefused(String header) {
    assertThatThrownBy(() -> ByteRange.of(header, 100))
        .isInstanceOf(ByteRange.Unsatisfiable.class)
        .hasMessageContaining("100 bytes");
  }
}
