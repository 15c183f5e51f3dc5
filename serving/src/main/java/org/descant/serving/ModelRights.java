package org.descant.serving;

import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.descant.engine.ModelInfo;
import org.descant.engine.StyleReference;
import org.descant.ledger.RecordingSplit;
import org.descant.provenance.Artefact;
import org.descant.provenance.Trace;
import org.descant.rights.Clearance;
import org.descant.rights.Decision;
import org.descant.rights.DecisionContext;
import org.descant.rights.Isrc;
import org.descant.rights.RecordingWeight;
import org.descant.rights.Rights;
import org.descant.rights.RightsException;
import org.descant.rights.Use;
import org.jspecify.annotations.Nullable;

/**
 * The rights that a model stands on: the decisions by which each recording entered its dataset,
 * found through the lineage, and what has become of them since. Thread-safe.
 */
final class ModelRights {
  private static final int PARENTS_MAX = 100_000;

  private final Rights rights;
  private final Clearance clearance;
  private final Map<Isrc, Decision> decisions;
  private final List<Isrc> trainedOn;
  private final String modelName;

  private ModelRights(Rights rights, Map<Isrc, Decision> decisions, ModelInfo model) {
    this.rights = rights;
    this.clearance = rights.clearance();
    this.decisions = decisions;
    this.trainedOn = model.trainedOn();
    this.modelName = model.name();
  }

  /**
   * Finds the decisions behind a model.
   *
   * @throws RefusedException when it was pulled from a hub, it or its dataset is unknown here, or a
   *     recording has no decision in it
   */
  static ModelRights resolve(House house, ModelInfo model) {
    if (model.pulledFrom() != null) {
      // Whatever card lies in its folder came with it, and says nothing about who agreed.
      throw RefusedException.ofPulledModel(model.pulledFrom());
    }
    boolean known =
        house
            .lineage()
            .find(model.datasetRoot())
            .filter(artefact -> artefact.kind() == Artefact.Kind.DATASET)
            .isPresent();
    if (!known) {
      throw new RefusedException(
          "The model "
              + model.name()
              + " may not be played: its dataset "
              + model.datasetRoot()
              + " is not one of this home's, so nobody here can say who agreed to it.",
          List.of("Build the dataset it was trained on, or use a model trained in this home."));
    }
    if (house.lineage().find(model.id()).isEmpty()) {
      throw new RefusedException(
          "The model " + model.name() + " may not be played: its weights are not recorded here.",
          List.of("Its clips could not be traced; record the model under its dataset first."));
    }
    Map<Isrc, Decision> decisions = new HashMap<>();
    for (Trace.Step step : house.lineage().trace(model.datasetRoot(), 1, PARENTS_MAX).ancestors()) {
      if (step.artefact().kind() == Artefact.Kind.DECISION) {
        house
            .rights()
            .clearance()
            .find(step.artefact().id())
            .filter(decision -> decision.allowed() && decision.use() == Use.TRAIN)
            .ifPresent(decision -> decisions.put(decision.isrc(), decision));
      }
    }
    TreeSet<String> unknown = new TreeSet<>();
    for (Isrc isrc : model.trainedOn()) {
      if (!decisions.containsKey(isrc)) {
        unknown.add(isrc.toString());
      }
    }
    if (!unknown.isEmpty() || model.trainedOn().isEmpty()) {
      throw new RefusedException(
          "The model "
              + model.name()
              + " may not be played: it names recordings that no decision of"
              + " its dataset allows.",
          List.copyOf(unknown));
    }
    return new ModelRights(house.rights(), decisions, model);
  }

  /** A recording whose owners have said no since the model learned from it. */
  record Flag(Isrc isrc, LocalDate playableUntil, List<String> reasons) {}

  /**
   * Looks at every recording the model learned from, as of today.
   *
   * @return the recordings whose owners have said no since, while their agreements' run-off lasts
   * @throws RefusedException when one has no run-off left
   */
  List<Flag> requirePlayable() {
    LocalDate today = LocalDate.now(ZoneOffset.UTC);
    DecisionContext now = DecisionContext.at(today);
    List<Flag> flagged = new ArrayList<>();
    List<String> ended = new ArrayList<>();
    for (Decision decision : clearance.decideAll(Use.TRAIN, trainedOn, now)) {
      if (decision.allowed()) {
        continue;
      }
      LocalDate until = clearance.runOffUntil(Use.TRAIN, decision.isrc(), now);
      if (today.isAfter(until)) {
        ended.add(decision.isrc().formatted() + ": " + decision.sentence());
      } else {
        flagged.add(new Flag(decision.isrc(), until, StyleGate.sentences(decision)));
      }
    }
    if (!ended.isEmpty()) {
      throw new RefusedException(
          "The model "
              + modelName
              + " has to rest: somebody it learned from has taken their yes back, and the time"
              + " their agreement gives it is over.",
          ended);
    }
    return flagged;
  }

  /**
   * How each recording's part of the money is divided: by what was promised when the model learned
   * from it; for a reference that it did not learn from, by what was promised for its style.
   */
  List<RecordingSplit> splits(List<RecordingWeight> weights, @Nullable StyleReference style) {
    List<RecordingSplit> splits = new ArrayList<>();
    for (RecordingWeight weight : weights) {
      Decision entered = decisions.get(weight.isrc());
      if (entered == null && style != null && style.cleared().isrc().equals(weight.isrc())) {
        entered = style.cleared().decision();
      }
      if (entered == null) {
        throw new RightsException(
            "No decision is known for %s behind the model %s, so nobody can be paid for it."
                .formatted(weight.isrc().formatted(), modelName));
      }
      splits.addAll(
          RecordingSplit.read(
              rights,
              entered.use(),
              List.of(weight),
              new DecisionContext(entered.validAt(), entered.knownAt(), entered.territory())));
    }
    return splits;
  }
}
