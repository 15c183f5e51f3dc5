package org.descant.shards;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.descant.audio.MusicAnnotations;
import org.descant.audio.Pcm;
import org.descant.rights.Clearance;
import org.descant.rights.Decision;
import org.descant.rights.DecisionContext;
import org.descant.rights.Isrc;
import tools.jackson.core.JacksonException;

/**
 * A dataset on disk, mapped into memory. Recordings are numbered from 0 in the manifest's order.
 * Reading is safe for many threads at once until {@link #close}.
 */
public final class Dataset implements AutoCloseable {
  private final InUse use;
  private final Path folder;
  private final Manifest manifest;
  private final List<ShardFile> shards;
  private final List<Fields> fields;
  private final boolean asBuilt;
  private volatile Withdrawn withdrawn;

  /** The withdrawals that the folder was last seen to hold; what this dataset knows begins it. */
  private List<Tombstone> held;

  private String heldStamp;

  /** The withdrawals that are known, and the recordings they are of. */
  private record Withdrawn(List<Tombstone> tombstones, BitSet recordings) {}

  private Dataset(
      InUse use,
      Path folder,
      Manifest manifest,
      List<ShardFile> shards,
      List<Fields> fields,
      boolean asBuilt) {
    this.use = use;
    this.folder = folder;
    this.manifest = manifest;
    this.shards = shards;
    this.fields = fields;
    this.asBuilt = asBuilt;
    this.heldStamp = Tombstones.stamp(folder);
    this.held = Tombstones.read(folder, manifest);
    this.withdrawn = withdrawnBy(held);
  }

  /**
   * Opens a dataset: reads the manifest, the index of every shard and what is known of every
   * recording, and compares them. The sound itself is only hashed by {@link #verify}. Recordings
   * that are withdrawn by now keep their numbers and their place in the manifest, and are not read
   * any more.
   *
   * @throws ShardException when a part is missing, damaged, without its rights fields, or does not
   *     belong to the manifest
   */
  public static Dataset open(Path folder) {
    return open(folder, false);
  }

  /**
   * Opens a dataset as it was built, with the sound of withdrawn recordings too. Only for giving
   * account of models that were trained before: attribution, and tests for memorised music.
   *
   * @throws ShardException as {@link #open(Path)}
   */
  public static Dataset openAsBuilt(Path folder) {
    return open(folder, true);
  }

  private static Dataset open(Path folder, boolean asBuilt) {
    InUse use = InUse.reading(folder, "");
    var shards = new ArrayList<ShardFile>();
    var fields = new ArrayList<Fields>();
    try {
      Manifest manifest = Manifest.read(folder);
      var dataset = new Dataset(use, folder, manifest, shards, fields, asBuilt);
      for (Manifest.ShardInfo info : manifest.shards()) {
        shards.add(ShardFile.open(folder.resolve(info.file())));
        fields.addAll(readFields(folder.resolve(info.fieldsFile()), info.fieldsSha256()));
      }
      dataset.compare();
      return dataset;
    } catch (RuntimeException e) {
      shards.forEach(ShardFile::close);
      use.close();
      throw e;
    }
  }

  private static List<Fields> readFields(Path file, String sha256) {
    try {
      if (!Hashes.hexOf(file).equals(sha256)) {
        throw new ShardException("field file " + file + " is damaged: build the dataset again");
      }
      var fields = new ArrayList<Fields>();
      for (String line : Files.readAllLines(file)) {
        fields.add(Json.MAPPER.readValue(line, Fields.class));
      }
      return fields;
    } catch (IOException e) {
      throw new ShardException("cannot read field file " + file + ": " + e.getMessage(), e);
    } catch (JacksonException e) {
      throw new ShardException("cannot read field file " + file + ": " + Json.problem(e), e);
    }
  }

  private void compare() {
    int records = shards.stream().mapToInt(shard -> shard.entries().size()).sum();
    if (records != size() || fields.size() != size()) {
      throw new ShardException(
          "dataset %s is damaged: the manifest lists %d recordings, the shards hold %d"
              .formatted(folder, size(), records));
    }
    for (int i = 0; i < size(); i++) {
      Manifest.Included listed = manifest.included().get(i);
      if (listed.shard() < 0
          || listed.shard() >= shards.size()
          || listed.record() < 0
          || listed.record() >= shards.get(listed.shard()).entries().size()) {
        throw new ShardException(
            "dataset %s is damaged: recording %s is in no shard".formatted(folder, listed.isrc()));
      }
      ShardEntry entry = entry(i);
      if (!entry.isrc().equals(listed.isrc())
          || !entry.decisionId().equals(listed.decisionId())
          || !entry.rulesHash().equals(listed.rulesHash())
          || !entry.pcmHash().equals(listed.pcmHash())
          || !fields.get(i).isrc().equals(listed.isrc())) {
        throw new ShardException(
            "dataset %s is damaged: the shard's record of %s is not the manifest's"
                .formatted(folder, listed.isrc()));
      }
    }
  }

  public Path folder() {
    return folder;
  }

  public Manifest manifest() {
    return manifest;
  }

  /** Number of recordings. */
  public int size() {
    return manifest.included().size();
  }

  /** The index record of a recording: rate, channels, rights, hashes. */
  public ShardEntry entry(int recording) {
    Manifest.Included included = manifest.included().get(recording);
    return shards.get(included.shard()).entries().get(included.record());
  }

  /** Compact ISRC of a recording. */
  public String isrc(int recording) {
    return manifest.included().get(recording).isrc();
  }

  /** Number of frames of a recording. */
  public int frames(int recording) {
    return Math.toIntExact(entry(recording).frames());
  }

  /**
   * Frames of a recording as planar floats.
   *
   * @throws ShardException unless {@code 0 <= from} and {@code from + frames} is within it, or when
   *     the recording is withdrawn
   */
  public Pcm read(int recording, long from, int frames) {
    requireLive(recording);
    Manifest.Included included = manifest.included().get(recording);
    return shards.get(included.shard()).read(included.record(), from, frames);
  }

  /**
   * As {@link #read(int, long, int)}, into arrays that the caller uses again.
   *
   * @param out one array a channel of the recording, filled from index {@code at}
   */
  public void read(int recording, long from, int frames, float[][] out, int at) {
    requireLive(recording);
    Manifest.Included included = manifest.included().get(recording);
    shards.get(included.shard()).read(included.record(), from, frames, out, at);
  }

  void requireLive(int recording) {
    if (!asBuilt && withdrawn(recording)) {
      throw new ShardException(
          "recording %s was withdrawn from dataset %s; leave it out"
              .formatted(isrc(recording), manifest.id()));
    }
  }

  /**
   * The withdrawals that this dataset knows, oldest first: those that were there when it was
   * opened, and what {@link #learnOf} added.
   */
  public List<Tombstone> tombstones() {
    return withdrawn.tombstones;
  }

  /** Whether a recording is known to be withdrawn: nothing learns from it any more. */
  public boolean withdrawn(int recording) {
    return withdrawn.recordings.get(recording);
  }

  /**
   * How many withdrawals the folder holds by now. Other processes may add some while this dataset
   * is open; it knows of them only after {@link #learnOf}, so that processes that work together can
   * do so at the same moment. Costs a look at the file's size and time when nothing has changed.
   *
   * @throws ShardException when the folder has lost some that are known
   */
  public synchronized int withdrawals() {
    String stamp = Tombstones.stamp(folder);
    if (!stamp.equals(heldStamp)) {
      List<Tombstone> read = Tombstones.read(folder, manifest);
      List<Tombstone> known = withdrawn.tombstones;
      if (read.size() < known.size() || !read.subList(0, known.size()).equals(known)) {
        throw new ShardException(
            "dataset %s has lost withdrawals: %d are known, the folder has %d; restore %s"
                .formatted(manifest.id(), known.size(), read.size(), Tombstones.FILE));
      }
      held = read;
      heldStamp = stamp;
    }
    return held.size();
  }

  /**
   * Learns of the folder's first {@code count} withdrawals: their recordings cannot be read from
   * now on. What is known already stays known.
   *
   * @throws ShardException when the folder does not hold that many
   */
  public synchronized void learnOf(int count) {
    if (count > withdrawals()) {
      throw new ShardException(
          "dataset %s has %d withdrawals in %s and others see %d; its folder must be the same for all"
              .formatted(manifest.id(), held.size(), folder, count));
    }
    if (count > withdrawn.tombstones.size()) {
      withdrawn = withdrawnBy(held.subList(0, count));
    }
  }

  private Withdrawn withdrawnBy(List<Tombstone> tombstones) {
    var isrcs = new HashSet<String>();
    tombstones.forEach(tombstone -> isrcs.add(tombstone.isrc()));
    var recordings = new BitSet();
    IntStream.range(0, size()).filter(i -> isrcs.contains(isrc(i))).forEach(recordings::set);
    return new Withdrawn(List.copyOf(tombstones), recordings);
  }

  /**
   * Withdraws a recording from a dataset on disk: it stays in the manifest, and whoever opens the
   * dataset from now on skips it. Withdrawing it twice changes nothing.
   *
   * @param refusal the decision that refuses the dataset's use now
   * @throws ShardException when the decision allows, is about another use, or the recording is not
   *     in the dataset
   */
  public static Tombstone withdraw(Path folder, Decision refusal) {
    return Tombstones.add(folder, refusal);
  }

  /**
   * The withdrawals that a dataset's folder holds, oldest first, also where only its manifest was
   * kept (see {@link Removal#dataset}).
   *
   * @throws ShardException when they do not follow from the manifest
   */
  public static List<Tombstone> withdrawals(Path folder) {
    return List.copyOf(Tombstones.read(folder, Manifest.read(folder)));
  }

  /**
   * Asks the gate again for every recording that is not withdrawn, today and with all that is
   * recorded by now.
   *
   * @return the decisions that refuse, in the dataset's order; each can be given to {@link
   *     #withdraw}
   */
  public List<Decision> fallen(Clearance clearance) {
    List<Isrc> live =
        IntStream.range(0, size())
            .filter(i -> !withdrawn(i))
            .mapToObj(i -> Isrc.of(isrc(i)))
            .toList();
    return live.isEmpty()
        ? List.of()
        : clearance.decideAll(manifest.use(), live, DecisionContext.today()).stream()
            .filter(decision -> !decision.allowed())
            .toList();
  }

  /** Whether a field lies beside the sound. */
  public boolean hasField(FieldSpec spec) {
    return Files.isRegularFile(FieldFile.pathOf(this, spec));
  }

  /**
   * Opens a field: values for every recording in the dataset's order.
   *
   * @throws ShardException when it is not there, is damaged, or belongs to another dataset
   */
  public FieldFile field(FieldSpec spec) {
    if (!hasField(spec)) {
      throw new ShardException(
          "dataset %s has no field '%s'; make it first".formatted(manifest.id(), spec.name()));
    }
    return FieldFile.open(this, FieldFile.pathOf(this, spec));
  }

  /** A whole recording. */
  public Pcm read(int recording) {
    return read(recording, 0, frames(recording));
  }

  /** What is known of its music. */
  public Optional<MusicAnnotations> annotations(int recording) {
    return Optional.ofNullable(fields.get(recording).annotations());
  }

  /** Display name of its artist. */
  public String artist(int recording) {
    return fields.get(recording).artist();
  }

  /** Its title; may be empty. */
  public String title(int recording) {
    return fields.get(recording).title();
  }

  public List<String> tags(int recording) {
    return fields.get(recording).tags();
  }

  /** Its description; may be empty. */
  public String text(int recording) {
    return fields.get(recording).text();
  }

  /**
   * Recordings to set aside for measuring, in rising order: those with the smallest SHA-256 of
   * {@code "heldout/1 "} and the ISRC, no two of one artist while there are artists left. A pure
   * function of the dataset's ISRCs and artists.
   *
   * @throws ShardException unless at least one recording is left for training
   */
  public List<Integer> heldOut(int count) {
    if (count < 0 || count >= size()) {
      throw new ShardException(
          "%d of %d recordings cannot be held out; hold out at most %d"
              .formatted(count, size(), size() - 1));
    }
    var byHash = new ArrayList<Integer>();
    for (int i = 0; i < size(); i++) {
      byHash.add(i);
    }
    byHash.sort(Comparator.comparing(i -> Hashes.hexOf("heldout/1 " + isrc(i))));
    var chosen = new ArrayList<Integer>();
    var artists = new HashSet<String>();
    for (int i : byHash) {
      if (chosen.size() < count && artists.add(artist(i))) {
        chosen.add(i);
      }
    }
    for (int i : byHash) {
      if (chosen.size() < count && !chosen.contains(i)) {
        chosen.add(i);
      }
    }
    chosen.sort(Comparator.naturalOrder());
    return List.copyOf(chosen);
  }

  /**
   * Hashes every byte of the dataset again.
   *
   * @throws ShardException that names the first damaged part
   */
  public void verify() {
    shards.forEach(ShardFile::verify);
    for (Path path : FieldFile.all(folder)) {
      try (FieldFile field = FieldFile.open(this, path)) {
        field.verify();
      }
    }
    for (Manifest.ShardInfo info : manifest.shards()) {
      Path file = folder.resolve(info.file());
      try {
        if (Files.size(file) != info.bytes() || !Hashes.hexOf(file).equals(info.sha256())) {
          throw new ShardException("shard " + file + " is damaged: it has another hash");
        }
      } catch (IOException e) {
        throw new ShardException("cannot read shard " + file + ": " + e.getMessage(), e);
      }
    }
  }

  @Override
  public void close() {
    shards.forEach(ShardFile::close);
    use.close();
  }
}
