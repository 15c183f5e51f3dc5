#!/usr/bin/env python3
"""Small golden fixtures of MusicGen and MusicGen-melody, made with the reference implementation.

    python bench/peers/musicgen.py OUT [CASE...]

A fixture is a model folder as the Hub serves it, with random weights of a fixed seed, plus
`parity.safetensors` (`in.*`, `out.*`) and `parity.json`; `descant models parity OUT/*` compares them.
The ones that the tests read lie in models/src/test/resources/published and are made by

    python bench/peers/musicgen.py models/src/test/resources/published

Greedy runs are long enough for 64 frames. A case whose codes change in double precision hangs on a
near tie and is refused. A case with "melody" is a MusicGen-melody: "chroma" frames go in as
`in.input_features`, "sung" samples as `in.melody`, with what the reference's feature extractor hears in
them as `out.input_features`, and with neither there is only text. Never part of a build. Needs torch,
transformers and safetensors, and torchaudio for "sung".
"""
import json
import math
import pathlib
import shutil
import sys

import numpy
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import (
    EncodecConfig, MusicgenConfig, MusicgenDecoderConfig, MusicgenForConditionalGeneration, MusicgenMelodyConfig,
    MusicgenMelodyFeatureExtractor, MusicgenMelodyForConditionalGeneration, T5Config)
from transformers.models.musicgen_melody.configuration_musicgen_melody import MusicgenMelodyDecoderConfig

from published import exactly

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
    # A sung melody, which is longer than the model listens, before texts of different lengths.
    "melody-sung": {
        "seed": 31, "rows": 3, "tokens": 7, "frames": 6, "new": 67, "guidance": [1.0, 3.0],
        "melody": {"chroma_length": 11}, "ear": {"n_fft": 1024, "hop_length": 256}, "sung": 4000,
        "text": {"d_model": 20, "d_kv": 6, "d_ff": 40, "num_layers": 1, "num_heads": 3, "vocab_size": 120},
        "codec": {"codebook_size": 64, "target_bandwidths": [96.0]},
        "decoder": {
            "vocab_size": 40, "hidden_size": 36, "num_hidden_layers": 3, "num_attention_heads": 3, "ffn_dim": 80,
            "num_codebooks": 4, "max_position_embeddings": 16}},
    # Stereo; a melody that is repeated and cut; texts padded at the start, as wide as the decoder.
    "melody-given": {
        "seed": 32, "rows": 1, "tokens": 5, "frames": 4, "new": 66, "guidance": [1.0, 2.0], "padded": "start",
        "storage": "float16", "melody": {"chroma_length": 10, "num_chroma": 7}, "chroma": 4,
        "text": {"d_model": 24, "d_kv": 8, "d_ff": 48, "num_layers": 1, "num_heads": 2, "vocab_size": 90},
        "codec": {"codebook_size": 32, "target_bandwidths": [60.0]},
        "decoder": {
            "vocab_size": 24, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "ffn_dim": 72,
            "num_codebooks": 6, "audio_channels": 2, "activation_function": "relu"}},
    # Text alone, and not even that for the last; frames as wide as the decoder.
    "melody-unsung": {
        "seed": 33, "rows": 3, "tokens": 4, "frames": 3, "new": 67, "guidance": [1.0, 3.0], "unsaid": True,
        "melody": {"chroma_length": 5},
        "text": {"d_model": 16, "d_kv": 4, "d_ff": 24, "num_layers": 1, "num_heads": 2, "vocab_size": 50},
        "codec": {"codebook_size": 16, "target_bandwidths": [64.0]},
        "decoder": {
            "vocab_size": 16, "hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 2, "ffn_dim": 32,
            "num_codebooks": 4}},
}


def build(case):
    special = case["decoder"]["vocab_size"]
    melody = case.get("melody")
    whole, decoder, model = (
        (MusicgenConfig, MusicgenDecoderConfig, MusicgenForConditionalGeneration) if melody is None
        else (MusicgenMelodyConfig, MusicgenMelodyDecoderConfig, MusicgenMelodyForConditionalGeneration))
    config = whole(
        text_encoder=T5Config(**case["text"]).to_dict(),
        audio_encoder=EncodecConfig(**{**CODEC, **case["codec"]}).to_dict(),
        decoder=decoder(**case["decoder"], pad_token_id=special, bos_token_id=special).to_dict(), **(melody or {}))
    return model(config).eval()


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
    if case.get("unsaid"):
        mask[-1] = 0
    columns = torch.randint(
        0, decoder.vocab_size + 1, (rows * decoder.num_codebooks, case["frames"]), generator=random)
    given = {"input_ids": ids * mask, "attention_mask": mask, "decoder_input_ids": columns}
    if "chroma" in case:
        classes = torch.randint(model.config.num_chroma, (rows, case["chroma"]), generator=random)
        given["input_features"] = torch.nn.functional.one_hot(classes, model.config.num_chroma).float()
    if "sung" in case:
        time = torch.arange(case["sung"]) / 32000
        pitch = 200 * 2 ** (2 * torch.rand(rows, 5, generator=random))
        notes = torch.sin(2 * math.pi * pitch.repeat_interleave(case["sung"] // 5 + 1, 1)[:, : len(time)] * time)
        given["melody"] = 0.4 * notes + 0.05 * torch.randn(notes.shape, generator=random)
    return given


def heard(case, model, given):
    """What goes into the model: a melody as its pitch classes."""
    given = dict(given)
    if "melody" in given:
        ear = MusicgenMelodyFeatureExtractor(**case.get("ear", {}))
        sung = [row.numpy() for row in given.pop("melody")]
        features = ear(sung, sampling_rate=ear.sampling_rate, return_tensors="pt").input_features
        ear.chroma_filters, ear.spectrogram = ear.chroma_filters.double(), ear.spectrogram.double()
        again = ear._torch_extract_fbank_features(torch.tensor(numpy.stack(sung)).double())
        if not torch.equal(features, again.float()):
            sys.exit("the melody hangs on a near tie; take another seed")
        given["input_features"] = features
    if "input_features" in given:
        given["input_features"] = given["input_features"].to(next(model.parameters()).dtype)
    return given


def outputs_of(case, model, given):
    given = heard(case, model, given)
    outputs = {"logits": model(**given).logits}
    sung = {"input_features": given["input_features"]} if "input_features" in given else {}
    if "sung" in case:
        outputs |= sung
    decode = model.audio_encoder.decode
    for scale in case["guidance"]:
        decoded = []

        def listen(codes, *args, **kwargs):
            decoded.append(codes.clone())
            return decode(codes, *args, **kwargs)

        model.audio_encoder.decode = listen
        outputs[f"greedy_audio@{scale}"] = model.generate(
            input_ids=given["input_ids"], attention_mask=given["attention_mask"], max_new_tokens=case["new"],
            do_sample=False, guidance_scale=scale, **sung)
        model.audio_encoder.decode = decode
        for codes, channel in zip(decoded, (".l", ".r") if len(decoded) > 1 else ("",)):
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
    exact = outputs_of(case, exactly(model, case.get("shake", 0), random), given)
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
    if "ear" in case:
        MusicgenMelodyFeatureExtractor(**case["ear"]).save_pretrained(folder)
    save_file(
        {f"in.{k}": v.contiguous() for k, v in given.items()}
        | {f"out.{k}": v.contiguous() for k, v in expected.items()},
        folder / "parity.safetensors")
    settings = {k: v for k, v in case.items() if k not in ("text", "codec", "decoder", "melody", "ear")}
    (folder / "parity.json").write_text(
        json.dumps(
            {"family": "musicgen_melody" if "melody" in case else "musicgen", "transformers": transformers.__version__, "codes": "equal", "relative": 1e-4,
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
