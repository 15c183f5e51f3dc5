package org.descant.cli.playing;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.descant.audio.AudioException;
import org.descant.audio.AudioFile;
import org.descant.cli.platform.Exit;
import org.descant.cli.platform.Invocation;
import org.descant.cli.platform.Output;
import org.descant.cli.platform.Platform;
import org.descant.cli.platform.UsageException;
import org.descant.provenance.ContentCredential;
import org.descant.provenance.CredentialReport;
import org.descant.provenance.LogKey;
import org.descant.provenance.ProvenanceException;
import org.descant.provenance.proof.RecordingProof;
import org.descant.provenance.proof.RecordingProof.Verified;
import org.descant.rights.Recording;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** Where does this file come from, or does this proof hold? */
@Command(
    name = "verify",
    description = {
      "Where a file comes from: its credential, its clip, or a recording it is.",
      "Or whether a proof that `descant prove` wrote holds; that needs nothing but the file."
    })
public final class VerifyCommand implements Callable<Integer> {
  @ParentCommand Invocation main = new Invocation();

  @Parameters(paramLabel = "FILE")
  Path file = Path.of("");

  @Option(
      names = "--log-key",
      paramLabel = "FILE",
      description = "For a proof: the log's key, name+id+key, as its house publishes it.")
  @Nullable Path logKey;

  @Override
  public Integer call() throws IOException {
    if (!Files.isRegularFile(file)) {
      throw new UsageException("There is no file " + file + "; name an audio file or a proof.");
    }
    Output out = main.output();
    if (logKey != null || RecordingProof.looksLikeOne(file)) {
      return proof(out);
    }
    try (Platform platform = Platform.open(main.homeFolder())) {
      CredentialReport report = ContentCredential.verify(file, platform.signingKey().root());
      Map<String, Object> document = new LinkedHashMap<>();
      document.put("file", file.toString());
      document.put("state", report.state().name());
      document.put("answer", report.sentence());
      document.put("problems", report.problems());
      document.put("credential", report.credential());
      out.say("%s: %s", file, report.sentence());
      report.problems().forEach(problem -> out.say("  %s", problem));
      CredentialReport.Credential credential = report.credential();
      if (credential != null) {
        out.say("  signed by %s with %s", credential.signer(), credential.generator());
        credential.ingredients().forEach(i -> out.say("  from %s %s", i.title(), i.description()));
        String clip = credential.clipId();
        boolean known = clip != null && platform.lineage().find(clip).isPresent();
        document.put("clip", clip);
        document.put("clipIsOfThisHome", known);
        if (clip != null && known) {
          out.say("  clip %s is recorded here; `descant trace %s` shows its thread", clip, clip);
        }
      }
      int status = report.state() == CredentialReport.State.INVALID ? Exit.REFUSED : Exit.DONE;
      try {
        document.put("recordings", recordings(platform, out, AudioFile.decode(file).hash()));
      } catch (AudioException unreadable) {
        if (credential == null) {
          throw unreadable;
        }
        out.say("  its sound cannot be read: %s", String.valueOf(unreadable.getMessage()));
        document.put("unreadable", unreadable.getMessage());
        status = Exit.REFUSED;
      }
      out.document(document);
      return status;
    }
  }

  private int proof(Output out) throws IOException {
    if (logKey != null && !Files.isRegularFile(logKey)) {
      throw new UsageException("There is no file " + logKey + "; name one with the log's key.");
    }
    String asked =
        logKey == null
            ? null
            : LogKey.parse(Files.readString(logKey, StandardCharsets.ISO_8859_1)).toString();
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("file", file.toString());
    try {
      RecordingProof proof = RecordingProof.read(file);
      Verified verified = proof.verify(asked);
      out.say("%s holds.", file);
      ProveCommand.print(out, verified);
      out.say(
          logKey == null
              ? "  signed by the log %s: compare this with the key that the house publishes"
              : "  signed by the log %s, as asked",
          verified.logKey());
      document.put("holds", true);
      document.put("recording", verified.recording().value());
      document.put("answer", verified.answer().name());
      document.put("sentence", verified.sentence());
      document.put("notes", verified.notes());
      document.put("reveals", verified.reveals());
      document.put("model", verified.model());
      document.put("dataset", verified.dataset());
      document.put("logKey", verified.logKey());
      document.put("logKeyAsked", logKey != null);
      document.put("logSize", verified.head().size());
      out.document(document);
      return Exit.DONE;
    } catch (ProvenanceException e) {
      String sentence = String.valueOf(e.getMessage());
      out.say("%s does not hold: %s", file, sentence);
      document.put("holds", false);
      document.put("sentence", sentence);
      out.document(document);
      return Exit.REFUSED;
    }
  }

  private static List<String> recordings(Platform platform, Output out, String hash) {
    List<String> found =
        platform.rights().recordingsOfSound(hash).stream()
            .map(Recording::isrc)
            .map(Object::toString)
            .toList();
    found.forEach(isrc -> out.say("  it is the recording %s of the catalogue, bit for bit", isrc));
    return found;
  }
}
