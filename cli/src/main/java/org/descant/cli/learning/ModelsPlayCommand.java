package org.descant.cli.learning;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.descant.audio.AudioFile;
import org.descant.audio.Pcm;
import org.descant.cli.platform.Exit;
import org.descant.cli.platform.Output;
import org.descant.cli.platform.Steps;
import org.descant.cli.platform.UsageException;
import org.descant.models.published.TunedModel;
import org.descant.models.published.musicgen.ChromaFeatures;
import org.descant.models.published.musicgen.MusicGen;
import org.descant.models.published.musicgen.MusicGenDecoder;
import org.descant.models.published.text.TextTokens;
import org.descant.models.published.weights.LoraAdapter;
import org.descant.models.published.weights.Projection.Form;
import org.descant.serving.Delivery;
import org.descant.tensor.NativeRuntime;
import org.descant.tensor.NoGrad;
import org.descant.tensor.Scope;
import org.descant.tensor.Tensor;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** Makes a listening example of a published or tuned model: for study, to a local file. */
@Command(
    name = "play",
    description = {
      "Make a listening example of a MusicGen, for study: it is written to a file whose name says"
          + " so, is no clip, credits nobody and pays nobody.",
      "With --adapter, the adapter is merged into the weights as they are loaded."
    })
final class ModelsPlayCommand implements Callable<Integer> {
  private static final double SECONDS_MAX = 30;
  private static final String WAV = ".wav";
  private static final String MARK = ".study";

  @ParentCommand ModelsCommand parent = new ModelsCommand();

  @Parameters(paramLabel = "M", description = "a model's folder, or a name that `models ls` shows")
  String model = "";

  @Option(names = "--adapter", paramLabel = "DIR", description = "a folder as PEFT writes it")
  @Nullable Path adapter;

  @Option(
      names = "--text",
      paramLabel = "TEXT",
      description = "what is asked for; needs a" + " tokenizer.json beside the model")
  String text = "";

  @Option(
      names = "--melody",
      paramLabel = "FILE",
      description =
          "a recording whose melody is followed, by a musicgen_melody; at most its first"
              + " 30 s are heard")
  @Nullable Path melody;

  @Option(names = "--seconds", paramLabel = "S", description = "default: ${DEFAULT-VALUE}")
  double seconds = 5;

  @Option(names = "--guidance", paramLabel = "G", description = "default: the model's own")
  @Nullable Double guidance;

  @Option(names = "--seed", paramLabel = "N", description = "default: ${DEFAULT-VALUE}")
  long seed;

  @Option(names = "--int8", description = "weights in a quarter of the memory, a little rounded")
  boolean int8;

  @Option(
      names = "--out",
      required = true,
      paramLabel = "FILE.wav",
      description = "the file is named FILE.study.wav")
  Path out = Path.of("");

  @Override
  public Integer call() {
    String name = name();
    Path named = Path.of(model);
    Path folder =
        Files.isRegularFile(named.resolve("config.json"))
            ? named
            : Steps.modelFolder(parent.main.homeFolder(), model);
    if (TunedModel.find(folder).filter(t -> t.kind() == TunedModel.Kind.ADAPTER).isPresent()) {
      throw new UsageException(
          folder + " is an adapter; name the model it is for, and it with --adapter.");
    }
    if (!(seconds > 0 && seconds <= SECONDS_MAX)) {
      throw new UsageException(
          "--seconds is more than 0 and at most %.0f, was %s.".formatted(SECONDS_MAX, seconds));
    }
    if (!text.isBlank() && !TextTokens.isIn(folder)) {
      throw new UsageException(
          folder
              + " has no tokenizer.json for --text; pull it with the model, or leave --text out.");
    }
    Output output = parent.main.output();
    output.progress("study only: base has no rights manifest");
    NativeRuntime.init(1);
    int threads = Runtime.getRuntime().availableProcessors();
    Form form = int8 ? Form.INT8 : Form.PACKED;
    try (LoraAdapter merged = adapter == null ? null : LoraAdapter.load(adapter);
        MusicGen loaded = MusicGen.load(folder, form, merged, threads)) {
      Pcm sound = sound(loaded, folder);
      Path file = Delivery.study(sound, parentOf(out), name);
      output.say(
          "%.1f s at %d Hz written to %s, for study only",
          sound.seconds(), sound.sampleRate(), file);
      Map<String, Object> document = new LinkedHashMap<>();
      document.put("file", file.toString());
      document.put("study", true);
      document.put("seconds", sound.seconds());
      document.put("model", TunedModel.Base.of(folder));
      document.put("adapter", adapter == null ? null : adapter.toString());
      document.put("melody", melody == null ? null : melody.toString());
      output.document(document);
      return Exit.DONE;
    }
  }

  private String name() {
    String file = String.valueOf(out.getFileName());
    if (!file.toLowerCase(Locale.ROOT).endsWith(WAV)) {
      throw new UsageException("--out takes a .wav file, was " + out + ".");
    }
    if (!Files.isDirectory(parentOf(out)) || Files.isDirectory(out)) {
      throw new UsageException("Cannot write " + out + "; name a file in a folder that is there.");
    }
    String bare = file.substring(0, file.length() - WAV.length());
    return bare.endsWith(MARK) ? bare.substring(0, bare.length() - MARK.length()) : bare;
  }

  private static Path parentOf(Path file) {
    Path parent = file.toAbsolutePath().getParent();
    return parent == null ? file.toAbsolutePath() : parent;
  }

  private Pcm sound(MusicGen loaded, Path folder) {
    try (NoGrad noGrad = NoGrad.open();
        Scope scope = Scope.open()) {
      MusicGenDecoder.Text told = loaded.nothing(1);
      if (!text.isBlank()) {
        TextTokens.Batch ids = TextTokens.load(folder).batch(List.of(text));
        told = loaded.encode(ids.ids(), ids.mask(), false);
      }
      if (melody != null) {
        ChromaFeatures ear = loaded.ear();
        if (ear == null) {
          throw new UsageException(
              folder + " takes no melody; leave --melody out, or name a musicgen_melody.");
        }
        float[] heard = AudioFile.decode(melody, ear.sampleRate(), 1).channel(0);
        told = loaded.decoder().withMelody(told, ear.of(Tensor.of(heard, 1, heard.length)));
      }
      int frames = Math.max(1, (int) Math.round(seconds * loaded.codec().frameRate()));
      MusicGen.Request request =
          new MusicGen.Request(
              frames + loaded.config().codebooksPerChannel() - 1,
              guidance != null ? guidance : loaded.defaults().guidance(),
              loaded.defaults().sampling(),
              seed,
              false,
              1);
      Tensor codes = loaded.codes(told, null, request);
      NativeRuntime.init(Runtime.getRuntime().availableProcessors());
      Tensor audio = loaded.audio(codes).select(0, 0);
      float[][] channels = new float[(int) audio.size(0)][];
      for (int c = 0; c < channels.length; c++) {
        channels[c] = audio.select(0, c).contiguous().toFloats();
      }
      return new Pcm(channels, loaded.sampleRate());
    }
  }
}
