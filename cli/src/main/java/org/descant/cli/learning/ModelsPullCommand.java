package org.descant.cli.learning;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import org.descant.cli.platform.Exit;
import org.descant.cli.platform.Output;
import org.descant.cli.platform.UsageException;
import org.descant.models.hub.HubClient;
import org.descant.models.hub.HubEndpoint;
import org.descant.models.hub.HubReference;
import org.descant.models.hub.HubTimings;
import org.descant.models.hub.ModelPull;
import org.descant.models.hub.PullListener;
import org.descant.models.hub.PullProgress;
import org.descant.models.hub.PulledModel;
import org.descant.models.hub.PulledModels;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** Fetches a published model for study. */
@Command(
    name = "pull",
    description = {
      "Fetch a published model for study: safetensors, configuration and tokenizer, checked by"
          + " hash.",
      "HF_ENDPOINT names the hub, HF_TOKEN the access token for models that need one."
    })
final class ModelsPullCommand implements Callable<Integer> {
  @ParentCommand ModelsCommand parent = new ModelsCommand();

  @Parameters(paramLabel = "REF", description = "hf:<org>/<name>, or with @<revision>")
  String reference = "";

  @Option(names = "--endpoint", paramLabel = "URL", description = "the hub, before HF_ENDPOINT")
  @Nullable String endpoint;

  @Override
  public Integer call() {
    Output out = parent.main.output();
    HubReference model = HubReference.parse(reference);
    PulledModels shelf = PulledModels.in(parent.main.homeFolder().resolve("models"));
    ModelPull.Result result;
    try (HubClient client = new HubClient(hub(), System.getenv("HF_TOKEN"), HubTimings.usual())) {
      result = new ModelPull(client, shelf, listener(out)).pull(model);
    }
    PulledModel pulled = result.model();
    result
        .refused()
        .forEach(path -> out.say("  refused %s: such a file can run code when it is read", path));
    result.left().forEach(path -> out.say("  left %s", path));
    out.say(
        "%s@%s is the commit %s: %d files, %.1f MB, of which %.1f MB came over the wire",
        pulled.name(),
        pulled.revision(),
        pulled.commit(),
        pulled.files().size(),
        pulled.bytes() / 1e6,
        result.bytesFetched() / 1e6);
    out.say("in %s; for study only, it has no rights manifest", result.folder());
    out.document(document(result));
    return Exit.DONE;
  }

  private HubEndpoint hub() {
    String address = endpoint != null ? endpoint : System.getenv("HF_ENDPOINT");
    if (address == null || address.isBlank()) {
      throw new UsageException(
          "Say which hub to pull from: set HF_ENDPOINT (or --endpoint) to its https address; this"
              + " program names none by itself.");
    }
    return HubEndpoint.parse(address);
  }

  private static PullListener listener(Output out) {
    return new PullListener() {
      @Override
      public void waiting(String sentence) {
        out.progress("  " + sentence);
      }

      @Override
      public void file(String path, long bytes, long bytesFetched) {
        out.progress(
            "  %s %s (%d bytes)".formatted(bytesFetched > 0 ? "have" : "had", path, bytes));
      }

      @Override
      public void progress(PullProgress progress) {
        out.progress(progress.line());
      }
    };
  }

  private static Map<String, Object> document(ModelPull.Result result) {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("folder", result.folder().toString());
    document.put("bytesFetched", result.bytesFetched());
    document.put("pulled", result.model());
    document.put("left", result.left());
    return document;
  }
}
