#!/usr/bin/env python3
"""Is a tuned MusicGen folder of ours what transformers reads?

    ./descant train musicgen --set base=FOLDER --set steps=2 --set learns=decoder+text --out RUN
    python bench/peers/musicgen_tuned.py RUN/model
    ./descant models parity RUN/model

Loads the folder with transformers, strictly: no tensor may be missing, left over or of another
shape. Writes `parity.safetensors` and `parity.json` beside the weights, with random token ids, a
padded text and transformers' logits, so that `descant models parity` compares ours with them.

Never part of a build. Needs torch, transformers and safetensors.
"""
import argparse
import json
import pathlib

import torch
import transformers
from safetensors.torch import save_file
from transformers import MusicgenForConditionalGeneration

ROWS, TOKENS, FRAMES = 2, 6, 12


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    folder = parser.parse_args().folder
    model, told = MusicgenForConditionalGeneration.from_pretrained(
        folder, output_loading_info=True, torch_dtype=torch.float32)
    for what in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        assert not told[what], (what, told[what])
    model.eval()
    random = torch.Generator().manual_seed(5)
    decoder = model.config.decoder
    ids = torch.randint(3, model.config.text_encoder.vocab_size, (ROWS, TOKENS), generator=random)
    mask = torch.ones_like(ids)
    mask[1, TOKENS // 2:] = 0
    tokens = torch.randint(
        decoder.vocab_size, (ROWS * decoder.num_codebooks, FRAMES), generator=random)
    given = {"input_ids": ids, "attention_mask": mask, "decoder_input_ids": tokens}
    with torch.no_grad():
        logits = model(**given).logits
    save_file(
        {**{f"in.{name}": tensor.contiguous() for name, tensor in given.items()}, "out.logits": logits.contiguous()},
        folder / "parity.safetensors")
    (folder / "parity.json").write_text(
        json.dumps(
            {"family": "musicgen", "transformers": transformers.__version__, "codes": "equal", "relative": 1e-4,
             "settings": {}}, indent=1) + "\n")
    print(f"{folder}: every tensor has its place; logits {tuple(logits.shape)} written for `descant models parity`")


if __name__ == "__main__":
    main()
