package org.descant.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.descant.audio.AudioException;
import org.descant.audio.AudioFile;
import org.descant.provenance.ContentCredential;
import org.descant.provenance.CredentialReport;
import org.descant.rights.Recording;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** Where does this file come from? */
@Command(
    name = "verify",
    description = "Where a file comes from: its credential, its clip, or a recording it is.")
final class VerifyCommand implements Callable<Integer> {
  @ParentCommand Main main = new Main();

  @Parameters(paramLabel = "FILE")
  Path file = Path.of("");

  @Override
  public Integer call() {
    if (!Files.isRegularFile(file)) {
      throw new UsageException("There is no file " + file + "; name an audio file.");
    }
    Output out = main.output();
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
