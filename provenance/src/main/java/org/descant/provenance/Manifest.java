package org.descant.provenance;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.descant.provenance.CredentialFacts.CreditedRecording;

/*
 * The tree (C2PA 2.x, claim v2):
 *
 *   c2pa "c2pa"
 *    c2ma "urn:c2pa:<uuid>"
 *     c2as "c2pa.assertions"   ingredients, actions, training and mining, generation, data hash
 *     c2cl "c2pa.claim.v2"     names every assertion with its hash
 *     c2cs "c2pa.signature"    COSE_Sign1 over the claim
 *
 * No padding anywhere: a byte that no hash covers is a byte that can be changed unseen.
 */
/** Writes the manifest store of one clip. */
final class Manifest {
  static final String STORE = "c2pa";
  static final String ASSERTIONS = "c2pa.assertions";
  static final String CLAIM = "c2pa.claim.v2";
  static final String CLAIM_V1 = "c2pa.claim";
  static final String SIGNATURE = "c2pa.signature";
  static final String ACTIONS = "c2pa.actions.v2";
  static final String INGREDIENT = "c2pa.ingredient.v3";
  static final String DATA_HASH = "c2pa.hash.data";
  static final String TRAINING_MINING = "cawg.training-mining";
  static final String GENERATION = "org.descant.generation";

  static final String GENERATOR = "Descant";
  static final String TRAINED_ALGORITHMIC_MEDIA =
      "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia";

  private static final long CBOR_DATE = 0;

  private final CredentialFacts facts;
  private final SigningKey key;
  private final String label;
  private final UUID uuid;

  /** Boxes and references of the assertions, in the order of the claim. */
  private final List<byte[]> boxes = new ArrayList<>();

  private final List<Object> references = new ArrayList<>();

  private Manifest(CredentialFacts facts, SigningKey key, byte[] audioHash) {
    this.facts = facts;
    this.key = key;
    this.uuid = derivedUuid(audioHash, facts.toString().getBytes(StandardCharsets.UTF_8));
    this.label = "urn:c2pa:" + uuid;
  }

  /**
   * The manifest store. Its size depends on the facts, the key and the two numbers, not on the
   * hash.
   *
   * @param audioHash SHA-256 of the file without the bytes from exclusionStart on
   */
  static byte[] store(
      CredentialFacts facts,
      SigningKey key,
      byte[] audioHash,
      long exclusionStart,
      long exclusionLength) {
    var manifest = new Manifest(facts, key, audioHash);
    return manifest.build(audioHash, exclusionStart, exclusionLength);
  }

  private byte[] build(byte[] audioHash, long exclusionStart, long exclusionLength) {
    addIngredients();
    Object generator = Map.of("name", GENERATOR, "version", "0.1.0");
    Object created =
        Map.of(
            "action",
            "c2pa.created",
            "when",
            new Cbor.Tagged(CBOR_DATE, facts.at().toString()),
            "softwareAgent",
            generator,
            "digitalSourceType",
            TRAINED_ALGORITHMIC_MEDIA,
            "parameters",
            Map.of("ingredients", List.copyOf(references)));
    add(ACTIONS, Map.of("actions", List.of(created)));
    add(TRAINING_MINING, Map.of("entries", notAllowed()));
    add(
        GENERATION,
        Map.of(
            "clip",
            facts.clipId(),
            "model",
            facts.modelId(),
            "datasetRoot",
            facts.datasetRoot(),
            "seed",
            facts.seed()));
    add(
        DATA_HASH,
        Map.of(
            "exclusions",
            List.of(Map.of("start", exclusionStart, "length", exclusionLength)),
            "name",
            "all but the credential",
            "alg",
            "sha256",
            "hash",
            audioHash,
            "pad",
            new byte[0]));

    byte[] claim =
        Cbor.encode(
            Map.of(
                "instanceID",
                "xmp:iid:" + uuid,
                "claim_generator_info",
                generator,
                "signature",
                url(SIGNATURE),
                "created_assertions",
                references,
                "dc:title",
                facts.title(),
                "alg",
                "sha256"));
    byte[] manifest =
        Jumbf.superbox(
            "c2ma",
            label,
            List.of(
                Jumbf.superbox("c2as", ASSERTIONS, boxes),
                Jumbf.superbox("c2cl", CLAIM, List.of(Jumbf.box("cbor", claim))),
                Jumbf.superbox(
                    "c2cs",
                    SIGNATURE,
                    List.of(Jumbf.box("cbor", CoseSignature.sign(key, claim))))));
    return Jumbf.superbox(STORE, STORE, List.of(manifest));
  }

  private void addIngredients() {
    addIngredient(
        facts.modelName(),
        "c2pa.types.model",
        "The model that made this clip, trained on dataset " + facts.datasetRoot(),
        Map.of("instanceID", facts.modelId()));
    for (CreditedRecording recording : facts.recordings()) {
      addIngredient(
          recording.title(),
          "c2pa.types.dataset",
          "%s by %s, ISRC %s, credit share %.2f %%"
              .formatted(
                  recording.title(), recording.artist(), recording.isrc(), recording.share() * 100),
          Map.of(
              "instanceID",
              "urn:isrc:" + recording.isrc(),
              "metadata",
              Map.of(
                  "org.descant.isrc", recording.isrc(),
                  "org.descant.artist", recording.artist(),
                  "org.descant.creditShare", recording.share())));
    }
    if (!facts.prompt().isEmpty()) {
      addIngredient(
          "prompt",
          "c2pa.types.generator.prompt",
          facts.prompt(),
          Map.of("dc:format", "text/plain"));
    }
  }

  private void addIngredient(
      String title, String type, String description, Map<String, Object> more) {
    var map = new LinkedHashMap<String, Object>(more);
    map.put("relationship", "inputTo");
    map.put("dc:title", title);
    map.put("description", description);
    map.put("dataTypes", List.of(Map.of("type", type)));
    int number = boxes.size();
    add(number == 0 ? INGREDIENT : INGREDIENT + "__" + number, map);
  }

  private static Map<String, Object> notAllowed() {
    var entries = new LinkedHashMap<String, Object>();
    for (String use :
        List.of("data_mining", "ai_inference", "ai_generative_training", "ai_training")) {
      entries.put("cawg." + use, Map.of("use", "notAllowed"));
    }
    return entries;
  }

  private void add(String assertion, Object content) {
    byte[] box =
        Jumbf.superbox("cbor", assertion, List.of(Jumbf.box("cbor", Cbor.encode(content))));
    boxes.add(box);
    references.add(
        Map.of("url", url(ASSERTIONS + "/" + assertion), "hash", Hashes.sha256(Jumbf.bodyOf(box))));
  }

  private String url(String path) {
    return "self#jumbf=/c2pa/" + label + "/" + path;
  }

  /** A name-based UUID (version 8, RFC 9562): equal content has an equal name. */
  private static UUID derivedUuid(byte[]... parts) {
    ByteBuffer hash = ByteBuffer.wrap(Hashes.sha256(parts));
    long high = (hash.getLong() & 0xffffffffffff0fffL) | 0x8000L;
    long low = (hash.getLong() & 0x3fffffffffffffffL) | 0x8000000000000000L;
    return new UUID(high, low);
  }
}
