package org.descant.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.descant.audio.MusicalKey;
import org.descant.evaluation.ControlEvaluation.Asked;
import org.descant.evaluation.ControlEvaluation.Heard;
import org.descant.evaluation.ControlEvaluation.Known;
import org.descant.evaluation.ControlEvaluation.Shares;
import org.junit.jupiter.api.Test;

class ControlEvaluationTest {

  private static Asked asked(double tempo, String key, boolean known) {
    return new Asked(tempo, MusicalKey.parse(key), List.of(), known);
  }

  private static Heard heard(double tempo, String key) {
    return new Heard(tempo, MusicalKey.parse(key));
  }

  @Test
  void hitsAreCountedByTheRules() {
    Shares shares =
        ControlEvaluation.shares(
            List.of(
                asked(100, "C major", true),
                asked(100, "A minor", true),
                asked(100, "D minor", true),
                asked(100, "E major", true)),
            List.of(
                heard(103.9, "C major"),
                heard(200, "C major"),
                heard(49, "D major"),
                heard(95, "F major")));
    assertThat(shares).isEqualTo(new Shares(0.25, 0.75, 0.25, 0.75, 4));
  }

  @Test
  void knownAndNewPairsAreCountedApartAndShufflingLosesWhatWasAskedFor() {
    List<Asked> asked =
        List.of(
            asked(80, "C major", true),
            asked(100, "D major", false),
            asked(120, "E major", true),
            asked(140, "F major", false));
    List<Heard> heard =
        List.of(
            heard(80, "C major"),
            heard(100, "G major"),
            heard(120, "E major"),
            heard(100, "F major"));
    Shares truth = new Shares(1, 1, 1, 1, 4);
    ControlEvaluation.Result result = ControlEvaluation.compare(truth, asked, heard);
    assertThat(result.all().tempo()).isEqualTo(0.75);
    assertThat(result.all().key()).isEqualTo(0.75);
    assertThat(result.known()).isEqualTo(new Shares(1, 1, 1, 1, 2));
    assertThat(result.fresh().tempo()).isEqualTo(0.5);
    // Of 12 wrong pairings only the last clip's tempo fits another question.
    assertThat(result.shuffled().tempo()).isCloseTo(1 / 12.0, within(1e-12));
    assertThat(result.shuffled().key()).isZero();
    assertThat(result.shuffled().clips()).isEqualTo(12);
  }

  @Test
  void halfOfTheQuestionsArePairsThatNoRecordingHas() {
    List<Known> trained =
        List.of(
            new Known(70, MusicalKey.parse("C major"), List.of("a")),
            new Known(92, MusicalKey.parse("D minor"), List.of("b")),
            new Known(140, MusicalKey.parse("A minor"), List.of("c")));
    List<Asked> questions = ControlEvaluation.questions(trained, 24, 1);
    assertThat(questions).hasSize(24).isEqualTo(ControlEvaluation.questions(trained, 24, 1));
    assertThat(questions).filteredOn(Asked::known).hasSize(12);
    for (Asked question : questions) {
      boolean has =
          trained.stream()
              .anyMatch(t ->
                  t.key().equals(question.key())
                      && Math.abs(t.tempoBpm() / question.tempoBpm() - 1) < 0.03);
      assertThat(has).isEqualTo(question.known());
      assertThat(question.tempoBpm()).isBetween(70.0, 140.0);
    }
  }

  @Test
  void withoutAnyTempoOrKeyThereIsNothingToAsk() {
    assertThatThrownBy(() -> ControlEvaluation.questions(List.of(), 4, 1))
        .isInstanceOf(EvaluationException.class)
        .hasMessageContaining("control cannot be measured");
  }
}
