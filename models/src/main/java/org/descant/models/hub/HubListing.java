package org.descant.models.hub;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import org.descant.models.ModelException;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * What a hub says a model consists of at one revision.
 *
 * @param commit the commit that the revision stands for now
 * @param licence as its page says; null when it says none
 * @param files those to take
 * @param pickles paths of files that could run code when they are read, which are not taken
 * @param left paths of other files that are of no use here
 */
public record HubListing(
    String commit,
    @Nullable String licence,
    List<HubFile> files,
    List<String> pickles,
    List<String> left) {

  /** Longest answer that is read as a listing. */
  static final int JSON_BYTES_MAX = 16 << 20;

  /** Files that a listing may name. */
  static final int LISTED_MAX = 20_000;

  /** Files that are taken of one model. */
  static final int TAKEN_MAX = 1_000;

  /** Largest file of weights. */
  static final long WEIGHTS_BYTES_MAX = 64L << 30;

  /** Largest file that is not weights: those are parsed as a whole. */
  static final long TEXT_BYTES_MAX = 64L << 20;

  private static final Pattern COMMIT = Pattern.compile("[0-9a-f]{40}|[0-9a-f]{64}");
  private static final String LICENCE_TAG = "license:";
  private static final JsonMapper JSON = JsonMapper.builder().build();

  public HubListing {
    files = List.copyOf(files);
    pickles = List.copyOf(pickles);
    left = List.copyOf(left);
  }

  /**
   * Reads the answer to {@code GET /api/models/<repo>/revision/<rev>?blobs=true}.
   *
   * @throws ModelException when it is not one, or names what may not be taken
   */
  static HubListing parse(HubReference model, byte[] answer) {
    JsonNode root;
    try {
      root = JSON.readTree(new String(answer, StandardCharsets.UTF_8));
    } catch (JacksonException e) {
      throw new ModelException(
          "The answer for %s is not a model's listing; check that this is the address of a model hub."
              .formatted(model.repo()),
          e);
    }
    String commit = root.path("sha").asString("");
    JsonNode siblings = root.path("siblings");
    if (!COMMIT.matcher(commit).matches() || !siblings.isArray()) {
      throw new ModelException(
          "The listing of %s names no commit or no files; check that this is the address of a model hub."
              .formatted(model.repo()));
    }
    if (siblings.size() > LISTED_MAX) {
      throw new ModelException(
          "The listing of %s names %d files; more than %d are not looked at."
              .formatted(model.repo(), siblings.size(), LISTED_MAX));
    }
    List<HubFile> files = new ArrayList<>();
    List<String> pickles = new ArrayList<>();
    List<String> left = new ArrayList<>();
    for (JsonNode sibling : siblings) {
      HubFile file = file(sibling);
      switch (file.choice()) {
        case TAKEN -> files.add(file);
        case PICKLE -> pickles.add(file.path());
        case LEFT -> left.add(file.path());
      }
    }
    HubListing listing = new HubListing(commit, licence(root), files, pickles, left);
    listing.require(model);
    return listing;
  }

  private static HubFile file(JsonNode sibling) {
    String path = sibling.path("rfilename").asString("");
    HubFile.requireSafe(path);
    JsonNode lfs = sibling.path("lfs");
    long bytes = size(path, sibling.path("size"));
    String hex = sibling.path("blobId").asString("");
    if (lfs.isObject()) {
      long stored = size(path, lfs.path("size"));
      if (stored >= 0 && bytes >= 0 && stored != bytes) {
        throw new ModelException(
            "The hub lists %s with two sizes, %d and %d bytes; nothing was pulled."
                .formatted(path, bytes, stored));
      }
      bytes = Math.max(bytes, stored);
      hex = lfs.path("sha256").asString(lfs.path("oid").asString("")).replaceFirst("^sha256:", "");
    }
    ContentHash hash = ContentHash.ofHex(hex);
    if (hash == null && !hex.isEmpty()) {
      throw new ModelException(
          "The hub lists %s with the hash '%s', which is none; nothing was pulled."
              .formatted(path, Text.shown(hex)));
    }
    return new HubFile(path, bytes, hash);
  }

  private static long size(String path, JsonNode size) {
    if (size.isMissingNode() || size.isNull()) {
      return -1;
    }
    if (!size.isIntegralNumber() || !size.canConvertToLong() || size.asLong() < 0) {
      throw new ModelException(
          "The hub lists %s with the size %s, which is none; nothing was pulled."
              .formatted(path, Text.shown(size.toString())));
    }
    return size.asLong();
  }

  private static @Nullable String licence(JsonNode root) {
    String stated = root.path("cardData").path("license").asString("");
    for (JsonNode tag : root.path("tags")) {
      String text = tag.asString("");
      if (stated.isEmpty() && text.startsWith(LICENCE_TAG)) {
        stated = text.substring(LICENCE_TAG.length());
      }
    }
    return stated.isEmpty() ? null : Text.shown(stated);
  }

  private void require(HubReference model) {
    if (files.isEmpty() || (!pickles.isEmpty() && files.stream().noneMatch(HubFile::isWeights))) {
      throw new ModelException(
          pickles.isEmpty()
              ? "%s has no file that can be taken (safetensors, json, txt, tokenizers)."
                  .formatted(model.repo())
              : "%s has its weights only in formats that can run code when they are read (%s), which are refused; ask for a revision with safetensors."
                  .formatted(model.repo(), String.join(", ", pickles.stream().limit(5).toList())));
    }
    if (files.size() > TAKEN_MAX) {
      throw new ModelException(
          "%s has %d files to take; more than %d are not pulled."
              .formatted(model.repo(), files.size(), TAKEN_MAX));
    }
    Set<String> paths = new HashSet<>();
    for (HubFile file : files) {
      requireBytes(file, file.bytes());
      if (!paths.add(file.path())) {
        throw new ModelException(
            "The hub lists %s twice; nothing was pulled.".formatted(file.path()));
      }
    }
    for (String path : paths) {
      for (int slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) {
        if (paths.contains(path.substring(0, slash))) {
          throw new ModelException(
              "The hub lists %s as a file and as a folder; nothing was pulled."
                  .formatted(path.substring(0, slash)));
        }
      }
    }
  }

  /** Refuses a file that is larger than its kind may be. */
  static void requireBytes(HubFile file, long bytes) {
    long most = file.isWeights() ? WEIGHTS_BYTES_MAX : TEXT_BYTES_MAX;
    if (bytes > most) {
      throw new ModelException(
          "%s has %s; more than %s are not pulled of such a file."
              .formatted(file.path(), Text.bytes(bytes), Text.bytes(most)));
    }
  }

  /** Bytes of all files whose size is listed. */
  public long bytes() {
    return files.stream().mapToLong(file -> Math.max(0, file.bytes())).sum();
  }
}
