package org.descant.provenance;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.descant.provenance.Carrier.Store;
import org.descant.provenance.CredentialReport.Credential;
import org.descant.provenance.CredentialReport.Ingredient;
import org.descant.provenance.CredentialReport.State;
import org.jspecify.annotations.Nullable;

/*
 * The order of the checks: structure, assertions against the claim, the file against the hard binding,
 * the claim against the signature, the signature against the chain. Each adds sentences to `problems`;
 * only broken structure ends the check early. Whatever is not covered by a hash or the signature must
 * have the one form that the standard gives it, so that a changed bit has nowhere to hide.
 */
/** One check of one file's credential. */
final class CredentialCheck {
  private static final int BUFFER_BYTES = 1 << 16;
  private static final int PROBLEMS_MAX = 50;

  private final FileChannel file;
  private final List<X509Certificate> trusted;
  private final List<String> problems = new ArrayList<>();

  CredentialCheck(FileChannel file, List<X509Certificate> trusted) {
    this.file = file;
    this.trusted = trusted;
  }

  CredentialReport report() throws IOException {
    @Nullable Credential credential = null;
    boolean trust = false;
    try {
      Optional<Store> store = Carrier.find(file);
      if (store.isEmpty()) {
        return new CredentialReport(
            State.NONE,
            "No credential: nothing in the file that is read here (WAV, FLAC, MP3) says where it"
                + " comes from.",
            problems,
            null);
      }
      var parsed = new Parsed(store.get());
      credential = parsed.credential();
      parsed.checkAssertions();
      parsed.checkHardBinding();
      if (!parsed.signature.fits(parsed.claimBytes)) {
        problem("The signature does not fit: the claim or the signature was changed.");
      }
      parsed.signature.chainProblems(Instant.now()).forEach(this::problem);
      trust = parsed.signature.leadsTo(trusted);
    } catch (Malformed e) {
      problem("The credential is broken: " + e.getMessage() + ".");
    }
    if (!problems.isEmpty()) {
      return new CredentialReport(
          State.INVALID,
          "The credential does not hold: " + problems.getFirst(),
          problems,
          credential);
    }
    String signer = credential == null ? "" : credential.signer();
    return trust
        ? new CredentialReport(
            State.TRUSTED,
            "The file is as \"%s\" signed it, and that signer is trusted.".formatted(signer),
            problems,
            credential)
        : new CredentialReport(
            State.VALID,
            "The file is as \"%s\" signed it; nothing here says whether to trust that signer."
                .formatted(signer),
            problems,
            credential);
  }

  private void problem(String sentence) {
    if (problems.size() < PROBLEMS_MAX) {
      problems.add(sentence);
    }
  }

  /** The active manifest, taken apart. */
  private final class Parsed {
    private final Store store;
    private final Jumbf manifest;
    private final Jumbf assertions;
    private final byte[] claimBytes;
    private final Map<?, ?> claim;
    private final CoseSignature signature;

    Parsed(Store store) throws Malformed {
      this.store = store;
      Jumbf root = Jumbf.parse(store.bytes());
      require(
          root.kind().equals("c2pa") && root.label().equals(Manifest.STORE), "no manifest store");
      require(!root.children().isEmpty() && root.contents().isEmpty(), "no manifest");
      this.manifest = root.children().getLast();
      require(
          manifest.kind().equals("c2ma") || manifest.kind().equals("c2um"),
          "a manifest of unknown kind");
      require(manifest.contents().isEmpty(), "a manifest with loose content");
      this.assertions = box("c2as", Manifest.ASSERTIONS);
      boolean second = manifest.child(Manifest.CLAIM).isPresent();
      Jumbf claimBox = box("c2cl", second ? Manifest.CLAIM : Manifest.CLAIM_V1);
      Jumbf signatureBox = box("c2cs", Manifest.SIGNATURE);
      for (Jumbf child : manifest.children()) {
        boolean known =
            child == assertions
                || child == claimBox
                || child == signatureBox
                || child.kind().equals("c2vc")
                || child.kind().equals("c2db");
        require(known, "a manifest with an unknown box");
      }
      this.claimBytes = claimBox.content("cbor");
      this.claim = Cbor.map(Cbor.decode(claimBytes), "claim");

      this.signature = CoseSignature.parse(signatureBox.content("cbor"));
    }

    private Jumbf box(String kind, String label) throws Malformed {
      Jumbf box = manifest.child(label).orElseThrow(() -> new Malformed("no box " + label));
      require(box.kind().equals(kind), "box " + label + " of the wrong kind");
      return box;
    }

    Credential credential() throws Malformed {
      var sources = new ArrayList<String>();
      var ingredients = new ArrayList<Ingredient>();
      Map<?, ?> generation = Map.of();
      for (Jumbf assertion : assertions.children()) {
        if (!assertion.kind().equals("cbor")) {
          continue;
        }
        if (!(Cbor.decode(assertion.content("cbor")) instanceof Map<?, ?> content)) {
          continue;
        }
        if (assertion.label().startsWith("c2pa.actions")
            && content.get("actions") instanceof List<?> actions) {
          for (Object action : actions) {
            if (action instanceof Map<?, ?> map
                && map.get("digitalSourceType") instanceof String source) {
              sources.add(source);
            }
          }
        } else if (assertion.label().startsWith("c2pa.ingredient")) {
          ingredients.add(
              new Ingredient(
                  text(content.get("dc:title")),
                  text(content.get("relationship")),
                  text(content.get("description"))));
        } else if (assertion.label().equals(Manifest.GENERATION)) {
          generation = content;
        }
      }
      Object generator = claim.get("claim_generator_info");
      return new Credential(
          manifest.label(),
          text(claim.get("dc:title")),
          signature.signer(),
          generator instanceof Map<?, ?> info ? text(info.get("name")) : text(generator),
          sources,
          ingredients,
          orNull(generation.get("clip")),
          orNull(generation.get("model")),
          orNull(generation.get("datasetRoot")),
          generation.get("seed") instanceof Long seed ? seed : null);
    }

    void checkAssertions() throws Malformed {
      var declared = new HashSet<String>();
      for (Object reference : references()) {
        Map<?, ?> map = Cbor.map(reference, "assertion reference");
        String url = text(map.get("url"));
        String label = url.substring(url.lastIndexOf('/') + 1);
        require(refersTo(url, label) && declared.add(label), "an assertion reference to " + url);
        Optional<Jumbf> box = assertions.child(label);
        if (box.isEmpty()) {
          problem("The assertion " + label + " is missing.");
        } else if (!MessageDigest.isEqual(
            digest(map.get("alg")).digest(box.get().body()), Cbor.bytes(map.get("hash"), "hash"))) {
          problem("The assertion " + label + " was changed after signing.");
        }
      }
      for (Jumbf box : assertions.children()) {
        if (!declared.contains(box.label())) {
          problem("The assertion " + box.label() + " is not part of what was signed.");
        }
      }
      require(assertions.contents().isEmpty(), "loose content among the assertions");
      require(
          assertions.children().stream().map(Jumbf::label).distinct().count()
              == assertions.children().size(),
          "two assertions of one name");
      String signatureUrl = text(claim.get("signature"));
      require(
          signatureUrl.equals("self#jumbf=/c2pa/" + manifest.label() + "/" + Manifest.SIGNATURE)
              || signatureUrl.equals("self#jumbf=" + Manifest.SIGNATURE),
          "a claim that names another signature");
    }

    /** Created and gathered assertions of a claim of version 2, all of one of version 1. */
    private List<Object> references() throws Malformed {
      var all = new ArrayList<Object>();
      for (String key : List.of("created_assertions", "gathered_assertions", "assertions")) {
        if (claim.containsKey(key)) {
          all.addAll(Cbor.list(claim.get(key), key));
        }
      }
      return all;
    }

    private boolean refersTo(String url, String label) {
      String path = Manifest.ASSERTIONS + "/" + label;
      return url.equals("self#jumbf=" + path)
          || url.equals("self#jumbf=/c2pa/" + manifest.label() + "/" + path);
    }

    private MessageDigest digest(@Nullable Object own) throws Malformed {
      String named = text(own != null ? own : claim.get("alg"));
      try {
        return switch (named) {
          case "sha256", "" -> MessageDigest.getInstance("SHA-256");
          case "sha384" -> MessageDigest.getInstance("SHA-384");
          case "sha512" -> MessageDigest.getInstance("SHA-512");
          default -> throw new Malformed("hash algorithm " + named + " is not known");
        };
      } catch (GeneralSecurityException e) {
        throw new IllegalStateException("SHA-2 is part of the JDK", e);
      }
    }

    void checkHardBinding() throws IOException, Malformed {
      Optional<Jumbf> box = assertions.child(Manifest.DATA_HASH);
      if (box.isEmpty()) {
        problem("The credential is not bound to the file's bytes by " + Manifest.DATA_HASH + ".");
        return;
      }
      Map<?, ?> binding = Cbor.map(Cbor.decode(box.get().content("cbor")), "hard binding");
      var exclusions = new ArrayList<long[]>();
      for (Object exclusion : Cbor.list(binding.get("exclusions"), "exclusions")) {
        Map<?, ?> map = Cbor.map(exclusion, "exclusion");
        long start = Cbor.integer(map.get("start"), "exclusion start");
        long end = start + Cbor.integer(map.get("length"), "exclusion length");
        if (start < store.from() || end < start || end > store.to()) {
          problem("The credential leaves bytes outside itself without protection.");
          return;
        }
        exclusions.add(new long[] {start, end});
      }
      exclusions.sort(Comparator.comparingLong(range -> range[0]));

      MessageDigest digest = digest(binding.get("alg"));
      long at = 0;
      for (long[] range : exclusions) {
        update(digest, at, range[0]);
        at = Math.max(at, range[1]);
      }
      update(digest, at, file.size());
      if (!MessageDigest.isEqual(digest.digest(), Cbor.bytes(binding.get("hash"), "hash"))) {
        problem("The sound or the file around it was changed after signing.");
      }
    }

    private void update(MessageDigest digest, long from, long to) throws IOException, Malformed {
      ByteBuffer buffer = ByteBuffer.allocate(BUFFER_BYTES);
      for (long at = from; at < to; at += buffer.limit()) {
        buffer.clear().limit((int) Math.min(BUFFER_BYTES, to - at));
        if (file.read(buffer, at) < 0) {
          throw new Malformed("the file ends early");
        }
        digest.update(buffer.flip());
      }
    }
  }

  private static void require(boolean holds, String otherwise) throws Malformed {
    if (!holds) {
      throw new Malformed(otherwise);
    }
  }

  private static String text(@Nullable Object value) {
    return value instanceof String text ? text : "";
  }

  private static @Nullable String orNull(@Nullable Object value) {
    return value instanceof String text ? text : null;
  }
}
