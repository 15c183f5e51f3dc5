package org.descant.rights;

import java.time.LocalDate;
import java.util.Collections;
import java.util.EnumSet;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What an owner has granted. It speaks for the licensor's own shares only, of recordings and of
 * works; the other owners need agreements of their own.
 *
 * @param id the same in every home that received the same delivery; recording an agreement of an id
 *     that exists replaces it from then on
 * @param licensor the party that grants
 * @param uses what is granted; all uses when the kind is public domain
 * @param from the first day on which it holds
 * @param to the last day on which it holds, null when it is open-ended
 * @param territories {@link #WORLDWIDE}, or ISO 3166 two-letter codes
 */
public record Agreement(
    String id,
    AgreementKind kind,
    String licensor,
    Set<Use> uses,
    Scope scope,
    LocalDate from,
    @Nullable LocalDate to,
    Set<String> territories,
    Terms terms)
    implements Fact {
  /** The territory of everywhere, as DDEX writes it. */
  public static final String WORLDWIDE = "Worldwide";

  private static final Pattern COUNTRY = Pattern.compile("[A-Z]{2}");

  /** Checks every part. */
  public Agreement {
    Text.requireId(id, "agreement");
    Text.requireId(licensor, "party");
    uses = kind == AgreementKind.PUBLIC_DOMAIN ? EnumSet.allOf(Use.class) : Set.copyOf(uses);
    if (uses.isEmpty()) {
      throw new RightsException("The agreement %s grants no use: name at least one".formatted(id));
    }
    uses = Collections.unmodifiableSet(EnumSet.copyOf(uses));
    Dates.require(from);
    if (to != null) {
      Dates.require(to);
      if (to.isBefore(from)) {
        throw new RightsException(
            "The agreement %s ends on %s, before it begins on %s".formatted(id, to, from));
      }
    }
    if (territories.isEmpty()) {
      throw new RightsException(
          "The agreement %s holds nowhere: name territories, or %s".formatted(id, WORLDWIDE));
    }
    territories.forEach(Agreement::requireTerritory);
    territories = Collections.unmodifiableSet(new TreeSet<>(territories));
    if (kind == AgreementKind.PUBLIC_DOMAIN && terms.paymentDue()) {
      throw new RightsException(
          "The agreement %s is a public-domain dedication and cannot ask for payment"
              .formatted(id));
    }
  }

  static String requireTerritory(String territory) {
    if (!territory.equals(WORLDWIDE) && !COUNTRY.matcher(territory).matches()) {
      throw new RightsException(
          "'%s' is not a territory: write %s or a two-letter country code"
              .formatted(Text.shown(territory), WORLDWIDE));
    }
    return territory;
  }

  /** A licence for the whole world on {@link Terms#STANDARD}. */
  public static Agreement licence(
      String id,
      String licensor,
      Set<Use> uses,
      Scope scope,
      LocalDate from,
      @Nullable LocalDate to) {
    return new Agreement(
        id,
        AgreementKind.LICENCE,
        licensor,
        uses,
        scope,
        from,
        to,
        Set.of(WORLDWIDE),
        Terms.STANDARD);
  }

  /** A dedication to the public domain, everywhere and for ever. */
  public static Agreement publicDomain(String id, String licensor, Scope scope, LocalDate from) {
    return new Agreement(
        id,
        AgreementKind.PUBLIC_DOMAIN,
        licensor,
        EnumSet.allOf(Use.class),
        scope,
        from,
        null,
        Set.of(WORLDWIDE),
        Terms.PUBLIC_DOMAIN);
  }

  /** Whether it holds on a day, both ends included. */
  public boolean inForceOn(LocalDate day) {
    return !day.isBefore(from) && (to == null || !day.isAfter(to));
  }

  /** Whether it holds in a territory: worldwide holds everywhere. */
  public boolean holdsIn(String territory) {
    return territories.contains(WORLDWIDE) || territories.contains(territory);
  }
}
