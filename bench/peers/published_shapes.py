#!/usr/bin/env python3
"""Names and shapes of the published models' tensors, from the reference implementation alone.

    python bench/peers/published_shapes.py models/src/test/resources/published-shapes

Builds each published configuration on torch's meta device, so nothing is downloaded and nothing is
allocated, and writes NAME.json: the configuration as the Hub's config.json states it, and the shape of
every tensor of the file. The tests load files of just these tensors, and count.

Never part of a build. Needs torch and transformers.
"""
import json
import pathlib
import sys

import torch
from transformers import (
    DacConfig, DacModel, EncodecConfig, EncodecModel, MusicgenConfig, MusicgenDecoderConfig,
    MusicgenForConditionalGeneration, T5Config, T5EncoderModel)

ENCODEC_32 = {
    "sampling_rate": 32000, "num_filters": 64, "upsampling_ratios": [8, 5, 4, 4], "target_bandwidths": [2.2],
    "codebook_size": 2048, "codebook_dim": 128, "use_causal_conv": False, "use_conv_shortcut": False}
T5_BASE = {"d_model": 768, "d_kv": 64, "d_ff": 3072, "num_layers": 12, "num_heads": 12, "vocab_size": 32128}
CASES = {
    "encodec-24khz": (EncodecConfig, EncodecModel, {}),
    "encodec-32khz": (EncodecConfig, EncodecModel, ENCODEC_32),
    "encodec-48khz": (EncodecConfig, EncodecModel, {
        "sampling_rate": 48000, "audio_channels": 2, "normalize": True, "chunk_length_s": 1.0, "overlap": 0.01,
        "norm_type": "time_group_norm", "use_causal_conv": False, "target_bandwidths": [3.0, 6.0, 12.0, 24.0]}),
    "dac-44khz": (DacConfig, DacModel, {"sampling_rate": 44100}),
    "dac-24khz": (DacConfig, DacModel, {
        "sampling_rate": 24000, "n_codebooks": 32, "downsampling_ratios": [2, 4, 5, 8]}),
    "dac-16khz": (DacConfig, DacModel, {
        "sampling_rate": 16000, "n_codebooks": 12, "downsampling_ratios": [2, 4, 5, 8]}),
    "t5-base": (T5Config, T5EncoderModel, T5_BASE),
}
# Medium and large are the same with other numbers, which the tests put in.
MUSICGEN = {"small": (1024, 24, 16)}


def shapes(model):
    kept = {}
    for name, tensor in model.state_dict().items():
        # A table that two names share lies in a file once.
        if name == "encoder.embed_tokens.weight" and "shared.weight" in kept:
            continue
        kept[name] = list(tensor.shape)
    return kept


def write(folder, name, config, model):
    document = {"config": json.loads(config.to_json_string(use_diff=False)), "tensors": shapes(model)}
    total = sum(parameter.numel() for parameter in model.parameters())
    (folder / f"{name}.json").write_text(json.dumps(document, separators=(",", ":"), sort_keys=True) + "\n")
    print(f"{name}: {len(document['tensors'])} tensors, {total:,} parameters")


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with torch.device("meta"):
        for name, (config, model, settings) in CASES.items():
            made = config(**settings)
            write(folder, name, made, model(made))
        for name, (width, layers, heads) in MUSICGEN.items():
            decoder = MusicgenDecoderConfig(
                hidden_size=width, ffn_dim=4 * width, num_hidden_layers=layers, num_attention_heads=heads)
            made = MusicgenConfig(
                text_encoder=T5Config(**T5_BASE).to_dict(), audio_encoder=EncodecConfig(**ENCODEC_32).to_dict(),
                decoder=decoder.to_dict())
            model = MusicgenForConditionalGeneration(made)
            write(folder, f"musicgen-{name}", made, model)


if __name__ == "__main__":
    main()
