package org.descant.models.codec;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.descant.models.BatchShare;
import org.descant.tensor.DType;
import org.descant.tensor.NoGrad;
import org.descant.tensor.ParameterStore;
import org.descant.tensor.ParameterStore.Initializer;
import org.descant.tensor.ParameterStore.Parameter;
import org.descant.tensor.Tensor;

/**
 * Residual vector quantiser with codebooks kept by moving averages.
 *
 * <p>Each codebook codes what the ones before left over (Zeghidour et al., "SoundStream", 2021).
 * Entries are exponential moving averages of the vectors that chose them (van den Oord et al.,
 * "Neural Discrete Representation Learning", 2017, appendix A.1); an entry that nearly no vector
 * chooses is put on a random vector of the batch (Dhariwal et al., "Jukebox", 2020). For half of
 * the rows of a batch a random number of codebooks is left out, so that one model serves several
 * bit rates.
 *
 * <p>State: codebooks, sums and counts; all three make an exact resume. Random draws come from the
 * seed given with each step. Not thread-safe.
 */
final class ResidualVq {
  private static final double DECAY = 0.97;

  /** An entry is dead when it is chosen less often than this share of the average. */
  private static final float DEAD_SHARE = 0.1f;

  private static final double DROPOUT_SHARE = 0.5;

  private final int codebooks;
  private final int size;
  private final int latent;
  private final Parameter entriesKSD;
  private final Parameter sumsKSD;
  private final Parameter countsKS;

  /** Declares its state in the store, which owns it. */
  ResidualVq(CodecConfig config, ParameterStore store) {
    this.codebooks = config.codebooks();
    this.size = config.codebookSize();
    this.latent = config.latent();
    Initializer zeros = Initializer.zeros();
    this.entriesKSD = store.declareState("rvq.entries", zeros, codebooks, size, latent);
    this.sumsKSD = store.declareState("rvq.sums", zeros, codebooks, size, latent);
    this.countsKS = store.declareState("rvq.counts", zeros, codebooks, size);
  }

  private Tensor entries(int codebook) {
    return entriesKSD.tensor().select(0, codebook);
  }

  /**
   * What quantising gave.
   *
   * @param quantisedBLD sum of the chosen entries; gradients pass straight through to the input
   * @param commitment mean squared distance of the input from the sums after each codebook
   * @param codes one I64 [B·L] per codebook
   */
  record Quantised(Tensor quantisedBLD, Tensor commitment, List<Tensor> codes) {}

  /** Quantises with the first {@code use} codebooks, without learning. */
  List<Tensor> encode(Tensor zBLD, int use) {
    Tensor residual = zBLD.detach().reshape(-1, latent);
    List<Tensor> codes = new ArrayList<>();
    for (int k = 0; k < use; k++) {
      Tensor entries = entries(k);
      Tensor index = nearest(residual, entries);
      residual = residual.sub(entries.indexSelect(0, index));
      codes.add(index);
    }
    return codes;
  }

  /** Sum of the entries of the given codes: [N, latent]. */
  Tensor decode(List<Tensor> codes) {
    Tensor sum = entries(0).indexSelect(0, codes.get(0));
    for (int k = 1; k < codes.size(); k++) {
      sum = sum.add(entries(k).indexSelect(0, codes.get(k)));
    }
    return sum;
  }

  /**
   * Quantises a training batch and moves the codebooks.
   *
   * @param zBLD latents with gradients
   * @param seed of this step's random draws
   */
  Quantised train(Tensor zBLD, long seed) {
    try (Training training = new Training(BatchShare.whole((int) zBLD.size(0)), 1, seed)) {
      return training.part(zBLD);
    }
  }

  /**
   * One training step whose batch comes in parts. All parts see the codebooks of before the step;
   * with the last one the codebooks move by all of them, as they would by the joined batch. Only
   * the very first step of a codec differs: its entries are placed on vectors of the first part.
   *
   * <p>Where several processes share a part, each brings its own rows and all move the codebooks by
   * the sums over all rows, to the same bits.
   */
  final class Training implements AutoCloseable {
    private final BatchShare share;
    private final int parts;
    private final SplittableRandom random;
    private final float[][] keep;
    private final List<List<Tensor>> residuals = new ArrayList<>();
    private final List<List<Tensor>> indexes = new ArrayList<>();
    private int part;

    /**
     * @param share the own rows of every part
     * @param seed of this step's random draws
     */
    Training(BatchShare share, int parts, long seed) {
      this.share = share;
      this.parts = parts;
      int rows = share.of() * parts;
      this.random = new SplittableRandom(seed);
      this.keep = new float[codebooks][rows];
      for (int b = 0; b < rows; b++) {
        int use = random.nextDouble() < DROPOUT_SHARE ? 1 + random.nextInt(codebooks) : codebooks;
        for (int k = 0; k < use; k++) {
          keep[k][b] = 1;
        }
      }
      for (int k = 0; k < codebooks; k++) {
        residuals.add(new ArrayList<>());
        indexes.add(new ArrayList<>());
      }
    }

    /**
     * Quantises the next part.
     *
     * @param zBLD latents with gradients
     */
    Quantised part(Tensor zBLD) {
      int batch = (int) zBLD.size(0);
      long length = zBLD.size(1);
      share.require(batch);
      Rows own = new Rows(share, length);
      int row = share.of() * part + share.from();
      boolean last = ++part == parts;
      List<Tensor> codes = new ArrayList<>();
      List<Tensor> partialSums = new ArrayList<>();
      Tensor quantised;
      try (NoGrad noGrad = NoGrad.open()) {
        Tensor residual = zBLD.detach().reshape(-1, latent);
        Tensor full = residual.zerosLike();
        Tensor kept = residual.zerosLike().view(batch, length, latent);
        boolean fresh = countsKS.tensor().sum().item() == 0;
        for (int k = 0; k < codebooks; k++) {
          Tensor entries = entries(k);
          if (fresh) {
            restart(k, residual, allEntries(), own, random);
          }
          Tensor index = nearest(residual, entries);
          Tensor chosen = entries.indexSelect(0, index);
          if (last) {
            move(k, joined(residuals.get(k), residual), joined(indexes.get(k), index), own, random);
          } else {
            residuals.get(k).add(residual.retain());
            indexes.get(k).add(index.retain());
          }
          residual = residual.sub(chosen);
          full = full.add(chosen);
          float[] shown = Arrays.copyOfRange(keep[k], row, row + batch);
          kept = kept.add(chosen.view(batch, length, latent).mul(Tensor.of(shown, batch, 1, 1)));
          codes.add(index);
          partialSums.add(full);
        }
        quantised = kept;
      }
      Tensor z2 = zBLD.reshape(-1, latent);
      Tensor commitment = z2.mseLoss(partialSums.get(0));
      for (int k = 1; k < codebooks; k++) {
        commitment = commitment.add(z2.mseLoss(partialSums.get(k)));
      }
      Tensor straight = zBLD.add(quantised.sub(zBLD.detach()));
      return new Quantised(straight, commitment.div(codebooks), codes);
    }

    private static Tensor joined(List<Tensor> earlier, Tensor last) {
      if (earlier.isEmpty()) {
        return last;
      }
      List<Tensor> all = new ArrayList<>(earlier);
      all.add(last);
      return Tensor.cat(all, 0);
    }

    /** Frees what earlier parts left. */
    @Override
    public void close() {
      residuals.forEach(list -> list.forEach(Tensor::close));
      indexes.forEach(list -> list.forEach(Tensor::close));
    }
  }

  /**
   * Index of the nearest entry: argmin of |e|² − 2 r·e, I64 [N]. In fp64, which autocast leaves
   * alone: in bf16 neighbouring entries could not be told apart.
   */
  private static Tensor nearest(Tensor residualND, Tensor entriesSD) {
    Tensor entries = entriesSD.to(DType.F64);
    Tensor products = residualND.to(DType.F64).matmul(entries.transpose(0, 1));
    return entries.square().sum(1, false).sub(products.mul(2.0)).argmin(1, false);
  }

  private int[] allEntries() {
    int[] all = new int[size];
    Arrays.setAll(all, i -> i);
    return all;
  }

  /**
   * Where own vectors lie among those of all shares.
   *
   * @param share the own rows of a part
   * @param length vectors in a row
   */
  private record Rows(BatchShare share, long length) {
    /** Vectors of all shares, where the own ones are so many: those of one part or of several. */
    long all(long own) {
      return own / share.rows() * share.of();
    }

    /** The own number of a vector among all, or −1 if it is another's. */
    long own(long vector) {
      long part = share.of() * length;
      long inPart = vector % part - share.from() * length;
      long mine = share.rows() * length;
      return inPart < 0 || inPart >= mine ? -1 : vector / part * mine + inPart;
    }

    void sum(Tensor tensor) {
      share.sum().accept(tensor);
    }
  }

  /** One step of the moving averages, then restarts of dead entries. */
  private void move(int k, Tensor residualND, Tensor index, Rows own, SplittableRandom random) {
    long rows = own.all(residualND.size(0));
    Tensor counts = countsKS.tensor().select(0, k);
    Tensor sums = sumsKSD.tensor().select(0, k);
    Tensor hits = Tensor.zeros(size).indexAddInPlace(0, index, Tensor.ones(index.size(0)));
    Tensor heaps = Tensor.zeros(size, latent).indexAddInPlace(0, index, residualND);
    own.sum(hits);
    own.sum(heaps);
    counts.lerpInPlace(hits, 1 - DECAY);
    sums.lerpInPlace(heaps, 1 - DECAY);
    entries(k).copyFrom(sums.div(counts.clampMin(1e-5).unsqueeze(1)));

    float dead = DEAD_SHARE * rows / size;
    float[] usage = counts.toFloats();
    int[] victims = new int[size];
    int count = 0;
    for (int i = 0; i < size; i++) {
      if (usage[i] < dead) {
        victims[count++] = i;
      }
    }
    if (count > 0) {
      restart(k, residualND, Arrays.copyOf(victims, count), own, random);
    }
  }

  /**
   * Puts entries on random vectors of the batch, counted as chosen half as often as the average.
   */
  private void restart(int k, Tensor residualND, int[] victims, Rows own, SplittableRandom random) {
    long rows = own.all(residualND.size(0));
    long[] from = new long[victims.length];
    float[] mine = new float[victims.length];
    long[] to = new long[victims.length];
    for (int i = 0; i < victims.length; i++) {
      long row = own.own(random.nextLong(rows));
      mine[i] = row < 0 ? 0 : 1;
      from[i] = Math.max(row, 0);
      to[i] = victims[i];
    }
    double count = 0.5 * rows / size;
    Tensor target = Tensor.of(to, to.length);
    Tensor vectors = residualND.indexSelect(0, Tensor.of(from, from.length));
    if (!own.share.isWhole()) {
      vectors = vectors.mul(Tensor.of(mine, victims.length, 1)); // one share has each vector
      own.sum(vectors);
    }
    entries(k).indexCopyInPlace(0, target, vectors);
    sumsKSD.tensor().select(0, k).indexCopyInPlace(0, target, vectors.mul(count));
    countsKS.tensor().select(0, k).indexCopyInPlace(0, target, Tensor.full(count, to.length));
  }

  /** Codes as Java arrays. */
  static int[][] toArrays(List<Tensor> codes) {
    int[][] arrays = new int[codes.size()][];
    for (int k = 0; k < arrays.length; k++) {
      arrays[k] = codes.get(k).to(DType.I32).toInts();
    }
    return arrays;
  }
}
