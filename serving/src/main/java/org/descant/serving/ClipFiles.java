package org.descant.serving;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import org.descant.audio.AudioWriter;
import org.descant.audio.Pcm;
import org.descant.provenance.ContentCredential;
import org.descant.provenance.CredentialFacts;
import org.descant.provenance.SigningKey;

/**
 * The folder of finished clips. A clip's files are written and signed aside; they get their names
 * when the clip is paid for. Clips do not get in each other's way; one clip belongs to one thread.
 */
final class ClipFiles {
  static final List<String> ENDINGS = List.of("wav", "flac");

  private final Path folder;
  private final ContentCredential credential;

  ClipFiles(Path folder, SigningKey key) {
    try {
      Files.createDirectories(folder);
    } catch (IOException e) {
      throw new ServingException(
          "The folder " + folder + " for clips cannot be made; see that its place is writable.", e);
    }
    this.folder = folder;
    this.credential = new ContentCredential(key);
  }

  Path file(String clipId, String ending) {
    return folder.resolve(clipId + "." + ending);
  }

  private Path aside(String clipId, String ending) {
    return folder.resolve(clipId + "." + ending + ".tmp");
  }

  /** Lower-case hex SHA-256 of the signed files, which lie aside. */
  record Hashes(String wav, String flac) {}

  /** Writes and signs both files, aside. */
  Hashes sign(Pcm audio, CredentialFacts facts) {
    String id = facts.clipId();
    Path plain = folder.resolve(id + ".plain.tmp");
    try {
      AudioWriter.wav16(audio, plain);
      credential.signWav(plain, aside(id, "wav"), facts);
      AudioWriter.flac(audio, plain);
      credential.signFlac(plain, aside(id, "flac"), facts);
      Files.delete(plain);
      return new Hashes(sha256(aside(id, "wav")), sha256(aside(id, "flac")));
    } catch (IOException e) {
      throw unwritable(id, e);
    }
  }

  /** Gives the signed files their names; does nothing for those that have them already. */
  void publish(String clipId) {
    try {
      for (String ending : ENDINGS) {
        if (Files.exists(aside(clipId, ending))) {
          Files.move(aside(clipId, ending), file(clipId, ending), StandardCopyOption.ATOMIC_MOVE);
        }
      }
      try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
        channel.force(true); // the names themselves
      }
    } catch (IOException e) {
      throw unwritable(clipId, e);
    }
  }

  /** Removes everything of a clip, finished or not. */
  void remove(String clipId) {
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, "*" + clipId + ".*")) {
      for (Path file : files) {
        Files.deleteIfExists(file);
      }
    } catch (IOException e) {
      throw new ServingException(
          "The files of the unfinished clip " + clipId + " in " + folder + " cannot be removed.",
          e);
    }
  }

  private ServingException unwritable(String clipId, IOException e) {
    return new ServingException(
        "The clip %s cannot be written to %s (%s); see whether the disk is full."
            .formatted(clipId, folder, e.getMessage()),
        e);
  }

  static String sha256(Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file);
        DigestInputStream digest =
            new DigestInputStream(in, MessageDigest.getInstance("SHA-256"))) {
      digest.transferTo(OutputStream.nullOutputStream());
      return HexFormat.of().formatHex(digest.getMessageDigest().digest());
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }
}
