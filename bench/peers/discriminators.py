#!/usr/bin/env python3
"""Golden numbers of the codec's discriminators, from PyTorch's own layers.

    python bench/peers/discriminators.py models/src/test/resources/codec/discriminator.safetensors

A multi-period and multi-band STFT discriminator as in HiFi-GAN (Kong 2020) and the improved RVQGAN
(Kumar 2023), written down from the papers with torch.nn and its weight norm, one channel in the first
period layer and two in the bands, random weights; two excerpts, the scores of one, the three losses
and the codec's gradient. Never part of a build. Needs torch and safetensors.
"""
import pathlib
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

PERIODS, WINDOWS, EDGES = (2, 3, 5, 7, 11), (2048, 1024, 512), (0, 0.1, 0.25, 0.5, 0.75, 1)
CHANNELS, BAND_CHANNELS, SAMPLES = 1, 2, 3000


def conv(*shape, **more):
    return weight_norm(nn.Conv2d(*shape, **more))


class Period(nn.Module):
    def __init__(self, period):
        super().__init__()
        self.period = period
        widths = [1] + [CHANNELS * w for w in (1, 4, 16, 32, 32)]
        self.layers = nn.ModuleList(
            conv(a, b, (5, 1), (3 if i < 4 else 1, 1), (2, 0)) for i, (a, b) in enumerate(zip(widths, widths[1:])))
        self.last = conv(widths[-1], 1, (3, 1), 1, (1, 0))

    def forward(self, x):
        x = F.pad(x[:, None], (0, -x.shape[-1] % self.period), "reflect")
        x = x.view(x.shape[0], 1, -1, self.period)
        features = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.1)
            features.append(x)
        return self.last(x), features

    def named(self):
        name = f"period{self.period}."
        return [(name + str(i), layer) for i, layer in enumerate(self.layers)] + [(name + "last", self.last)]


class Bands(nn.Module):
    def __init__(self, window):
        super().__init__()
        self.window = window
        c = BAND_CHANNELS
        self.bands = nn.ModuleList(
            nn.ModuleList([
                conv(2, c, (3, 9), (1, 1), (1, 4)), conv(c, c, (3, 9), (1, 2), (1, 4)),
                conv(c, c, (3, 9), (1, 2), (1, 4)), conv(c, c, (3, 9), (1, 2), (1, 4)),
                conv(c, c, (3, 3), (1, 1), (1, 1))]) for _ in EDGES[1:])
        self.last = conv(c, 1, (3, 3), 1, 1)

    def forward(self, x):
        spectrum = torch.stft(
            x, self.window, self.window // 4, window=torch.hann_window(self.window), return_complex=True)
        bins = spectrum.shape[1]
        picture = torch.stack([spectrum.real, spectrum.imag], 1).transpose(2, 3)
        ends, features = [], []
        for low, high, band in zip(EDGES, EDGES[1:], self.bands):
            x = picture[..., int(low * bins):int(high * bins)]
            for layer in band:
                x = F.leaky_relu(layer(x), 0.1)
                features.append(x)
            ends.append(x)
        return self.last(torch.cat(ends, -1)), features

    def named(self):
        name = f"stft{self.window}."
        return [(f"{name}band{b}.{i}", layer) for b, band in enumerate(self.bands) for i, layer in enumerate(band)] \
            + [(name + "last", self.last)]


def judge(networks, sound):
    sound = sound - sound.mean(-1, keepdim=True)
    sound = 0.8 * sound / (sound.abs().amax(-1, keepdim=True) + 1e-9)
    return [network(sound) for network in networks]


def main(path):
    torch.manual_seed(1)
    networks = [Period(p) for p in PERIODS] + [Bands(w) for w in WINDOWS]
    tensors = {}
    for network in networks:
        for name, layer in network.named():
            length = layer.parametrizations.weight.original0
            length.data *= 0.5 + torch.rand_like(length)
            tensors[f"weights.{name}.length"] = length.flatten()
            tensors[f"weights.{name}.direction"] = layer.parametrizations.weight.original1
            tensors[f"weights.{name}.bias"] = layer.bias
    truth = torch.randn(2, SAMPLES) * 0.1
    made = (torch.sin(torch.arange(SAMPLES) * torch.tensor([[0.05], [0.3]])) * 0.3 + 0.01 * torch.randn(2, SAMPLES))
    made.requires_grad_(True)
    true, fake = judge(networks, truth), judge(networks, made)
    own = sum(((t[0] - 1) ** 2).mean() + (f[0] ** 2).mean() for t, f in zip(true, fake)) / len(networks)
    codec = sum(((f[0] - 1) ** 2).mean() for f in fake) / len(networks)
    pairs = [(a, b) for t, f in zip(true, fake) for a, b in zip(t[1], f[1])]
    features = sum(F.l1_loss(b, a.detach()) for a, b in pairs) / len(pairs)
    tensors["gradient"], = torch.autograd.grad(codec + features, made)
    tensors |= {"truth": truth, "made": made, "loss.discriminator": own, "loss.codec": codec, "loss.features": features}
    tensors |= {f"score.{i}": f[0] for i, f in enumerate(fake)}
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, path)


main(sys.argv[1])
