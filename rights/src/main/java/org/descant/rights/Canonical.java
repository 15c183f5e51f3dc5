package org.descant.rights;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Collectors;

/**
 * The one way to write facts down for hashing: fields in a fixed order, each with its length in
 * front, so that no two different facts are written alike. No clock and no id that a home made up.
 */
final class Canonical {
  private Canonical() {}

  static String of(Choice choice) {
    return fields(
        "choice",
        choice.partyId(),
        choice.use().name(),
        choice.scope().toString(),
        choice.allowed() ? "yes" : "no",
        choice.from().toString());
  }

  /** An agreement by its content: its id is only a name for it. */
  static String of(Agreement agreement) {
    Terms terms = agreement.terms();
    return fields(
        "agreement",
        agreement.kind().name(),
        agreement.licensor(),
        agreement.uses().stream().map(Use::name).sorted().collect(Collectors.joining(",")),
        agreement.scope().toString(),
        agreement.from().toString(),
        String.valueOf(agreement.to()),
        String.join(",", agreement.territories()),
        String.valueOf(terms.platformFeeBasisPoints()),
        String.valueOf(terms.masterSideBasisPoints()),
        String.valueOf(terms.contributorPoolBasisPoints()),
        String.valueOf(terms.runOffDays()),
        String.valueOf(terms.creditRequired()),
        String.valueOf(terms.paymentDue()));
  }

  static String fields(String... fields) {
    return fields(List.of(fields));
  }

  static String fields(List<String> fields) {
    StringBuilder line = new StringBuilder();
    for (String field : fields) {
      line.append(field.getBytes(StandardCharsets.UTF_8).length).append(':').append(field);
    }
    return line.toString();
  }

  /** Lower-case hexadecimal SHA-256 of the text's UTF-8. */
  static String hash(String text) {
    try {
      byte[] digest =
          MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
      return HexFormat.of().formatHex(digest);
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("Every Java has SHA-256", e);
    }
  }
}
