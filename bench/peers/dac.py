#!/usr/bin/env python3
"""Whether transformers' DacModel reads a codec that `bench/run CodecPeerBench --out FOLDER` trained, and agrees.

    python bench/peers/dac.py FOLDER/model OUT

Writes OUT as a parity fixture (the model, a seeded sound, and what DacModel makes of it), which
`descant models parity OUT` compares with our own loader. Never part of a build. Needs torch, transformers, safetensors.
"""
import json
import math
import pathlib
import shutil
import sys

import torch
import transformers
from safetensors.torch import save_file
from transformers import DacModel

SEED = 1
FRAMES = 64


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, out = map(pathlib.Path, sys.argv[1:])
    model, info = DacModel.from_pretrained(source, output_loading_info=True)
    wrong = {key: names for key, names in info.items() if names}
    if wrong:
        sys.exit(f"DacModel does not take {source} as it is: {wrong}")
    model.eval()
    torch.manual_seed(SEED)
    samples = FRAMES * model.config.hop_length
    time = torch.arange(samples) / model.config.sampling_rate
    audio = sum(0.1 * torch.sin(2 * math.pi * hz * time) for hz in (110, 277, 659, 2093))
    audio = (audio + 0.02 * torch.randn(samples)).reshape(1, 1, -1)
    with torch.no_grad():
        encoded = model.encode(audio)
        decoded = model.decode(audio_codes=encoded.audio_codes).audio_values
    out.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "model.safetensors"):
        shutil.copy(source / name, out / name)
    save_file(
        {"in.audio": audio, "out.codes": encoded.audio_codes, "out.latent": encoded.quantized_representation,
         f"out.audio_from_codes@{model.config.n_codebooks}": decoded},
        out / "parity.safetensors")
    (out / "parity.json").write_text(json.dumps(
        {"family": "dac", "transformers": transformers.__version__, "codes": "equal", "relative": 1e-4}, indent=1) + "\n")
    print(f"{samples} samples, {encoded.audio_codes.shape[1]} codebooks, "
          f"{len(encoded.audio_codes[0, 0].unique())} different codes in the first")


if __name__ == "__main__":
    main()
