package org.descant.catalog;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import org.descant.audio.AudioException;
import org.descant.audio.AudioFile;
import org.descant.audio.AudioInfo;
import org.descant.audio.AudioWriter;
import org.descant.audio.MusicAnnotations;
import org.descant.audio.Pcm;
import org.descant.audio.analysis.Fingerprint;
import org.descant.audio.analysis.Loudness;
import org.descant.catalog.CatalogEntry.Stem;
import org.descant.catalog.Shipment.AudioSource;
import org.descant.catalog.Shipment.Candidate;
import org.descant.catalog.Shipment.StemSource;
import org.descant.rights.Isrc;
import org.descant.storage.BlobId;
import org.descant.storage.BlobStore;
import org.jspecify.annotations.Nullable;

/**
 * Opens the audio of one candidate: checks it, measures it, keeps it. Safe for many threads; needs
 * the memory of a whole recording, some 42 MB a minute of stereo.
 *
 * <p>A recording that comes as stems only gets their sum: aligned at the start, at the highest rate
 * of them, stereo if one is; lowered as a whole to {@value #SUM_PEAK} of full scale where it would
 * clip; kept as FLAC of 16 bits.
 */
final class AudioIntake {
  static final float SUM_PEAK = 0.891f; // -1 dB
  static final int STEMS_MAX = 256;

  private final BlobStore blobs;

  AudioIntake(BlobStore blobs) {
    this.blobs = blobs;
  }

  /**
   * What came of a candidate.
   *
   * @param contentHash SHA-256 of the file, or of the hashes of the stems that make it up
   * @param sound null when there is none that can be used; {@code problem} says why
   * @param unchanged whether the catalogue has this very file under this ISRC, so that it was not
   *     opened again
   */
  record Result(
      Candidate candidate,
      String contentHash,
      @Nullable Sound sound,
      String problem,
      List<String> notes,
      boolean unchanged) {
    Result {
      notes = List.copyOf(notes);
    }
  }

  /** The measured, kept audio. */
  record Sound(
      BlobId blob,
      String format,
      String pcmHash,
      double seconds,
      int sampleRate,
      int channels,
      double lufs,
      double peak,
      Fingerprint fingerprint,
      List<Stem> stems,
      @Nullable MusicAnnotations annotations) {
    Sound {
      stems = List.copyOf(stems);
    }
  }

  /** What the catalogue has under an ISRC. */
  interface Known {
    Optional<CatalogEntry> find(Isrc isrc);
  }

  Result take(Candidate candidate, Known known) {
    List<String> notes = new ArrayList<>();
    String contentHash = "";
    try {
      if (!candidate.missing().isEmpty()) {
        return new Result(candidate, "", null, "", notes, false);
      }
      String problem = hashProblem(candidate);
      if (!problem.isEmpty()) {
        return new Result(candidate, "", null, problem, notes, false);
      }
      contentHash = contentHash(candidate);
      if (unchanged(candidate, contentHash, known)) {
        return new Result(candidate, contentHash, null, "", notes, true);
      }
      return new Result(candidate, contentHash, sound(candidate, notes), "", notes, false);
    } catch (AudioException e) {
      return new Result(candidate, contentHash, null, String.valueOf(e.getMessage()), notes, false);
    }
  }

  private static String hashProblem(Candidate candidate) {
    AudioSource audio = candidate.audio();
    if (audio != null) {
      return DeliveredFiles.hashProblem(audio.file(), audio.hashAlgorithm(), audio.hash());
    }
    for (StemSource stem : candidate.stems()) {
      String problem = stemProblem(stem);
      if (!problem.isEmpty()) {
        return problem;
      }
    }
    return "";
  }

  private static String stemProblem(StemSource stem) {
    String problem =
        DeliveredFiles.hashProblem(
            stem.source().file(), stem.source().hashAlgorithm(), stem.source().hash());
    return problem.isEmpty() ? "" : "its stem '%s': %s".formatted(stem.name(), problem);
  }

  private static String contentHash(Candidate candidate) {
    AudioSource audio = candidate.audio();
    if (audio != null) {
      return DeliveredFiles.sha256(audio.file());
    }
    List<String> hashes =
        candidate.stems().stream()
            .map(stem -> DeliveredFiles.sha256(stem.source().file()))
            .sorted()
            .toList();
    return Text.sha256(String.join("\n", hashes));
  }

  /** The same file, or the same stems, under the same ISRC. */
  private static boolean unchanged(Candidate candidate, String contentHash, Known known) {
    Isrc isrc =
        candidate.isrc() == null
            ? Isrc.of(Identifiers.localIsrc(contentHash, 0))
            : candidate.isrc();
    CatalogEntry entry = known.find(isrc).orElse(null);
    if (entry == null
        || entry.audio() == null
        || entry.status() == CatalogEntry.Status.WAITING
        || entry.status() == CatalogEntry.Status.BLOCKED) {
      return false;
    }
    if (candidate.audio() != null) {
      return entry.audio().equals(BlobId.ofSha256(contentHash))
          && entry.stems().size() >= candidate.stems().size();
    }
    List<String> kept = entry.stems().stream().map(stem -> stem.blob().hex()).sorted().toList();
    return !kept.isEmpty() && Text.sha256(String.join("\n", kept)).equals(contentHash);
  }

  private Sound sound(Candidate candidate, List<String> notes) {
    AudioSource audio = candidate.audio();
    List<Stem> stems = new ArrayList<>();
    BlobId blob;
    String format;
    Pcm pcm;
    if (audio == null) {
      Sum sum = new Sum();
      for (StemSource stem : candidate.stems()) {
        Pcm decoded = AudioFile.decode(stem.source().file());
        sum.add(decoded);
        stems.add(new Stem(stem.name(), blobs.put(stem.source().file()), decoded.seconds()));
      }
      Kept kept = keep(sum.pcm());
      blob = kept.blob();
      pcm = kept.pcm();
      format = "flac, the sum of %d stems".formatted(stems.size());
    } else {
      AudioInfo info = AudioFile.probe(audio.file());
      pcm = AudioFile.decode(audio.file());
      blob = blobs.put(audio.file());
      format = info.container() + " " + info.codec();
      for (StemSource stem : candidate.stems()) {
        stem(stem, stems, notes);
      }
    }
    return new Sound(
        blob,
        format,
        pcm.hash(),
        pcm.seconds(),
        pcm.sampleRate(),
        pcm.channelCount(),
        Loudness.integratedLufs(pcm),
        Loudness.samplePeak(pcm),
        Fingerprint.of(pcm),
        stems,
        annotations(candidate, pcm, notes));
  }

  private void stem(StemSource stem, List<Stem> stems, List<String> notes) {
    String problem = stemProblem(stem);
    if (!problem.isEmpty()) {
      notes.add(problem);
      return;
    }
    try {
      double seconds = AudioFile.probe(stem.source().file()).seconds();
      stems.add(new Stem(stem.name(), blobs.put(stem.source().file()), seconds));
    } catch (AudioException e) {
      notes.add(String.valueOf(e.getMessage()));
    }
  }

  private record Kept(BlobId blob, Pcm pcm) {}

  /** Keeps a sound and gives back what a later decoding of it will give. */
  private Kept keep(Pcm pcm) {
    Path folder = null;
    try {
      folder = Files.createTempDirectory("descant-sum-");
      Path file = folder.resolve("sum.flac");
      AudioWriter.flac(pcm, file);
      Kept kept = new Kept(blobs.put(file), AudioFile.decode(file));
      Files.delete(file);
      return kept;
    } catch (IOException e) {
      throw new CatalogException("Cannot write the sum of the stems: " + e.getMessage(), e);
    } finally {
      if (folder != null) {
        deleteQuietly(folder);
      }
    }
  }

  private static void deleteQuietly(Path folder) {
    try {
      Files.deleteIfExists(folder.resolve("sum.flac"));
      Files.deleteIfExists(folder);
    } catch (IOException ignored) {
      // It lies in the system's folder for passing files, which is emptied by the system.
    }
  }

  private static @Nullable MusicAnnotations annotations(
      Candidate candidate, Pcm pcm, List<String> notes) {
    Path jams = candidate.jams();
    if (jams == null) {
      return null;
    }
    try {
      if (Files.size(jams) > 16 << 20) {
        notes.add("%s is larger than annotations are and is left out".formatted(jams));
        return null;
      }
      MusicAnnotations annotations = MusicAnnotations.fromJams(Files.readString(jams));
      if (Math.abs(annotations.seconds() - pcm.seconds()) > 1) {
        notes.add(
            "%s speaks of %.1f s where the audio has %.1f s and is left out"
                .formatted(jams, annotations.seconds(), pcm.seconds()));
        return null;
      }
      return annotations;
    } catch (IOException | AudioException e) {
      notes.add("%s is left out: %s".formatted(jams, e.getMessage()));
      return null;
    }
  }

  /**
   * Adds stems up, aligned at their start. Those of one rate are added as they are and only their
   * sum is resampled: it is linear, and a song of forty stems has two rates.
   */
  private static final class Sum {
    private final SortedMap<Integer, float[][]> sumByRate = new TreeMap<>();
    private int stems;

    void add(Pcm stem) {
      if (++stems > STEMS_MAX) {
        throw new AudioException("It has more than %d stems.".formatted(STEMS_MAX));
      }
      float[][] sum = sumByRate.getOrDefault(stem.sampleRate(), new float[0][]);
      sumByRate.put(stem.sampleRate(), added(sum, stem));
    }

    /** The sum with a sound on it; mono becomes stereo by repetition when it meets stereo. */
    private static float[][] added(float[][] sum, Pcm sound) {
      int count = Math.max(sum.length, sound.channelCount());
      int frames = Math.max(sum.length == 0 ? 0 : sum[0].length, sound.frames());
      float[][] grown = new float[count][];
      for (int c = 0; c < count; c++) {
        float[] held = sum.length == 0 ? new float[0] : sum[Math.min(c, sum.length - 1)];
        boolean shared = c >= sum.length;
        grown[c] = shared || held.length < frames ? Arrays.copyOf(held, frames) : held;
      }
      // A mono sum is copied for the second channel before anything is added to the first.
      for (int c = 0; c < count; c++) {
        float[] added = sound.channel(Math.min(c, sound.channelCount() - 1));
        for (int i = 0; i < added.length; i++) {
          grown[c][i] += added[i];
        }
      }
      return grown;
    }

    Pcm pcm() {
      int sampleRate = sumByRate.lastKey();
      float[][] channels = new float[0][];
      for (Map.Entry<Integer, float[][]> sum : sumByRate.entrySet()) {
        channels = added(channels, new Pcm(sum.getValue(), sum.getKey()).resampled(sampleRate));
      }
      float peak = 0;
      for (float[] channel : channels) {
        for (float sample : channel) {
          peak = Math.max(peak, Math.abs(sample));
        }
      }
      if (peak > 1) {
        float gain = SUM_PEAK / peak;
        for (float[] channel : channels) {
          for (int i = 0; i < channel.length; i++) {
            channel[i] *= gain;
          }
        }
      }
      return new Pcm(channels, sampleRate);
    }
  }
}
