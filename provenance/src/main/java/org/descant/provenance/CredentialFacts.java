package org.descant.provenance;

import java.time.Instant;
import java.util.List;

/**
 * What a content credential says about a clip. Equal facts about equal audio, signed by one key,
 * give equal bytes: {@code at} is the only clock.
 *
 * @param clipId the clip's id in the lineage
 * @param title what players show
 * @param modelId the model's id (hash of its weights)
 * @param modelName the model's name
 * @param datasetRoot the root of the dataset that the model was trained on
 * @param prompt what was asked for in words; empty if nothing was
 * @param seed the number that all draws of the clip came from
 * @param recordings the recordings that are credited, at most {@value #RECORDINGS_MAX}
 * @param at when the clip was made
 */
public record CredentialFacts(
    String clipId,
    String title,
    String modelId,
    String modelName,
    String datasetRoot,
    String prompt,
    long seed,
    List<CreditedRecording> recordings,
    Instant at) {
  /** So that a credential stays a small part of a short clip. */
  public static final int RECORDINGS_MAX = 256;

  private static final int PROMPT_CHARS_MAX = 8_192;
  private static final int TEXT_CHARS_MAX = 512;

  public CredentialFacts {
    recordings = List.copyOf(recordings);
    requireText("clip id", clipId);
    requireText("title", title);
    requireText("model id", modelId);
    requireText("model name", modelName);
    requireText("dataset root", datasetRoot);
    if (prompt.length() > PROMPT_CHARS_MAX) {
      throw new ProvenanceException(
          "The prompt has %d characters; a credential holds at most %d: shorten it."
              .formatted(prompt.length(), PROMPT_CHARS_MAX));
    }
    if (recordings.size() > RECORDINGS_MAX) {
      throw new ProvenanceException(
          "%d recordings are credited; a credential names at most %d: fold the smallest together."
              .formatted(recordings.size(), RECORDINGS_MAX));
    }
  }

  private static void requireText(String what, String text) {
    if (text.isBlank() || text.length() > TEXT_CHARS_MAX) {
      throw new ProvenanceException(
          "The credential's %s must have 1 to %d characters, it has %d."
              .formatted(what, TEXT_CHARS_MAX, text.length()));
    }
  }

  /**
   * A recording behind the clip.
   *
   * @param isrc its ISRC
   * @param share its part of the credit, from 0 to 1
   */
  public record CreditedRecording(String isrc, String title, String artist, double share) {
    public CreditedRecording {
      requireText("ISRC of a recording", isrc);
      requireText("title of recording " + isrc, title);
      requireText("artist of recording " + isrc, artist);
      if (!(share >= 0 && share <= 1)) {
        throw new ProvenanceException(
            "The credit share of recording %s must be from 0 to 1, it is %s."
                .formatted(isrc, share));
      }
    }
  }
}
