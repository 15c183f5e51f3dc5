package org.descant.models.hub;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.descant.models.ModelException;
import org.descant.storage.BlobId;
import org.descant.storage.LocalBlobStore;
import org.descant.storage.WriteAside;
import org.jspecify.annotations.Nullable;

/**
 * Brings one file into the blob store. Its bytes grow in a {@code .part} file, which a later try,
 * or a later process, goes on with; nobody else may use the part meanwhile.
 *
 * <p>A try that is cut keeps what came. The next one asks for the rest by {@code Range}, and by
 * {@code If-Range} only of the same entity; an answer that is of another entity, or the whole file,
 * starts again. When all bytes are there they are hashed; if they are not what the hub listed, a
 * file that came in several answers is fetched once more from its beginning (it may be of two
 * versions), and then the pull ends: what does not have the listed hash is never kept.
 *
 * <p>Size and hash come from the listing, or from the hub's own headers ({@code X-Linked-Size},
 * {@code X-Linked-ETag}, {@code ETag}); where both speak they must agree.
 */
final class Download {
  private static final int BUFFER_BYTES = 1 << 18;
  private static final Pattern RANGE =
      Pattern.compile("bytes (\\d{1,18})-(\\d{1,18})/(\\d{1,18}|\\*)");

  private final HubClient client;
  private final HubReference model;
  private final String commit;
  private final HubFile file;
  private final Path part;
  private final Path partEntity;
  private final Consumer<String> waiting;
  private final Progress progress;

  private long bytes;
  private @Nullable ContentHash hash;
  private long fetched;

  /** Hears bytes arrive. */
  @FunctionalInterface
  interface Progress {
    /**
     * @param at bytes of the file that are here now
     */
    void at(long at);
  }

  Download(
      HubClient client,
      HubReference model,
      String commit,
      HubFile file,
      Path part,
      Consumer<String> waiting,
      Progress progress) {
    this.client = client;
    this.model = model;
    this.commit = commit;
    this.file = file;
    this.part = part;
    this.partEntity = part.resolveSibling(part.getFileName() + ".etag");
    this.waiting = waiting;
    this.progress = progress;
    this.bytes = file.bytes();
    this.hash = file.hash();
  }

  /**
   * What has come.
   *
   * @param fetched bytes over the wire, those of vain tries too
   */
  record Result(BlobId blob, long bytes, @Nullable ContentHash hash, long fetched) {}

  /**
   * Fetches until the file is whole and right.
   *
   * @throws ModelException when it cannot be had, or is not what was listed
   */
  Result run(LocalBlobStore blobs) {
    Patience patience =
        new Patience(
            client.timings(),
            file.path(),
            "run the same command again, it goes on where it was",
            waiting);
    boolean pieced = had() > 0;
    boolean fresh = false;
    while (true) {
      long before = had();
      if (bytes >= 0 && before > bytes) {
        discard();
        before = 0;
      }
      if (bytes != before || hash == null) {
        try {
          attempt(before);
        } catch (TryAgainException e) {
          patience.after(e, had() > before);
          pieced |= had() > 0;
          continue;
        }
      }
      BlobId blob = adopted(blobs);
      if (blob != null) {
        deleteIfExists(partEntity);
        return new Result(blob, bytes, hash, fetched);
      }
      discard();
      if (!pieced || fresh) {
        throw new ModelException(
            "%s does not have the content that the hub lists (%s); nothing of it was kept. The hub, or something on the way, damages it."
                .formatted(file.path(), hash));
      }
      waiting.accept(file.path() + ": the pieces do not fit together; fetching it from the start");
      pieced = false;
      fresh = true;
    }
  }

  /** One answer's worth of bytes; returns when the file has as many as it must have. */
  private void attempt(long offset) throws TryAgainException {
    Map<String, String> headers = new LinkedHashMap<>();
    if (offset > 0) {
      headers.put("Range", "bytes=" + offset + "-");
      String entity = entity();
      if (entity != null) {
        headers.put("If-Range", entity);
      }
    }
    HubHttp.Answer answer =
        client.http().get(client.endpoint().file(model, commit, file.path()), headers);
    try (answer) {
      learn(answer);
      long at = begin(answer, offset);
      Body body = answer.body();
      body.watch(
          client.timings().window(), Math.clamp(bytes - at, 1, client.timings().windowBytesMin()));
      try (FileChannel out =
          FileChannel.open(part, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
        out.truncate(at).position(at);
        at = copy(body, out, at);
      } catch (IOException e) {
        throw WriteAside.refusal("write", part, e);
      }
      if (bytes < 0 && answer.headers().firstValue("Transfer-Encoding").isPresent()) {
        bytes = at; // chunks have a last one, so a cut would have been noticed
      }
      if (bytes < 0) {
        discard();
        throw new ModelException(
            "The hub does not say how long %s is, so a cut could not be noticed; nothing was pulled."
                .formatted(file.path()));
      }
      if (at < bytes) {
        throw new TryAgainException(
            "the connection was cut after %s of %s".formatted(Text.bytes(at), Text.bytes(bytes)));
      }
    }
  }

  private long copy(Body body, FileChannel out, long from) throws TryAgainException, IOException {
    long most = bytes >= 0 ? bytes : Long.MAX_VALUE;
    long at = from;
    byte[] buffer = new byte[BUFFER_BYTES];
    for (int count = body.read(buffer); count >= 0; count = body.read(buffer)) {
      fetched += count;
      if (count > most - at) {
        discard();
        throw new ModelException(
            "%s is longer than the %d bytes that the hub lists; nothing of it was kept."
                .formatted(file.path(), bytes));
      }
      ByteBuffer full = ByteBuffer.wrap(buffer, 0, count);
      while (full.hasRemaining()) {
        at += out.write(full);
      }
      HubListing.requireBytes(file, at);
      progress.at(at);
    }
    return at;
  }

  /** Takes size and hash from the hub's headers, or compares them with what it listed. */
  private void learn(HubHttp.Answer answer) {
    if (answer.status() != 200 && answer.status() != 206) {
      return;
    }
    answer
        .hub("x-repo-commit")
        .filter(other -> !other.equals(commit))
        .ifPresent(other -> {
          throw new ModelException(
              "The hub serves %s of the commit %s where %s was asked for; pull again."
                  .formatted(file.path(), Text.shown(other), commit));
        });
    long linked = number(answer.hub("x-linked-size").orElse(""));
    if (linked >= 0) {
      requireSame(linked);
    }
    String tag = answer.hub("x-linked-etag").or(() -> answer.hub("etag")).orElse("");
    ContentHash tagged = ContentHash.ofHex(tag.replaceFirst("^W/", "").replace("\"", ""));
    ContentHash listed = hash;
    if (tagged == null) {
      return;
    }
    if (listed == null) {
      hash = tagged;
    } else if (listed.kind() == tagged.kind() && !listed.equals(tagged)) {
      discard();
      throw new ModelException(
          "The hub lists %s with the hash %s and serves it with %s; pull again, it may just be changing."
              .formatted(file.path(), listed, tagged));
    }
  }

  private void requireSame(long said) {
    if (bytes >= 0 && said != bytes) {
      discard();
      throw new ModelException(
          "The hub lists %s with %d bytes and serves %d; nothing of it was kept."
              .formatted(file.path(), bytes, said));
    }
    bytes = said;
    HubListing.requireBytes(file, said);
  }

  /**
   * Reads status and headers of an answer.
   *
   * @return where in the file its first byte belongs
   */
  private long begin(HubHttp.Answer answer, long offset) throws TryAgainException {
    String coding = answer.headers().firstValue("Content-Encoding").orElse("identity");
    if (!coding.equalsIgnoreCase("identity")) {
      throw new ModelException(
          "%s sends %s compressed (%s) though it was asked not to; nothing was pulled."
              .formatted(answer.host(), file.path(), Text.shown(coding)));
    }
    String entity = answer.headers().firstValue("ETag").orElse(null);
    switch (answer.status()) {
      case 200 -> {
        long length = number(answer.headers().firstValue("Content-Length").orElse(""));
        if (length >= 0) {
          requireSame(length);
        }
        keepEntity(entity);
        return 0;
      }
      case 206 -> {
        Matcher range = RANGE.matcher(answer.headers().firstValue("Content-Range").orElse(""));
        boolean fits =
            range.matches()
                && Long.parseLong(range.group(1)) == offset
                && (bytes < 0
                    || range.group(3).equals("*")
                    || Long.parseLong(range.group(3)) == bytes);
        String known = entity();
        if (!fits || offset == 0 || (known != null && entity != null && !known.equals(entity))) {
          discard();
          throw new TryAgainException("it changed, or another part of it was sent");
        }
        if (!range.group(3).equals("*")) {
          requireSame(Long.parseLong(range.group(3)));
        }
        return offset;
      }
      case 416 -> {
        discard();
        throw new TryAgainException("it is shorter than what was here already");
      }
      default -> throw client.http().refusal(answer, model, file.path());
    }
  }

  /** Checks the part's hash and hands it to the store; null when it has another. */
  private @Nullable BlobId adopted(LocalBlobStore blobs) {
    ContentHash expected = hash;
    if (expected == null) {
      discard();
      throw new ModelException(
          "The hub does not say which hash %s has, so it cannot be checked; nothing was pulled."
              .formatted(file.path()));
    }
    try {
      if (!Files.exists(part)) {
        Files.createFile(part); // an empty file needs no answer
      }
      String sha256 = expected.hex();
      if (expected.kind() == ContentHash.Kind.GIT_BLOB) {
        if (!expected.of(part).equals(expected)) {
          return null;
        }
        sha256 = ContentHash.of(ContentHash.Kind.SHA256, part).hex();
      }
      BlobId blob = BlobId.ofSha256(sha256);
      return blobs.adopt(part, blob) ? blob : null;
    } catch (IOException e) {
      throw WriteAside.refusal("read", part, e);
    }
  }

  private static long number(String text) {
    return !text.isEmpty()
            && text.length() <= 18
            && text.chars().allMatch(c -> c >= '0' && c <= '9')
        ? Long.parseLong(text)
        : -1;
  }

  private long had() {
    try {
      return Files.exists(part) ? Files.size(part) : 0;
    } catch (IOException e) {
      throw WriteAside.refusal("read", part, e);
    }
  }

  /** The entity tag of what is in the part; null when the server gave none that is strong. */
  private @Nullable String entity() {
    try {
      return Files.exists(partEntity) ? Files.readString(partEntity) : null;
    } catch (IOException e) {
      throw WriteAside.refusal("read", partEntity, e);
    }
  }

  private void keepEntity(@Nullable String entity) {
    if (entity != null && entity.startsWith("\"") && entity.chars().allMatch(c -> c > 32)) {
      WriteAside.write(partEntity, entity);
    } else {
      deleteIfExists(partEntity);
    }
  }

  private void discard() {
    deleteIfExists(part);
    deleteIfExists(partEntity);
  }

  private static void deleteIfExists(Path path) {
    try {
      Files.deleteIfExists(path);
    } catch (IOException e) {
      throw WriteAside.refusal("delete", path, e);
    }
  }
}
