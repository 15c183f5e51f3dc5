package org.descant.training;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.descant.lab.Lab;
import org.descant.lab.RunRecord;
import org.descant.lab.RunStatus;
import org.descant.shards.FieldSpec;
import org.descant.shards.Manifest;
import org.descant.shards.Removal;
import org.descant.shards.StoredField;

/**
 * The fields that runs have made beside a dataset's sound: what made them, which runs of a home
 * name them, and which of them no run there will open again. A field that is removed is no loss but
 * of time: a run with the same codec, copies, code and machine makes the same values under the same
 * name, and a finished run's record goes on naming it. Stateless.
 */
public final class FieldSets {
  /** What {@code TokenStage} and {@code TuneCodes} say of their making, before {@link Basis}. */
  private static final Pattern MADE =
      Pattern.compile(
          "(?:copies (?<copies>[0-9a-f]{64})\n)?"
              + "(?:codec (?<codec>[0-9a-f]{64}) on (?<device>[^\n]*)\n|base (?<base>\\S+)\n)?"
              + "(?<basis>(?:code |several kinds of machines, run ).*)",
          Pattern.DOTALL);

  private FieldSets() {}

  /**
   * One field.
   *
   * @param kind codes, latents, heard; empty when its file cannot be read
   * @param codec hash of the codec's weights, or of the base model; empty for what needs none
   * @param copies hash of which copies of each recording there are; empty where there is one
   * @param runs that name it
   * @param neededBy why it is not removed, in sentences; empty when no run needs it
   */
  public record FieldSet(
      String name,
      String kind,
      long bytes,
      String codec,
      String copies,
      List<Lab.Run> runs,
      List<String> neededBy) {
    public FieldSet {
      runs = List.copyOf(runs);
      neededBy = List.copyOf(neededBy);
    }
  }

  /**
   * What became of one field.
   *
   * @param kept why it stays, in sentences; empty when it was removed, or would be
   */
  public record Pruned(FieldSet set, List<String> kept) {
    public Pruned {
      kept = List.copyOf(kept);
    }
  }

  /** The runs right under a folder that learn from a dataset of this root. */
  public static List<Lab.Run> runsOn(String datasetRoot, Path runs) {
    return Lab.list(runs).stream()
        .filter(run -> run.record().datasetRoot().equals(datasetRoot))
        .toList();
  }

  /**
   * The fields of a dataset.
   *
   * @param runs folder of the home's runs
   * @throws org.descant.lab.LabException when a run's record cannot be read
   */
  public static List<FieldSet> of(Path dataset, Path runs) {
    List<Lab.Run> all = runsOn(Manifest.read(dataset).root(), runs);
    List<StoredField> stored = StoredField.in(dataset);
    return stored.stream().map(field -> set(field, stored, all)).toList();
  }

  private static FieldSet set(StoredField field, List<StoredField> stored, List<Lab.Run> all) {
    FieldSpec spec = field.spec();
    if (spec == null) {
      return new FieldSet(
          field.name(),
          "",
          field.bytes(),
          "",
          "",
          List.of(),
          List.of("Its file is damaged, or of a newer version."));
    }
    List<Lab.Run> naming = all.stream().filter(run -> names(run.record(), spec, stored)).toList();
    var needed = new ArrayList<String>();
    Matcher made = MADE.matcher(spec.madeBy());
    boolean known = made.matches();
    if (!known) {
      needed.add(
          "No run makes it again: it says that it is made by '%s'."
              .formatted(firstLine(spec.madeBy())));
    }
    for (Lab.Run run : all) {
      RunStatus status = run.record().status();
      if (status == RunStatus.FINISHED) {
        continue;
      }
      if (naming.contains(run)) {
        needed.add("Run %s goes on from it (%s).".formatted(nameOf(run), status));
      } else if (fields(run.record()).isEmpty()) {
        needed.add(
            "Run %s has not ended (%s) and not said yet what it needs."
                .formatted(nameOf(run), status));
      }
    }
    return new FieldSet(
        field.name(),
        spec.kind(),
        field.bytes(),
        known ? group(made, "codec") + group(made, "base") : "",
        known ? group(made, "copies") : "",
        naming,
        needed);
  }

  private static String group(Matcher made, String name) {
    String found = made.group(name);
    return found == null ? "" : found;
  }

  private static String firstLine(String text) {
    return text.lines().findFirst().orElse("");
  }

  private static String nameOf(Lab.Run run) {
    return String.valueOf(run.path().getFileName());
  }

  private static List<String> fields(RunRecord record) {
    return record.facts().get(Trainer.FIELDS) instanceof List<?> names
        ? names.stream().map(String::valueOf).toList()
        : List.of();
  }

  /**
   * Whether a run opens a field. What was heard in the recordings is not in a run's record; it goes
   * with the codes and latents that the same code made on the same kind of machine.
   */
  private static boolean names(RunRecord record, FieldSpec spec, List<StoredField> stored) {
    List<String> fields = fields(record);
    if (fields.contains(spec.name())) {
      return true;
    }
    return spec.kind().equals("heard")
        && stored.stream()
            .filter(other -> fields.contains(other.name()))
            .map(StoredField::spec)
            .anyMatch(other -> other != null && other.madeBy().endsWith("\n" + spec.madeBy()));
  }

  /**
   * Removes the fields that no unfinished run needs and nobody reads.
   *
   * @param runs folder of the home's runs
   * @param dryRun whether only to say what would be removed
   * @return all fields there were, by name
   * @throws org.descant.shards.ShardException when the disk fails
   * @throws org.descant.lab.LabException when a run's record cannot be read, and so who needs what
   */
  public static List<Pruned> prune(Path dataset, Path runs, boolean dryRun) {
    if (!dryRun) {
      Removal.finish(dataset);
    }
    var pruned = new ArrayList<Pruned>();
    for (FieldSet set : of(dataset, runs)) {
      if (!set.neededBy().isEmpty()) {
        pruned.add(new Pruned(set, set.neededBy()));
      } else if (dryRun
          ? Removal.isRead(dataset, set.name())
          : Removal.field(dataset, set.name()).equals(OptionalLong.empty())) {
        pruned.add(new Pruned(set, List.of("A process reads it now.")));
      } else {
        pruned.add(new Pruned(set, List.of()));
      }
    }
    return pruned;
  }
}
