package org.descant.cli.playing;

import java.time.Instant;
import java.util.concurrent.Callable;
import org.descant.cli.platform.Exit;
import org.descant.cli.platform.Invocation;
import org.descant.cli.platform.Output;
import org.descant.cli.platform.Platform;
import org.descant.serving.RefusedException;
import org.descant.serving.web.Api;
import org.descant.serving.web.WebServer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;

/** Serves the pages and the API on this machine. */
@Command(name = "serve", description = "Serve the pages and the API at 127.0.0.1.")
public final class ServeCommand implements Callable<Integer> {
  @ParentCommand Invocation main = new Invocation();

  @Option(
      names = "--port",
      paramLabel = "N",
      defaultValue = "8080",
      description = "0: any free one")
  int port;

  @Option(names = "--model", paramLabel = "M", defaultValue = GenerateCommand.DEFAULT_MODEL)
  String model = GenerateCommand.DEFAULT_MODEL;

  @Override
  public Integer call() throws InterruptedException {
    try (Platform platform = Platform.open(main.homeFolder());
        Platform.Player player = platform.player(model)) {
      serve(player, port, main.output());
      return Exit.DONE;
    } catch (RefusedException refused) {
      return GenerateCommand.refused(main.output(), refused);
    }
  }

  /** Serves until the process is told to end. */
  public static void serve(Platform.Player player, int port, Output out)
      throws InterruptedException {
    player.delivery().recover(Instant.now());
    try (Api api = new Api(player.house(), player.delivery());
        WebServer server = WebServer.start(api, port)) {
      out.progress("Listening at http://127.0.0.1:" + server.port() + "/ (Ctrl-C ends it)");
      server.join();
    }
  }
}
