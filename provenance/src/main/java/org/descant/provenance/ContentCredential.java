package org.descant.provenance;

import static java.nio.file.StandardCopyOption.ATOMIC_MOVE;
import static java.nio.file.StandardOpenOption.CREATE_NEW;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.cert.X509Certificate;
import java.util.List;
import org.descant.provenance.Carrier.Layout;
import org.descant.provenance.Carrier.Span;

/**
 * Content credentials (C2PA 2.x) inside WAV and FLAC files. Instances are immutable and
 * thread-safe.
 *
 * <pre>
 *   var credential = new ContentCredential(SigningKey.loadOrCreate(home));
 *   credential.signWav(plain, signed, facts);
 *   ContentCredential.verify(signed, key.root()).holds();   // true
 * </pre>
 *
 * <p>Equal audio, facts and key give equal bytes. The audio itself is not touched.
 */
public final class ContentCredential {
  private static final int COPY_BYTES = 1 << 16;

  /** The size grows with the width of one number, so it settles within a few rounds. */
  private static final int SIZE_ROUNDS_MAX = 8;

  private final SigningKey key;

  public ContentCredential(SigningKey key) {
    this.key = key;
  }

  /**
   * Writes {@code in} with a credential to {@code out}; {@code in} is only read. A credential that
   * {@code in} has already is replaced.
   *
   * @throws ProvenanceException if it is not a whole WAV file, or {@code out} cannot be written
   */
  public void signWav(Path in, Path out, CredentialFacts facts) {
    sign(in, out, facts, Carrier::wav);
  }

  /**
   * As {@link #signWav} for FLAC. An ID3 tag in front is replaced; FLAC's own tags stay.
   *
   * @throws ProvenanceException if it is not a FLAC file, or {@code out} cannot be written
   */
  public void signFlac(Path in, Path out, CredentialFacts facts) {
    sign(in, out, facts, Carrier::flac);
  }

  /**
   * Checks the credential of any file. Never throws for what a file holds.
   *
   * @param trusted certificates that a signer's chain may end at; with none, the best answer is
   *     VALID
   * @throws ProvenanceException if the file is missing, a folder, or cannot be read
   */
  public static CredentialReport verify(Path file, X509Certificate... trusted) {
    if (!Files.isRegularFile(file)) {
      throw new ProvenanceException("%s is not a file: name an audio file.".formatted(file));
    }
    try (FileChannel channel = FileChannel.open(file, READ)) {
      return new CredentialCheck(channel, List.of(trusted)).report();
    } catch (IOException e) {
      throw new ProvenanceException(
          "%s cannot be read (%s): check its permissions.".formatted(file, e.getMessage()), e);
    }
  }

  @FunctionalInterface
  private interface Planner {
    Layout plan(FileChannel source, int manifestLength) throws IOException, Malformed;
  }

  private void sign(Path in, Path out, CredentialFacts facts, Planner planner) {
    Path aside = SafeFiles.aside(out);
    try (FileChannel source = FileChannel.open(in, READ)) {
      int length = manifestLength(source, facts, planner);
      Layout layout = planner.plan(source, length);
      byte[] manifest = manifest(layout, facts, length, hash(source, layout));
      if (manifest.length != length) {
        throw new IllegalStateException(
            "manifest has %d bytes, planned %d".formatted(manifest.length, length));
      }
      Files.deleteIfExists(aside);
      try (FileChannel target = FileChannel.open(aside, CREATE_NEW, WRITE)) {
        copy(source, layout, manifest, bytes -> writeAll(target, bytes));
        target.force(true);
      }
      Files.move(aside, out, ATOMIC_MOVE);
      SafeFiles.forceFolder(out);
    } catch (Malformed e) {
      throw new ProvenanceException(
          "%s cannot carry a credential: %s.".formatted(in, e.getMessage()), e);
    } catch (IOException e) {
      throw new ProvenanceException(
          "The signed file %s could not be written (%s): check the folder and the free space."
              .formatted(out, e),
          e);
    } finally {
      deleteQuietly(aside);
    }
  }

  private int manifestLength(FileChannel source, CredentialFacts facts, Planner planner)
      throws IOException, Malformed {
    int length = 0;
    for (int round = 0; round < SIZE_ROUNDS_MAX; round++) {
      Layout layout = planner.plan(source, length);
      int next = manifest(layout, facts, length, new byte[32]).length;
      if (next == length) {
        return length;
      }
      length = next;
    }
    throw new IllegalStateException("manifest size does not settle at " + length);
  }

  private byte[] manifest(Layout layout, CredentialFacts facts, int length, byte[] audioHash) {
    return Manifest.store(
        facts, key, audioHash, layout.exclusionStart(), layout.exclusionLength(length));
  }

  /** SHA-256 of the file to be written, without what the credential leaves out. */
  private static byte[] hash(FileChannel source, Layout layout) throws IOException, Malformed {
    MessageDigest digest = Hashes.newSha256();
    digest.update(layout.head());
    if (layout.manifestFirst()) {
      digest.update(layout.before());
      digest.update(layout.after());
    }
    for (Span span : layout.spans()) {
      copy(source, span, digest::update);
    }
    if (!layout.manifestFirst()) {
      digest.update(layout.after());
    }
    return digest.digest();
  }

  @FunctionalInterface
  private interface Sink {
    void accept(ByteBuffer bytes) throws IOException;
  }

  private static void copy(FileChannel source, Layout layout, byte[] manifest, Sink sink)
      throws IOException, Malformed {
    sink.accept(ByteBuffer.wrap(layout.head()));
    if (!layout.manifestFirst()) {
      for (Span span : layout.spans()) {
        copy(source, span, sink);
      }
    }
    sink.accept(ByteBuffer.wrap(layout.before()));
    sink.accept(ByteBuffer.wrap(manifest));
    sink.accept(ByteBuffer.wrap(layout.after()));
    if (layout.manifestFirst()) {
      for (Span span : layout.spans()) {
        copy(source, span, sink);
      }
    }
  }

  private static void copy(FileChannel source, Span span, Sink sink) throws IOException, Malformed {
    ByteBuffer buffer = ByteBuffer.allocate(COPY_BYTES);
    for (long at = span.from(), end = at + span.length(); at < end; at += buffer.limit()) {
      buffer.clear().limit((int) Math.min(COPY_BYTES, end - at));
      int count = source.read(buffer, at);
      if (count < 0) {
        throw new Malformed("the file became shorter while it was read");
      }
      sink.accept(buffer.flip());
    }
  }

  private static void writeAll(FileChannel target, ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      target.write(bytes);
    }
  }

  private static void deleteQuietly(Path file) {
    try {
      Files.deleteIfExists(file);
    } catch (IOException _) {
      // The write has failed already; the rest of the aside file is not worth a second error.
    }
  }
}
