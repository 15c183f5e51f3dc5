#!/usr/bin/env python3
"""Small golden fixtures of the published codecs and of T5, made with the reference implementation.

    python bench/peers/published.py OUT [CASE...]

A fixture is a model folder as the Hub serves it, with random weights of a fixed seed, plus
`parity.safetensors` (`in.*`, `out.*`) and `parity.json`; `descant models parity OUT/*` compares them.
The ones that the tests read lie in models/src/test/resources/published and are made by

    python bench/peers/published.py models/src/test/resources/published

Never part of a build. Needs torch, transformers and safetensors.
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
from transformers import DacConfig, DacModel, EncodecConfig, EncodecModel, T5Config, T5EncoderModel

# `storage`: how the files hold the weights. "old" renames normalised weights to weight_g and weight_v,
# "normed" stores a DAC with its weight normalisation still on, a dtype rounds every weight to it first.
CASES = {
    # 48 kHz manner: stereo, normalised, group norm, chunks that overlap, the last one short.
    "encodec-chunks": {
        "family": "encodec", "seed": 11, "rows": 2, "samples": 2500,
        "config": {
            "sampling_rate": 48000, "audio_channels": 2, "normalize": True, "chunk_length_s": 0.02, "overlap": 0.05,
            "norm_type": "time_group_norm", "num_filters": 3, "hidden_size": 8, "codebook_size": 16,
            "upsampling_ratios": [5, 4, 2], "target_bandwidths": [4.8, 24.0], "num_lstm_layers": 2}},
    # Shorter than a chunk and longer than the step to the next, which hears the end again.
    "encodec-part-chunk": {
        "family": "encodec", "seed": 18, "rows": 2, "samples": 701,
        "config": {
            "sampling_rate": 48000, "audio_channels": 2, "normalize": True, "chunk_length_s": 0.02, "overlap": 0.4,
            "norm_type": "time_group_norm", "num_filters": 2, "hidden_size": 4, "codebook_size": 16,
            "upsampling_ratios": [5, 4, 2], "target_bandwidths": [14.4], "num_lstm_layers": 1}},
    # 32 kHz manner: both sides padded, identity shortcuts, names of older files; an odd stride, two blocks a stage.
    "encodec-both-sides": {
        "family": "encodec", "seed": 12, "rows": 3, "samples": 1003, "storage": "old",
        "config": {
            "sampling_rate": 32000, "use_causal_conv": False, "use_conv_shortcut": False, "num_filters": 4,
            "hidden_size": 6, "codebook_size": 64, "upsampling_ratios": [5, 4, 3], "target_bandwidths": [3.3, 6.5],
            "num_residual_layers": 2, "dilation_growth_rate": 3, "pad_mode": "constant", "num_lstm_layers": 1}},
    # 24 kHz manner with every freedom used, on a sound too short to be reflected as it is.
    "encodec-short": {
        "family": "encodec", "seed": 13, "rows": 1, "samples": 45, "storage": "bfloat16",
        "config": {
            "sampling_rate": 24000, "num_filters": 4, "hidden_size": 8, "codebook_size": 8,
            "upsampling_ratios": [4, 2], "target_bandwidths": [9.0, 36.0], "trim_right_ratio": 0.5, "compress": 1,
            "kernel_size": 9, "last_kernel_size": 4, "residual_kernel_size": 5, "num_residual_layers": 2}},
    # Odd ratios, so that decoded sound is shorter; a latent and codebooks of other widths.
    "dac-odd": {
        "family": "dac", "seed": 14, "rows": 2, "samples": 400, "few": 2, "storage": "float16",
        "config": {
            "sampling_rate": 44100, "encoder_hidden_size": 4, "downsampling_ratios": [3, 5], "decoder_hidden_size": 20,
            "hidden_size": 14, "n_codebooks": 3, "codebook_size": 16, "codebook_dim": 3}},
    "dac-normed": {
        "family": "dac", "seed": 15, "rows": 1, "samples": 640, "few": 1, "storage": "normed",
        "config": {
            "sampling_rate": 24000, "encoder_hidden_size": 4, "downsampling_ratios": [2, 4, 5],
            "decoder_hidden_size": 32, "n_codebooks": 4, "codebook_size": 32, "codebook_dim": 8}},
    # Long enough that the logarithmic buckets matter; in shards.
    "t5-gated": {
        "family": "t5", "seed": 16, "rows": 3, "samples": 60, "shard": "20KB",
        "config": {
            "d_model": 24, "d_kv": 10, "d_ff": 40, "num_layers": 3, "num_heads": 3, "vocab_size": 120,
            "feed_forward_proj": "gated-gelu", "relative_attention_num_buckets": 16,
            "relative_attention_max_distance": 40, "tie_word_embeddings": False}},
    "t5-plain": {
        "family": "t5", "seed": 17, "rows": 4, "samples": 12, "storage": "bfloat16",
        "config": {
            "d_model": 20, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 5, "vocab_size": 90,
            "feed_forward_proj": "relu"}},
}
MODELS = {"encodec": (EncodecConfig, EncodecModel), "dac": (DacConfig, DacModel), "t5": (T5Config, T5EncoderModel)}


def randomise(model, random):
    """Weights that keep the size of what passes, so that a fault anywhere shows at the end."""
    def normal(like, scale):
        return scale * torch.randn(like.shape, generator=random)

    for name, weight in model.named_parameters():
        if name.endswith("alpha"):
            weight.copy_(0.4 + 1.2 * torch.rand(weight.shape, generator=random))
        elif "norm" in name and weight.dim() == 1:
            weight.copy_((1 if name.endswith("weight") else 0) + normal(weight, 0.2))
        elif weight.dim() == 1:
            weight.copy_(normal(weight, 0.1))
        elif name.endswith("original0"):
            weight.copy_(1.2 + normal(weight, 0.2))
        elif "shared" in name or "relative" in name or "codebook" in name:
            weight.copy_(normal(weight, 1.0))
        else:
            # Convolutions meet in sums; with larger weights Snake's sine turns rounding into noise.
            weight.copy_(normal(weight, (0.6 if weight.dim() == 3 else 1.2) / math.sqrt(weight[0].numel())))


def fill_codebooks(model, audio, random):
    """Rows near what the encoder says, one stage after another, so that the codes are many."""
    rest = model.encoder(audio)
    encodec = isinstance(model, EncodecModel)
    for stage in model.quantizer.layers if encodec else model.quantizer.quantizers:
        table = stage.codebook.embed if encodec else stage.codebook.weight
        rows = (rest if encodec else stage.in_proj(rest)).transpose(1, 2).reshape(-1, table.shape[1])
        chosen = rows[torch.randint(len(rows), (len(table),), generator=random)]
        table.copy_(chosen + 0.4 * rows.std() * torch.randn(table.shape, generator=random))
        rest = rest - (stage.decode(stage.encode(rest)) if encodec else stage(rest)[0])


def inputs_of(case, config, random):
    rows, length = case["rows"], case["samples"]
    if case["family"] == "t5":
        ids = torch.randint(config.vocab_size, (rows, length), generator=random)
        mask = torch.ones_like(ids)
        for row in range(1, rows):  # padded at the end, at the start, in the middle
            mask[row, [slice(length // 2, None), slice(length // 3), slice(2, 5)][(row - 1) % 3]] = 0
        return {"input_ids": ids, "attention_mask": mask}
    channels = getattr(config, "audio_channels", 1)
    time = torch.arange(length) / config.sampling_rate
    pitch = 80 + 3000 * torch.rand(rows, channels, 4, 1, generator=random)
    tones = (0.15 * torch.sin(2 * math.pi * pitch * time)).sum(2)
    return {"audio": tones + 0.02 * torch.randn(tones.shape, generator=random)}


def outputs_of(case, model, given):
    if case["family"] == "t5":
        return {"last_hidden_state": model(**given).last_hidden_state}
    audio = given["audio"]
    if case["family"] == "dac":
        full, few = model.encode(audio), model.encode(audio, n_quantizers=case["few"])
        return {
            "codes": full.audio_codes, "latent": full.quantized_representation,
            "audio": model.decode(full.quantized_representation).audio_values,
            f"codes@{case['few']}": few.audio_codes,
            f"audio_from_codes@{case['few']}": model.decode(audio_codes=few.audio_codes).audio_values}
    outputs = {}
    everywhere = torch.ones(audio.shape[0], audio.shape[2], dtype=torch.bool)
    for bandwidth in model.config.target_bandwidths:
        coded = model.encode(audio, everywhere, bandwidth=bandwidth)
        outputs[f"codes@{bandwidth}"] = coded.audio_codes
        outputs[f"audio@{bandwidth}"] = model.decode(coded.audio_codes, coded.audio_scales, everywhere).audio_values
        if model.config.normalize:
            outputs[f"scales@{bandwidth}"] = torch.stack(list(coded.audio_scales))
    return outputs


def store(case, model, folder):
    storage = case.get("storage")
    if storage == "normed":
        model.apply_weight_norm()
    model.save_pretrained(folder, **({"max_shard_size": case["shard"]} if "shard" in case else {}))
    if storage in ("old", "bfloat16", "float16"):
        for file in folder.glob("model*.safetensors"):
            tensors = load_file(file)
            if storage == "old":
                tensors = {
                    name.replace("parametrizations.weight.original0", "weight_g")
                        .replace("parametrizations.weight.original1", "weight_v"): value
                    for name, value in tensors.items()}
            else:
                tensors = {name: value.to(getattr(torch, storage)) for name, value in tensors.items()}
            save_file(tensors, file, metadata={"format": "pt"})


def exactly(model, shake, random):
    """A copy in double precision, its weights moved by this relative noise: another order of rounding."""
    model = copy.deepcopy(model).double()
    for tensor in list(model.parameters()) + [table for key, table in model.named_buffers() if "embed" in key]:
        tensor.mul_(1 + shake * torch.randn(tensor.shape, generator=random))
    return model


def make(name, case, folder):
    random = torch.Generator().manual_seed(case["seed"])
    config_class, model_class = MODELS[case["family"]]
    model = model_class(config_class(**case["config"])).eval()
    given = inputs_of(case, model.config, random)
    randomise(model, random)
    if "audio" in given:
        fill_codebooks(model, given["audio"], random)
    if case.get("storage") in ("bfloat16", "float16"):
        model.to(getattr(torch, case["storage"])).float()
    expected = outputs_of(case, model, given)
    exact = outputs_of(
        case, exactly(model, case.get("shake", 0), random),
        {k: v.double() if v.is_floating_point() else v for k, v in given.items()})
    for key, value in expected.items():
        if not value.is_floating_point() and not torch.equal(value, exact[key]):
            sys.exit(f"{name}: {key} hangs on a near tie; take another seed")
        if value.is_floating_point() and (value - exact[key]).abs().max() > 1e-5 * exact[key].abs().max():
            sys.exit(f"{name}: {key} hangs on rounding; take smaller weights")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    store(case, model, folder)
    save_file(
        {f"in.{k}": v.contiguous() for k, v in given.items()}
        | {f"out.{k}": v.contiguous() for k, v in expected.items()},
        folder / "parity.safetensors")
    settings = {k: v for k, v in case.items() if k not in ("config", "family")}
    (folder / "parity.json").write_text(
        json.dumps(
            {"family": case["family"], "transformers": transformers.__version__, "codes": "equal",
             "relative": 1e-4, "settings": settings}, indent=1) + "\n")
    for file in folder.iterdir():
        file.chmod(0o644)
    kilobytes = sum(file.stat().st_size for file in folder.iterdir()) / 1000
    print(f"{name}: {kilobytes:.0f} kB", ", ".join(f"{k} {tuple(v.shape)}" for k, v in expected.items()))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    torch.manual_seed(0)
    with torch.no_grad():
        for chosen in sys.argv[2:] or CASES:
            make(chosen, CASES[chosen], pathlib.Path(sys.argv[1]) / chosen)
