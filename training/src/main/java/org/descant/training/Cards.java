package org.descant.training;

import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import org.descant.audio.MusicAnnotations;
import org.descant.models.ModelCard;
import org.descant.shards.Dataset;
import org.descant.training.recipe.Recipe;
import org.descant.training.stage.Latents;
import org.descant.training.stage.Setting;

/** Model cards of checkpoints and of the finished model. Stateless. */
public final class Cards {
  private static final String LICENCE =
      "The weights may be used as the agreements on the recordings listed here allow";

  private Cards() {}

  /** The card of weights on the way; its id is empty, because only a finished model has one. */
  public static ModelCard ofCheckpoint(Setting setting, String stage, long step) {
    var training = new TreeMap<String, Object>();
    training.put("stage", stage);
    training.put("step", step);
    return card(setting, List.of(), training, new TreeMap<>());
  }

  /**
   * A card.
   *
   * @param styles latents of every recording, or an empty list before there are any
   */
  static ModelCard card(
      Setting setting,
      List<Latents> styles,
      SortedMap<String, Object> training,
      SortedMap<String, Double> evaluation) {
    Recipe recipe = setting.recipe();
    Dataset dataset = setting.dataset();
    var recordings = new ArrayList<ModelCard.TrainedOn>();
    var withdrawn = setting.withdrawals().steps();
    for (int i = 0; i < dataset.size(); i++) {
      if (recipe.codec().from().isEmpty() // a given codec has learned from it before
          && withdrawn.getOrDefault(dataset.isrc(i), Long.MAX_VALUE) <= 1) {
        continue; // before the first step: nothing was learned from it
      }
      var annotations = dataset.annotations(i);
      recordings.add(
          new ModelCard.TrainedOn(
              dataset.isrc(i),
              dataset.title(i),
              dataset.artist(i),
              dataset.tags(i),
              annotations.map(MusicAnnotations::tempoBpm).orElse(0.0),
              annotations.map(a -> a.key().toString()).orElse(""),
              setting.heldOut().contains(i),
              styles.isEmpty() || dataset.withdrawn(i) ? List.of() : style(styles.get(i))));
    }
    return new ModelCard(
        "",
        recipe.name(),
        LICENCE,
        recipe.name(),
        setting.recipeHash(),
        dataset.manifest().root(),
        recordings,
        training,
        evaluation,
        null,
        recipe.codec().model(),
        recipe.lm() == null ? null : recipe.lm().model(),
        recipe.flow() == null ? null : recipe.flow().model());
  }

  private static List<Float> style(Latents latents) {
    var style = new ArrayList<Float>();
    for (float number : latents.between(0, latents.frames()).statistics(0, latents.frames())) {
      style.add(number);
    }
    return style;
  }
}
