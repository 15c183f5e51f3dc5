#!/usr/bin/env python3
"""Parity fixtures of random small configurations of every published family.

    python bench/peers/parity_sweep.py OUT --count N --seed S [--family F...]

Writes N folders in the form of published.py and musicgen.py, the families in turn; `descant models
parity OUT/*` compares them. The same seed gives the same folders. A configuration that the reference
itself cannot run is said and left out, and another is drawn; one whose codes hang on a near tie gets
other weights, and at last gives way to another. Never part of a build. Needs torch, transformers and safetensors, and torchaudio for melodies that are
sung.
"""
import argparse
import importlib.util
import math
import pathlib
import random
import shutil

import torch

import musicgen
import published

TRIES = 40
# Relative noise on the weights under which codes must stay: what another order of fp32 sums may do.
SHAKE = 3e-7
ACTIVATIONS = [
    "gelu", "gelu_new", "gelu_fast", "gelu_python", "gelu_pytorch_tanh", "gelu_accurate", "quick_gelu", "relu",
    "relu2", "relu6", "silu", "swish", "mish", "tanh", "sigmoid", "linear", "gelu_10", "hardswish", "leaky_relu",
    "laplace", "sqrtsoftplus"]
STORAGES = [None, None, "float16", "bfloat16"]


def sometimes(draw, share, keys):
    """Some keys beside the usual ones, each with this chance."""
    return {key: draw.choice(values) for key, values in keys.items() if draw.random() < share}


def bandwidths(rate, ratios, size, books):
    """Kilobits a second that pay for so many codebooks, each a little more than they cost."""
    bits = math.ceil(rate / math.prod(ratios)) * math.log2(size)
    return [round(count * bits / 1000 * 1.01, 3) for count in books]


def encodec(draw, rate, ratios, **fixed):
    size = draw.choice([8, 16, 64, 256])
    hop = math.prod(ratios)
    books = sorted(draw.sample(range(1, 9), draw.choice([1, 2, 3])))
    config = {
        "sampling_rate": rate, "upsampling_ratios": ratios, "codebook_size": size,
        "target_bandwidths": bandwidths(rate, ratios, size, books),
        "num_filters": draw.choice([2, 3, 4, 6]), "hidden_size": draw.choice([4, 7, 8, 16]),
        "num_lstm_layers": draw.choice([1, 2, 3]), **fixed,
        **sometimes(draw, 0.25, {
            "kernel_size": [3, 5, 8], "last_kernel_size": [3, 5, 6], "residual_kernel_size": [1, 3, 5],
            "num_residual_layers": [0, 2, 3], "dilation_growth_rate": [1, 2, 3], "compress": [1, 2],
            "pad_mode": ["constant", "replicate", "reflect", "circular"], "use_conv_shortcut": [True, False],
            "normalize": [True, False], "trim_right_ratio": [0.0, 0.3, 0.5]})}
    if not config.get("use_causal_conv", True):
        config.pop("trim_right_ratio", None)
    return {
        "family": "encodec", "rows": draw.choice([1, 3]), "samples": draw.randrange(1, 5 * hop + 2),
        "storage": draw.choice(STORAGES + ["old"]), "config": config}


def encodec_24(draw):
    return encodec(draw, 24000, draw.choice([[8, 5, 4, 2], [4, 3], [5, 2, 2], [7]]), use_causal_conv=True)


def encodec_32(draw):
    return encodec(
        draw, 32000, draw.choice([[8, 5, 4, 4], [4, 2], [3, 3]]), use_causal_conv=False,
        use_conv_shortcut=draw.choice([True, False]))


def encodec_48(draw):
    ratios = draw.choice([[8, 5, 4, 2], [5, 4, 2], [4, 4]])
    # A chunk of some whole frames, or of a broken number of them.
    chunk = draw.choice([3, 6, 6.5, 10.3]) * math.prod(ratios) / 48000
    case = encodec(
        draw, 48000, ratios, audio_channels=2, normalize=draw.choice([True, True, False]),
        use_causal_conv=draw.choice([True, False]), norm_type=draw.choice(["time_group_norm", "weight_norm"]),
        chunk_length_s=draw.choice([chunk, chunk, None]), overlap=draw.choice([0.01, 0.05, 0.25, 0.0]))
    case["samples"] = draw.randrange(math.prod(ratios), 20 * math.prod(ratios))
    if case["config"]["norm_type"] == "time_group_norm" and case["storage"] == "old":
        case["storage"] = None  # there is no weight normalisation to rename
    return case


def dac(draw):
    rate, down = draw.choice([
        (16000, [2, 4, 5, 8]), (24000, [2, 4, 5, 8]), (44100, [2, 4, 8, 8]), (16000, [2, 5]), (24000, [3, 4]),
        (44100, [8])])
    books = draw.choice([1, 3, 9])
    encoder = draw.choice([2, 4, 5])
    config = {
        "sampling_rate": rate, "downsampling_ratios": down, "encoder_hidden_size": encoder,
        "decoder_hidden_size": draw.choice([16, 24, 40, 50]), "n_codebooks": books,
        "codebook_size": draw.choice([16, 32, 256]), "codebook_dim": draw.choice([2, 4, 8]),
        **sometimes(draw, 0.25, {
            "upsampling_ratios": [down[::-1], down, [2, 2]], "hidden_size": [12, 20], "hop_length": [math.prod(down)],
            "quantizer_dropout": [0.5]})}
    return {
        "family": "dac", "rows": draw.choice([1, 3]),
        "samples": math.prod(down) * draw.randrange(1, 6) + draw.choice([0, 0, 3]), "few": draw.randint(1, books),
        "storage": draw.choice(STORAGES + ["normed"]), "config": config}


def t5_config(draw):
    buckets = draw.choice([8, 16, 32])
    return {
        "d_model": draw.choice([12, 20, 32]), "d_kv": draw.choice([3, 4, 8, 10]), "num_heads": draw.choice([1, 2, 5]),
        "d_ff": draw.choice([16, 40]), "num_layers": draw.choice([1, 2, 3]), "vocab_size": draw.choice([40, 121]),
        "feed_forward_proj": draw.choice(["relu", "gated-gelu", "gelu", "gated-silu", "gated-relu", "gelu_new"]),
        "relative_attention_num_buckets": buckets,
        "relative_attention_max_distance": draw.choice([buckets // 2, 20, 128]),
        **sometimes(draw, 0.3, {"tie_word_embeddings": [True, False], "layer_norm_epsilon": [1e-5, 1e-3]})}


def t5(draw):
    return {
        "family": "t5", "rows": draw.choice([1, 4]), "samples": draw.choice([7, 33, 150]),
        "storage": draw.choice(STORAGES), "config": t5_config(draw),
        **sometimes(draw, 0.3, {"shard": ["10KB"]})}


def musicgen_of(draw, channels, books):
    size = draw.choice([16, 32, 64])
    heads = draw.choice([1, 2, 3, 4])
    vocabulary = draw.choice([size, size, size - 3])
    text = t5_config(draw)
    width = draw.choice([text["d_model"], heads * draw.choice([7, 8, 12])])
    width = width if width % heads == 0 else heads * 8
    return {
        "rows": draw.choice([1, 3]), "tokens": draw.choice([3, 6, 11]), "frames": draw.choice([1, 4, 9]),
        "new": draw.choice([64 + books // channels, 64 + books // channels, 3]),
        "guidance": draw.choice([[1.0, 3.0], [3.0], [1.0]]), "storage": draw.choice(STORAGES),
        "padded": draw.choice(["start", "end"]), "text": text,
        "codec": {
            "codebook_size": size, "use_causal_conv": draw.choice([True, False]),
            "target_bandwidths": bandwidths(32000, musicgen.CODEC["upsampling_ratios"], size, [books // channels])},
        "decoder": {
            "vocab_size": vocabulary, "hidden_size": width, "num_hidden_layers": draw.choice([1, 2, 4]),
            "num_attention_heads": heads, "ffn_dim": draw.choice([24, 64, 100]), "num_codebooks": books,
            "audio_channels": channels, "activation_function": draw.choice(ACTIVATIONS),
            **sometimes(draw, 0.3, {
                "scale_embedding": [True, False], "tie_word_embeddings": [True, False],
                "max_position_embeddings": [8, 40], "dropout": [0.0, 0.3], "layerdrop": [0.0, 0.2]})},
        **sometimes(draw, 0.3, {"shard": ["20KB"]})}


def musicgen_mono(draw):
    return musicgen_of(draw, 1, draw.choice([2, 4, 8]))


def musicgen_stereo(draw):
    return musicgen_of(draw, 2, draw.choice([2, 4, 8]))


def musicgen_melody(draw):
    channels = draw.choice([1, 1, 2])
    case = musicgen_of(draw, channels, draw.choice([2, 4, 8]))
    frames = draw.choice([1, 6, 17])
    case["melody"] = {"chroma_length": frames, **sometimes(draw, 0.3, {"num_chroma": [5, 12]})}
    led = draw.choice(["chroma", "sung", "text"])
    if led == "sung" and importlib.util.find_spec("torchaudio") and case["melody"].get("num_chroma", 12) == 12:
        case["ear"] = {"n_fft": draw.choice([512, 2048]), "hop_length": draw.choice([128, 300]),
                       **sometimes(draw, 0.3, {"sampling_rate": [16000, 44100], "chunk_length": [1]})}
        case["sung"] = draw.choice([200, 3000])
    elif led == "chroma":
        case["chroma"] = draw.choice([1, 4, frames, 30])
    case["unsaid"] = draw.choice([True, False])
    return case


FAMILIES = {
    "encodec-24": (encodec_24, published.make), "encodec-32": (encodec_32, published.make),
    "encodec-48": (encodec_48, published.make), "dac": (dac, published.make), "t5": (t5, published.make),
    "musicgen-mono": (musicgen_mono, musicgen.make), "musicgen-stereo": (musicgen_stereo, musicgen.make),
    "musicgen-melody": (musicgen_melody, musicgen.make)}


def write(index, family, seed, out):
    """One fixture of a family."""
    configuration, make = FAMILIES[family]
    draw = random.Random(f"{seed}/{index}/{family}")
    name = f"{index:03d}-{family}"
    case = configuration(draw)
    for tried in range(TRIES):
        if tried % 5 == 4:
            case = configuration(draw)
        case["seed"] = draw.randrange(1 << 30)
        try:
            make(name, {**case, "shake": SHAKE}, out / name)
            return
        except SystemExit as tie:
            print(f"{tie}")
        except Exception as fault:  # the reference's own, of many kinds
            text = str(fault).splitlines()[0] if str(fault) else ""
            print(f"{name}: the reference cannot run this ({type(fault).__name__}: {text[:120]}): {case}")
            case = configuration(draw)
        shutil.rmtree(out / name, ignore_errors=True)
    print(f"{name}: given up after {TRIES} tries")


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("out", type=pathlib.Path)
    options.add_argument("--count", type=int, default=60)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--family", nargs="+", choices=FAMILIES, default=list(FAMILIES))
    chosen = options.parse_args()
    torch.set_num_threads(1)
    with torch.no_grad():
        for number in range(chosen.count):
            write(number, chosen.family[number % len(chosen.family)], chosen.seed, chosen.out)
