package org.descant.models.published;

import java.util.HashMap;
import java.util.Map;
import org.descant.models.ModelException;
import org.descant.models.published.musicgen.ChromaFeatures;
import org.descant.models.published.musicgen.MusicGen;
import org.descant.models.published.musicgen.MusicGenDecoder.Text;
import org.descant.models.published.weights.Projection.Form;
import org.descant.models.published.weights.PublishedWeights;
import org.descant.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The MusicGen family of {@link Parity}: {@code logits}, and for each guidance scale s the greedy
 * {@code greedy_codes@s} (in stereo {@code .l} and {@code .r}) and {@code greedy_audio@s} of {@code
 * settings.new} new tokens. A model that a melody leads may be given {@code in.input_features}
 * [batch, frames, pitch classes], or {@code in.melody} [batch, samples], which it hears as {@code
 * input_features}.
 */
public final class MusicGenFixture {
  private MusicGenFixture() {}

  static Map<String, Tensor> run(PublishedWeights weights, Parity.Fixture fixture) {
    Map<String, Tensor> results = new HashMap<>();
    try (MusicGen model = MusicGen.load(weights, Form.PACKED, null)) {
      Tensor ids = fixture.input("input_ids");
      Tensor mask = fixture.hasInput("attention_mask") ? fixture.input("attention_mask") : null;
      Text told = model.encode(ids, mask, false);
      @Nullable Tensor chroma = chroma(model, fixture);
      if (chroma != null) {
        told = model.decoder().withMelody(told, chroma);
      }
      Text all = told;
      Map<String, MusicGen.Generated> runs = new HashMap<>();
      for (String output : fixture.outputs()) {
        if (output.equals("logits")) {
          results.put(output, model.logits(all, fixture.input("decoder_input_ids")));
          continue;
        }
        if (output.equals("input_features") && chroma != null) {
          results.put(output, chroma);
          continue;
        }
        String[] parts = output.split("@", 2);
        if (parts.length < 2) {
          throw fixture.unknown(output);
        }
        String scale = parts[1].replaceFirst("\\.[lr]$", "");
        MusicGen.Generated run =
            runs.computeIfAbsent(
                scale,
                text ->
                    model.generate(
                        all,
                        MusicGen.Request.greedy(
                            fixture.settings().child("settings").whole("new", 20, 1),
                            guidance(fixture, output, text))));
        @Nullable Tensor result =
            switch (parts[0]) {
              case "greedy_audio" -> run.audio();
              case "greedy_codes" -> codes(run.codes(), parts[1].substring(scale.length()));
              default -> null;
            };
        if (result == null) {
          throw fixture.unknown(output);
        }
        results.put(output, result);
      }
    }
    return results;
  }

  /** The melody that goes in, as pitch classes or as a recording to be heard. */
  private static @Nullable Tensor chroma(MusicGen model, Parity.Fixture fixture) {
    if (fixture.hasInput("input_features")) {
      return fixture.input("input_features");
    }
    if (!fixture.hasInput("melody")) {
      return null;
    }
    ChromaFeatures ear = model.ear();
    if (ear == null) {
      throw new ModelException("The fixture has in.melody, and its model takes none.");
    }
    return ear.of(fixture.input("melody"));
  }

  /**
   * Codes as the codec is given them, [1, batch, codebooks, frames]; a channel where one is named.
   */
  private static Tensor codes(Tensor codes, String channel) {
    Tensor chosen =
        switch (channel) {
          case ".l" -> codes.slice(1, 0, codes.size(1), 2);
          case ".r" -> codes.slice(1, 1, codes.size(1), 2);
          default -> codes;
        };
    return chosen.unsqueeze(0);
  }

  private static double guidance(Parity.Fixture fixture, String output, String text) {
    try {
      return Double.parseDouble(text);
    } catch (NumberFormatException e) {
      throw fixture.unknown(output);
    }
  }
}
