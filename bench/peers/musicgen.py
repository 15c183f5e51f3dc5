#!/usr/bin/env python3
"""Small golden fixtures of MusicGen, made with the reference implementation.

    python bench/peers/musicgen.py OUT [CASE...]

A fixture is a model folder as the Hub serves it, with random weights of a fixed seed, plus
`parity.safetensors` (`in.*`, `out.*`) and `parity.json`; `descant models parity OUT/*` compares them.
The ones that the tests read lie in models/src/test/resources/published and are made by

    python bench/peers/musicgen.py models/src/test/resources/published

Greedy runs are long enough for 64 frames. A case whose codes change in double precision hangs on a
near tie and is refused. Never part of a build. Needs torch, transformers and safetensors.
"""
import copy
import json
import math
import pathlib
import shutil
import sys

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import (
    EncodecConfig, MusicgenConfig, MusicgenDecoderConfig, MusicgenForConditionalGeneration, T5Config)

# One small codec for all: two strides, so that sound stays short.
CODEC = {
    "sampling_rate": 32000, "audio_channels": 1, "num_filters": 2, "hidden_size": 8, "codebook_dim": 8,
    "upsampling_ratios": [4, 2], "use_causal_conv": False, "use_conv_shortcut": False, "normalize": False,
    "num_lstm_layers": 1}

CASES = {
    # Three texts of different lengths; the encoder's width is projected.
    "musicgen-guided": {
        "seed": 21, "rows": 3, "tokens": 9, "frames": 7, "new": 67, "guidance": [1.0, 3.0],
        "text": {"d_model": 20, "d_kv": 6, "d_ff": 40, "num_layers": 1, "num_heads": 3, "vocab_size": 120},
        "codec": {"codebook_size": 64, "target_bandwidths": [96.0]},
        "decoder": {
            "vocab_size": 40, "hidden_size": 36, "num_hidden_layers": 3, "num_attention_heads": 3, "ffn_dim": 80,
            "num_codebooks": 4, "max_position_embeddings": 32, "scale_embedding": True}},
    # Stereo, gated text encoder, no projection because the widths agree, weights stored in halves, in shards.
    "musicgen-stereo-halves": {
        "seed": 22, "rows": 1, "tokens": 6, "frames": 5, "new": 66, "guidance": [1.0, 2.5], "storage": "bfloat16",
        "shard": "40KB",
        "text": {
            "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 1, "num_heads": 2, "vocab_size": 90,
            "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
        "codec": {"codebook_size": 32, "target_bandwidths": [60.0]},
        "decoder": {
            "vocab_size": 24, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 8, "ffn_dim": 72,
            "num_codebooks": 6, "audio_channels": 2, "activation_function": "relu"}},
    # An odd width, one codebook more, another activation; texts padded at the start.
    "musicgen-odd": {
        "seed": 23, "rows": 3, "tokens": 5, "frames": 4, "new": 68, "guidance": [1.5], "padded": "start",
        "text": {"d_model": 12, "d_kv": 4, "d_ff": 20, "num_layers": 1, "num_heads": 2, "vocab_size": 60},
        "codec": {"codebook_size": 32, "target_bandwidths": [100.0]},
        "decoder": {
            "vocab_size": 30, "hidden_size": 35, "num_hidden_layers": 2, "num_attention_heads": 5, "ffn_dim": 64,
            "num_codebooks": 5, "activation_function": "gelu_new"}},
    # Too few columns for the delay pattern: the reference then delays nothing.
    "musicgen-brief": {
        "seed": 24, "rows": 2, "tokens": 4, "frames": 3, "new": 5, "guidance": [1.0, 3.0],
        "text": {"d_model": 16, "d_kv": 4, "d_ff": 24, "num_layers": 1, "num_heads": 2, "vocab_size": 50},
        "codec": {"codebook_size": 16, "target_bandwidths": [64.0]},
        "decoder": {
            "vocab_size": 16, "hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2, "ffn_dim": 32,
            "num_codebooks": 4, "activation_function": "silu"}},
}


def build(case):
    special = case["decoder"]["vocab_size"]
    config = MusicgenConfig(
        text_encoder=T5Config(**case["text"]).to_dict(),
        audio_encoder=EncodecConfig(**{**CODEC, **case["codec"]}).to_dict(),
        decoder=MusicgenDecoderConfig(**case["decoder"], pad_token_id=special, bos_token_id=special).to_dict())
    return MusicgenForConditionalGeneration(config).eval()


def randomise(model, random):
    """Weights that keep the size of what passes, so that a fault anywhere shows at the end."""
    def normal(like, scale):
        return scale * torch.randn(like.shape, generator=random)

    for name, weight in model.named_parameters():
        if "norm" in name and weight.dim() == 1:
            weight.copy_((1 if name.endswith("weight") else 0) + normal(weight, 0.2))
        elif weight.dim() == 1:
            weight.copy_(normal(weight, 0.1))
        elif name.endswith("original0"):
            weight.copy_(1.2 + normal(weight, 0.2))
        elif "shared" in name or "relative" in name or "embed" in name:
            weight.copy_(normal(weight, 1.0))
        else:
            weight.copy_(normal(weight, 1.3 / math.sqrt(weight[0].numel())))
    for name, table in model.named_buffers():
        if name.endswith("codebook.embed"):
            table.copy_(normal(table, 1.0))


def inputs_of(case, model, random):
    decoder = model.config.decoder
    rows, tokens = case["rows"], case["tokens"]
    ids = torch.randint(2, case["text"]["vocab_size"], (rows, tokens), generator=random)
    mask = torch.ones_like(ids)
    for row in range(1, rows):
        left = max(1, tokens - 2 * row)
        if case.get("padded") == "start":
            mask[row, : tokens - left] = 0
        else:
            mask[row, left:] = 0
    columns = torch.randint(
        0, decoder.vocab_size + 1, (rows * decoder.num_codebooks, case["frames"]), generator=random)
    return {"input_ids": ids * mask, "attention_mask": mask, "decoder_input_ids": columns}


def outputs_of(case, model, given):
    outputs = {"logits": model(**given).logits}
    decode = model.audio_encoder.decode
    for scale in case["guidance"]:
        heard = []

        def listen(codes, *args, **kwargs):
            heard.append(codes.clone())
            return decode(codes, *args, **kwargs)

        model.audio_encoder.decode = listen
        outputs[f"greedy_audio@{scale}"] = model.generate(
            input_ids=given["input_ids"], attention_mask=given["attention_mask"], max_new_tokens=case["new"],
            do_sample=False, guidance_scale=scale)
        model.audio_encoder.decode = decode
        for codes, channel in zip(heard, (".l", ".r") if len(heard) > 1 else ("",)):
            outputs[f"greedy_codes@{scale}{channel}"] = codes
    return outputs


def make(name, case, folder):
    random = torch.Generator().manual_seed(case["seed"])
    model = build(case)
    randomise(model, random)
    storage = case.get("storage")
    if storage:
        # Only what the file holds: the table of positions is computed, and stays exact.
        model.load_state_dict({key: value.to(getattr(torch, storage)).float() for key, value in model.state_dict().items()})
    given = inputs_of(case, model, random)
    expected = outputs_of(case, model, given)
    exact = outputs_of(case, copy.deepcopy(model).double(), given)
    for key, value in expected.items():
        if not value.is_floating_point() and not torch.equal(value, exact[key]):
            sys.exit(f"{name}: {key} hangs on a near tie; take another seed")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model.save_pretrained(folder, **({"max_shard_size": case["shard"]} if "shard" in case else {}))
    if storage:
        for file in folder.glob("model*.safetensors"):
            save_file(
                {key: value.to(getattr(torch, storage)) for key, value in load_file(file).items()}, file,
                metadata={"format": "pt"})
    save_file(
        {f"in.{k}": v.contiguous() for k, v in given.items()}
        | {f"out.{k}": v.contiguous() for k, v in expected.items()},
        folder / "parity.safetensors")
    settings = {k: v for k, v in case.items() if k not in ("text", "codec", "decoder")}
    (folder / "parity.json").write_text(
        json.dumps(
            {"family": "musicgen", "transformers": transformers.__version__, "codes": "equal", "relative": 1e-4,
             "settings": settings}, indent=1) + "\n")
    for file in folder.iterdir():
        file.chmod(0o644)
    kilobytes = sum(file.stat().st_size for file in folder.iterdir()) / 1000
    distinct = {k: len(v.unique()) for k, v in expected.items() if not v.is_floating_point()}
    print(f"{name}: {kilobytes:.0f} kB", ", ".join(f"{k} {tuple(v.shape)}" for k, v in expected.items()), distinct)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    torch.manual_seed(0)
    with torch.no_grad():
        for chosen in sys.argv[2:] or CASES:
            make(chosen, CASES[chosen], pathlib.Path(sys.argv[1]) / chosen)
