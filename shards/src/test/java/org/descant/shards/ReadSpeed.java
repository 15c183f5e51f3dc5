package org.descant.shards;

import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.SplittableRandom;

/**
 * Measures random ten-second clips of a dataset: {@code ReadSpeed DATASET}. Prints the best of ten
 * rounds of a hundred clips, by the thread's CPU time, as a multiple of real time.
 */
final class ReadSpeed {
  private ReadSpeed() {}

  public static void main(String[] arguments) {
    var random = new SplittableRandom(1);
    try (Dataset dataset = Dataset.open(Path.of(arguments[0]))) {
      double best = 0;
      for (int round = 0; round < 10; round++) {
        long begin = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
        double seconds = 0;
        for (int clip = 0; clip < 100; clip++) {
          int recording = random.nextInt(dataset.size());
          int frames = Math.min(dataset.frames(recording), 10 * DatasetWriter.SAMPLE_RATE);
          int from = random.nextInt(dataset.frames(recording) - frames + 1);
          seconds += dataset.read(recording, from, frames).seconds();
        }
        long end = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
        best = Math.max(best, seconds * 1e9 / (end - begin));
      }
      System.out.printf("random 10 s clips to planar floats: %,.0f x real time%n", best);
    }
  }
}
