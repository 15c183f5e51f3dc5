package org.descant.provenance;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The answer to "where does this file come from?".
 *
 * @param state what the check found
 * @param sentence the answer in one sentence
 * @param problems what is wrong, one sentence each; empty unless the state is INVALID
 * @param credential what the credential says, as far as it could be read
 */
public record CredentialReport(
    State state, String sentence, List<String> problems, @Nullable Credential credential) {

  /** From nothing known to proven and signed by someone we trust. */
  public enum State {
    /** The file carries no credential. */
    NONE,
    /** The credential does not fit the file, or does not hold together. */
    INVALID,
    /** File and credential fit; the signer is not among the trusted. */
    VALID,
    /** File and credential fit, and the signer's chain ends at a trusted certificate. */
    TRUSTED
  }

  public CredentialReport {
    problems = List.copyOf(problems);
  }

  /** True if file and credential fit together. */
  public boolean holds() {
    return state == State.VALID || state == State.TRUSTED;
  }

  /**
   * What a credential says.
   *
   * @param manifest its label, {@code urn:c2pa:…}
   * @param signer the name in the signing certificate
   * @param generator the program that wrote it
   * @param digitalSourceTypes how the content came to be, IPTC addresses
   * @param ingredients what went into it
   * @param clipId the clip's id in the lineage, if Descant wrote it
   * @param modelId the model, if Descant wrote it
   * @param datasetRoot the dataset root, if Descant wrote it
   * @param seed the seed of the clip, if Descant wrote it
   */
  public record Credential(
      String manifest,
      String title,
      String signer,
      String generator,
      List<String> digitalSourceTypes,
      List<Ingredient> ingredients,
      @Nullable String clipId,
      @Nullable String modelId,
      @Nullable String datasetRoot,
      @Nullable Long seed) {
    public Credential {
      digitalSourceTypes = List.copyOf(digitalSourceTypes);
      ingredients = List.copyOf(ingredients);
    }
  }

  /** Something that went into a clip: a model, a recording, a prompt. */
  public record Ingredient(String title, String relationship, String description) {}
}
