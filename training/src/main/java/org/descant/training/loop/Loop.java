package org.descant.training.loop;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.descant.lab.MetricLine;
import org.descant.lab.RunEvent;
import org.descant.tensor.PeerLostException;
import org.descant.tensor.Safetensors;
import org.descant.tensor.Tensor;
import org.descant.training.Progress;
import org.descant.training.TrainingException;
import org.descant.training.parallel.Replicas;
import org.jspecify.annotations.Nullable;

/**
 * Takes a stage from its beginning, or from a checkpoint, to its end. Belongs to one thread.
 *
 * @param <B> a batch
 */
public final class Loop<B> {
  /** What {@link #run} returns when somebody asked it to stop. */
  public static final long STOPPED = -1;

  /**
   * What the stages of a run share.
   *
   * @param logEvery steps between two lines
   * @param matmulPeak operations a second that the machine was measured to reach; 0: not measured
   * @param log takes the metrics
   * @param events takes what happens
   * @param progress who listens
   * @param stop whether somebody asked the run to stop after the present step
   * @param checkpoints of the run
   * @param writer that writes them
   * @param replicas the processes that train together; the first one writes
   */
  public record Surroundings(
      int logEvery,
      double matmulPeak,
      Consumer<MetricLine> log,
      Consumer<RunEvent> events,
      Progress progress,
      BooleanSupplier stop,
      Checkpoints checkpoints,
      CheckpointWriter writer,
      Replicas replicas) {}

  /** How an attempt to reach the end went. */
  private sealed interface Attempt {
    record Ended(long step) implements Attempt {}

    record Stopped() implements Attempt {}

    /** Goes on from before a step, counted over the whole run. */
    record Rewound(long at) implements Attempt {}
  }

  private final Surroundings around;
  private final Learner<B> learner;
  private final Optimisation.Rules rules;
  private final Guard guard;
  private final Fingerprint order;
  private final TreeMap<String, Double> orderBefore = new TreeMap<>();

  /**
   * @param order of the run's data up to this stage; goes on with it
   */
  public Loop(
      Surroundings around, Learner<B> learner, Optimisation.Rules rules, Fingerprint order) {
    this.around = around;
    this.learner = learner;
    this.rules = rules;
    this.guard = new Guard(rules.guard());
    this.order = order;
    order.saveTo(orderBefore);
    Withdrawals withdrawals = learner.withdrawals();
    if (withdrawals != null) {
      withdrawals.saveTo(orderBefore);
    }
  }

  /**
   * Runs the stage.
   *
   * @param saved a checkpoint of this stage to go on from; {@code null} begins
   * @return the last step that was done, of the stage, or {@link #STOPPED}, after a checkpoint
   * @throws TrainingException when the guard's policy or limit says so, naming step and recordings
   * @throws PeerLostException when another process was lost; one of those that are left has saved
   *     the last step that any of them completed, if it could
   */
  public long run(Checkpoints.@Nullable Saved saved) {
    try {
      return attempts(saved);
    } finally {
      around.replicas.end(learner.parameters());
    }
  }

  private long attempts(Checkpoints.@Nullable Saved saved) {
    Checkpoints.Saved from = saved;
    boolean again = false;
    while (true) {
      var meter =
          new Meter(
              learner.name(),
              learner.before() + 1,
              learner.steps(),
              around.logEvery,
              around.matmulPeak * around.replicas.count(),
              around.log,
              around.progress);
      switch (attempt(from, again, meter)) {
        case Attempt.Ended ended -> {
          return ended.step;
        }
        case Attempt.Stopped stopped -> {
          return STOPPED;
        }
        case Attempt.Rewound rewound -> {
          from = rewind(rewound.at);
          again = true;
        }
      }
    }
  }

  private Attempt attempt(Checkpoints.@Nullable Saved from, boolean again, Meter meter) {
    Map<String, Double> numbers = from == null ? orderBefore : from.facts().numbers();
    if (from != null) {
      learner.restore(from);
    } else if (again) {
      learner.parameters().reset();
    }
    Withdrawals withdrawals = learner.withdrawals();
    if (withdrawals != null) {
      withdrawals.restore(numbers);
      long next = (from == null ? learner.before() : from.facts().step()) + 1;
      learner.withdraw(told(withdrawals.look(around.replicas, next), next));
    }
    if (from == null) {
      learner.start();
    }
    around.replicas.start(learner.parameters());
    try (var optimisation =
        new Optimisation(
            learner.name(),
            learner.parameters(),
            rules,
            guard,
            learner::matrices,
            around.replicas)) {
      long done = 0;
      guard.restore(from == null ? Map.of() : numbers);
      order.restore(numbers);
      if (from == null) {
        learner.begun(meter, optimisation);
      } else {
        done = from.facts().step() - learner.before();
        meter.restore(numbers);
        try (Safetensors state = Safetensors.open(from.path().resolve(Checkpoints.STATE))) {
          optimisation.restoreFrom(state);
        }
        learner.after(done, meter, optimisation);
      }
      return steps(done, meter, optimisation);
    }
  }

  private Attempt steps(long done, Meter meter, Optimisation optimisation) {
    long steps = learner.steps();
    long last = done;
    try (var data = new Prefetch<>(learner.name(), learner::batch, done + 1, steps)) {
      for (long step = done + 1; step <= steps && !learner.isDone(); step++) {
        B batch = data.take(step);
        around.replicas.step(learner.before() + step);
        Optimisation.Outcome outcome = null;
        if (!guard.skips(learner.before() + step)) {
          outcome = learn(batch, step, optimisation);
          if (outcome.refusal() != null) {
            Attempt.Rewound rewound = refused(step, batch, outcome);
            if (rewound != null) {
              return rewound;
            }
          }
        }
        order.add(learner.order(batch));
        measured(step, outcome, meter, data);
        last = step;
        learner.after(step, meter, optimisation);
        around.writer.check();
        boolean atEnd = step == steps || learner.isDone();
        boolean stop = around.replicas.any(around.stop.getAsBoolean()) && step < steps;
        if (atEnd ? learner.savesLast() || stop : isRegular(step) || stop) {
          var state = new LinkedHashMap<String, Tensor>();
          optimisation.saveTo(state);
          if (around.replicas.any(!optimisation.isFinite(state))) {
            return broken(step, batch);
          }
          if (around.replicas.leads()) {
            save(step, state, meter);
          }
        }
        if (isRegular(step) && step < steps && !learner.isDone()) {
          lookForWithdrawals(step + 1, data);
        }
        if (stop) {
          around.writer.await();
          return new Attempt.Stopped();
        }
      }
    } catch (PeerLostException e) {
      rescue(last, optimisation, meter);
      throw e;
    }
    learner.end(last, optimisation);
    around.writer.await();
    return new Attempt.Ended(last);
  }

  /** Does without what was withdrawn since, from a step on, on all processes alike. */
  private void lookForWithdrawals(long step, Prefetch<B> data) {
    Withdrawals withdrawals = learner.withdrawals();
    if (withdrawals != null) {
      long next = learner.before() + step;
      List<String> fresh = withdrawals.look(around.replicas, next);
      if (!fresh.isEmpty()) {
        data.restart(step, () -> learner.withdraw(told(fresh, next)));
      }
    }
  }

  private List<String> told(List<String> withdrawn, long next) {
    if (!withdrawn.isEmpty()) {
      event(Withdrawals.EVENT, next, Map.of("isrcs", withdrawn, "from", next));
      around.progress.note(
          "%-6s %s withdrawn from the dataset: left out from step %d on"
              .formatted(
                  learner.name(),
                  String.join(", ", withdrawn) + (withdrawn.size() == 1 ? " is" : " are"),
                  next));
    }
    return withdrawn;
  }

  private boolean isRegular(long step) {
    return around.checkpoints.isRegular(learner.before() + step);
  }

  private Optimisation.Outcome learn(B batch, long step, Optimisation optimisation) {
    Optimisation.Outcome outcome =
        optimisation.step(step, learner.parts(), part -> learner.learn(batch, step, part));
    if (outcome.refusal() == null) {
      learner.learned(step);
    }
    return outcome;
  }

  private void measured(
      long step, Optimisation.@Nullable Outcome outcome, Meter meter, Prefetch<B> data) {
    long at = learner.before() + step;
    double learningRate = rules.schedule().at(step);
    if (outcome != null && outcome.refusal() == null) {
      meter.step(at, outcome.values(), learningRate, outcome.gradientNorm(), learner.work(), data);
    } else {
      Learner.Work work = outcome == null ? Learner.Work.NONE : learner.work();
      meter.step(at, Map.of(), learningRate, Double.NaN, work, data);
    }
  }

  // ---------------------------------------------------------------- refusals

  /** Does what the policy says; {@code null} when the run goes on with the next step. */
  private Attempt.@Nullable Rewound refused(long step, B batch, Optimisation.Outcome outcome) {
    long at = learner.before() + step;
    String reason = outcome.refusal() + "; no weight was changed";
    var facts = new LinkedHashMap<String, Object>();
    facts.put("loss", json(outcome.values().getOrDefault(Optimisation.LOSS, Double.NaN)));
    facts.put("gradientNorm", json(outcome.gradientNorm()));
    requireSurvival(at, batch, reason, facts);
    if (guard.options().policy().equals(Guard.REWIND)) {
      return new Attempt.Rewound(at);
    }
    guard.skip(at, at);
    event("guard.skipped", at, Map.of("first", at, "last", at));
    return null;
  }

  /** The weights themselves are not finite, which only going back can mend. */
  private Attempt.Rewound broken(long step, B batch) {
    long at = learner.before() + step;
    if (guard.options().policy().equals(Guard.SKIP)) {
      throw new TrainingException(
          ("step %d (%s): the weights are not finite, which skipping a batch cannot mend; lower"
                  + " %s.learningRate or set guard.policy to rewind")
              .formatted(at, learner.name(), learner.name()));
    }
    String reason = "the weights are not finite after this step; no checkpoint was made of them";
    requireSurvival(at, batch, reason, new LinkedHashMap<>());
    return new Attempt.Rewound(at);
  }

  /** Says what was refused, and stops the run when policy or limit ask for it. */
  private void requireSurvival(long at, B batch, String reason, Map<String, Object> facts) {
    Guard.Options options = guard.options();
    List<String> isrcs = List.copyOf(new TreeSet<>(learner.recordings(batch)));
    String names = String.join(", ", isrcs);
    facts.put("reason", reason);
    facts.put("policy", options.policy());
    facts.put("isrcs", isrcs);
    event("guard.refused", at, facts);
    around.progress.note(
        "%-6s step %d: %s. Recordings in the batch: %s"
            .formatted(learner.name(), at, reason, names));
    if (guard.survives()) {
      return;
    }
    String advice =
        options.policy().equals(Guard.STOP)
            ? "or set guard.policy to skip or rewind"
            : "or raise guard.limit, which is %d".formatted(options.limit());
    throw new TrainingException(
        ("step %d (%s): %s. Recordings in the batch: %s. Lower %s.learningRate, leave a recording"
                + " out, %s")
            .formatted(at, learner.name(), reason, names, learner.name(), advice));
  }

  /**
   * Leaves batches out, on all processes alike.
   *
   * @return the checkpoint to go on from, or {@code null} for the stage's beginning
   */
  private Checkpoints.@Nullable Saved rewind(long at) {
    around.writer.await();
    around.replicas.any(false); // from here on the first process has written what it had to
    Checkpoints.Saved to = around.checkpoints.regularBefore(learner.name(), at).orElse(null);
    long step = to == null ? learner.before() : to.facts().step();
    if (!around.replicas.agree(step)) {
      throw new TrainingException(
          ("step %d (%s): this process would go back to checkpoint %d, others to another; the run"
                  + " folder must be the same one on all machines")
              .formatted(at, learner.name(), step));
    }
    long first = Math.max(step, at - 1 - guard.options().before()) + 1;
    guard.skip(first, at);
    event("guard.rewound", at, Map.of("to", step, "first", first, "last", at));
    return to;
  }

  private void event(String name, long step, Map<String, Object> facts) {
    around.events.accept(new RunEvent(name, learner.name(), step, facts));
  }

  /** JSON has no word for what is not finite. */
  private static Object json(double value) {
    return Double.isFinite(value) ? (Object) value : Double.toString(value);
  }

  // ---------------------------------------------------------------- checkpoints

  /** A process was lost: saves the last step if it falls to this one. */
  private void rescue(long last, Optimisation optimisation, Meter meter) {
    around.writer.await(); // before another may write
    if (around.replicas.rescues(learner.before() + last)) {
      var state = new LinkedHashMap<String, Tensor>();
      optimisation.saveTo(state);
      if (optimisation.isFinite(state)) {
        save(last, state, meter);
        around.writer.await();
      }
    }
  }

  private void save(long step, Map<String, Tensor> state, Meter meter) {
    long at = learner.before() + step;
    var model = new LinkedHashMap<String, Tensor>();
    learner.saveWeights(model);
    var numbers = new TreeMap<String, Double>(meter.state());
    numbers.putAll(guard.state());
    order.saveTo(numbers);
    Withdrawals withdrawals = learner.withdrawals();
    if (withdrawals != null) {
      withdrawals.saveTo(numbers);
    }
    learner.saveState(state, numbers);
    around.writer.submit(
        new Checkpoints.Content(
            at, learner.name(), model, learner.metadata(at), state, numbers, learner.card(at)));
  }
}
