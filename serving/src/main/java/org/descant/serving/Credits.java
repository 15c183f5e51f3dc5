package org.descant.serving;

import java.time.Instant;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.descant.catalog.Catalog;
import org.descant.catalog.CatalogEntry;
import org.descant.engine.GenerationRequest;
import org.descant.engine.ModelInfo;
import org.descant.engine.StyleReference;
import org.descant.ledger.Accounts;
import org.descant.ledger.Transfer;
import org.descant.provenance.CredentialFacts;
import org.descant.rights.Isrc;
import org.descant.rights.RecordingWeight;
import org.descant.rights.Rights;
import org.descant.serving.Clip.CreditLine;
import org.descant.serving.Clip.TransferLine;
import org.jspecify.annotations.Nullable;

/**
 * How credit and money of a clip are divided among recordings, and how that is shown: on a page, in
 * a content credential. Thread-safe.
 */
final class Credits {
  private final Rights rights;
  private final Catalog catalog;
  private final ModelInfo model;

  Credits(House house, ModelInfo model) {
    this.rights = house.rights();
    this.catalog = house.catalog();
    this.model = model;
  }

  /** The division before anything is made: all that the model learned from alike. */
  List<RecordingWeight> expected(@Nullable StyleReference style) {
    return withStyle(equal(), style);
  }

  /**
   * The division of a finished clip, and the rule that made it.
   *
   * @param attribution by ISRC, whatever rule divides
   * @param weights by which credit and money are divided
   * @param rule see {@link Clip#shareRule}
   */
  record Division(
      Map<String, Double> attribution,
      List<RecordingWeight> weights,
      String rule,
      Clip.@Nullable Reliability reliability) {}

  /** Divides by attribution when that is reliable with the model, or else equally. */
  Division divide(List<RecordingWeight> attributed, @Nullable StyleReference style) {
    ModelInfo.Reliability known = model.reliability();
    boolean decides = known != null && known.score() >= Delivery.RELIABILITY_MIN;
    Map<String, Double> attribution = new LinkedHashMap<>();
    attributed.forEach(w -> attribution.put(w.isrc().toString(), w.weight()));
    return new Division(
        attribution,
        withStyle(decides ? attributed : equal(), style),
        (style == null ? "" : "half-to-style, ") + (decides ? "attribution" : "equal-share"),
        known == null
            ? null
            : new Clip.Reliability(
                known.method(),
                known.score(),
                known.groups(),
                known.command(),
                Delivery.RELIABILITY_MIN,
                decides));
  }

  private List<RecordingWeight> equal() {
    return model.trainedOn().stream().map(isrc -> new RecordingWeight(isrc, 1)).toList();
  }

  /**
   * The weights with {@link Delivery#STYLE_SHARE} of their sum given to the reference, if there is
   * one.
   */
  private static List<RecordingWeight> withStyle(
      List<RecordingWeight> weights, @Nullable StyleReference style) {
    if (style == null) {
      return weights;
    }
    double sum = weights.stream().mapToDouble(RecordingWeight::weight).sum();
    Map<Isrc, Double> all = new LinkedHashMap<>();
    weights.forEach(
        w -> all.merge(w.isrc(), w.weight() / sum * (1 - Delivery.STYLE_SHARE), Double::sum));
    all.merge(style.cleared().isrc(), Delivery.STYLE_SHARE, Double::sum);
    return all.entrySet().stream().map(e -> new RecordingWeight(e.getKey(), e.getValue())).toList();
  }

  /** What the content credential of a clip says. */
  CredentialFacts facts(
      String clipId, GenerationRequest request, List<RecordingWeight> weights, Instant at) {
    String text = request.text();
    return new CredentialFacts(
        clipId,
        text.isBlank() ? "A Descant clip" : Clip.shortened(text),
        model.id(),
        model.name(),
        model.datasetRoot(),
        text,
        request.seed(),
        credited(weights),
        at);
  }

  private List<CredentialFacts.CreditedRecording> credited(List<RecordingWeight> weights) {
    double sum = weights.stream().mapToDouble(RecordingWeight::weight).sum();
    return weights.stream()
        .filter(weight -> weight.weight() > 0)
        .sorted(Comparator.comparingDouble(RecordingWeight::weight).reversed())
        .limit(CredentialFacts.RECORDINGS_MAX)
        .map(weight -> {
          CatalogEntry entry = catalog.show(weight.isrc().toString());
          return new CredentialFacts.CreditedRecording(
              weight.isrc().toString(), entry.title(), entry.artist(), weight.weight() / sum);
        })
        .toList();
  }

  List<CreditLine> lines(List<RecordingWeight> weights) {
    Map<Isrc, String> titles = new LinkedHashMap<>();
    return rights.credits().fold(weights).stream()
        .map(credit ->
            new CreditLine(
                credit.partyId(),
                credit.name(),
                credit.role(),
                credit.isrc().toString(),
                titles.computeIfAbsent(
                    credit.isrc(), isrc -> catalog.show(isrc.toString()).title()),
                credit.share()))
        .toList();
  }

  List<TransferLine> transferLines(List<Transfer> transfers) {
    return transfers.stream()
        .map(transfer ->
            new TransferLine(
                transfer.fromAccount(),
                transfer.toAccount(),
                name(transfer.toAccount()),
                transfer.amountMicros(),
                transfer.currency(),
                transfer.reason()))
        .toList();
  }

  private String name(String account) {
    if (!Accounts.isParty(account)) {
      return switch (account) {
        case Accounts.PLATFORM -> "the platform";
        case Accounts.PUBLIC_DOMAIN -> "kept apart for the public domain";
        default -> account;
      };
    }
    String party = Accounts.partyOf(account);
    return rights.party(party).map(p -> p.name()).orElse(party);
  }
}
