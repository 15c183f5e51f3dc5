package org.descant.catalog;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashSet;
import java.util.Set;
import org.descant.rights.Isrc;
import org.descant.rights.Iswc;
import org.junit.jupiter.api.Test;

class IdentifiersTest {
  @Test
  void checkDigitsAreThoseOfTheStandards() {
    assertThat(Identifiers.iswc(34_524_680)).isEqualTo("T-034.524.680-1");
    assertThat(Identifiers.icpn("400638133393")).isEqualTo("4006381333931");
    for (int i = 0; i < 2000; i++) {
      Iswc.of(Identifiers.iswc(999_000_000 + i));
    }
  }

  @Test
  void localIsrcsAreIsrcsOfThePrivateUsePrefixAndSpread() {
    Set<String> seen = new HashSet<>();
    for (int i = 0; i < 5000; i++) {
      String isrc = Identifiers.localIsrc(Text.sha256("content " + i), 0);
      assertThat(Isrc.of(isrc).value()).startsWith("ZZL");
      seen.add(isrc);
    }
    assertThat(seen).hasSize(5000);
    String content = Text.sha256("content");
    assertThat(Identifiers.localIsrc(content, 0)).isEqualTo(Identifiers.localIsrc(content, 0));
    assertThat(Identifiers.localIsrc(content, 1)).isNotEqualTo(Identifiers.localIsrc(content, 0));
  }

  @Test
  void slugsAndTextsAreTame() {
    assertThat(Text.slug("Björk Guðmundsdóttir & Co.")).isEqualTo("bjork-gu-mundsdottir-co");
    assertThat(Text.slug("日本")).isEmpty();
    assertThat(Text.clean("  a\u0000b\t\n c\ud800 ")).isEqualTo("ab c");
    assertThat(Text.shorten("x".repeat(100), 10)).hasSize(11);
  }
}
