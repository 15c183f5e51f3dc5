"""The reference decoder of org.descant.bench.ReferenceDecoder, line by line, in PyTorch.

Reads one request a line from stdin and answers each with one JSON line:

    modes                                     which ways of running there are here
    step SHAPE MODE THREADS SECONDS           best step: wall and thread CPU milliseconds, last loss
    peak PRECISION THREADS SECONDS            fastest square product, 256 to 2048: FLOP/s and size

SHAPE is 5M or 25M; MODE is eager-fp32, eager-bf16, compiled-fp32 or compiled-bf16 (those only when
there is a C++ compiler). Needs `torch`; nothing of the build needs this file.
"""

import json
import shutil
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

SHAPES = {  # width, layers, heads, vocabulary, batch, time
    "5M": (256, 6, 4, 1024, 8, 512),
    "25M": (512, 8, 8, 1024, 4, 512),
}


class Layer(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(d)
        self.query_key_value = nn.Linear(d, 3 * d)
        self.attention_out = nn.Linear(d, d)
        self.hidden_norm = nn.LayerNorm(d)
        self.up = nn.Linear(d, 4 * d)
        self.down = nn.Linear(4 * d, d)

    def forward(self, x):
        b, t, d = x.shape
        qkv = self.query_key_value(self.attention_norm(x)).view(b, t, 3, self.heads, d // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.attention_out(seen.transpose(1, 2).reshape(b, t, d))
        return x + self.down(F.gelu(self.up(self.hidden_norm(x))))


class Decoder(nn.Module):
    def __init__(self, d, layers, heads, vocabulary):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, d)
        self.layers = nn.ModuleList(Layer(d, heads) for _ in range(layers))
        self.out_norm = nn.LayerNorm(d)
        self.head = nn.Linear(d, vocabulary, bias=False)
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.normal_(p, std=0.02)

    def forward(self, tokens, target):
        x = self.tokens(tokens)
        for layer in self.layers:
            x = layer(x)
        logits = self.head(self.out_norm(x))
        return F.cross_entropy(logits.float().flatten(0, 1), target)


class Run:
    """A model, its optimiser and one batch, ready to step."""

    def __init__(self, shape, mode):
        d, layers, heads, vocabulary, batch, length = SHAPES[shape]
        torch.manual_seed(1)
        how, precision = mode.split("-")
        self.model = Decoder(d, layers, heads, vocabulary)
        self.forward = torch.compile(self.model) if how == "compiled" else self.model
        self.bf16 = precision == "bf16"
        decayed = [p for p in self.model.parameters() if p.dim() > 1]
        plain = [p for p in self.model.parameters() if p.dim() <= 1]
        groups = [{"params": decayed, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=1e-4, betas=(0.9, 0.95), fused=True)
        self.input = torch.randint(0, vocabulary, (batch, length))
        self.target = torch.randint(0, vocabulary, (batch * length,))

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bf16):
            loss = self.forward(self.input, self.target)
        loss.backward()
        value = loss.item()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return value


def best(work, seconds, at_least):
    wall = cpu = float("inf")
    count, value = 0, None
    end = time.perf_counter() + seconds
    while count < at_least or time.perf_counter() < end:
        c, w = time.thread_time(), time.perf_counter()
        value = work()
        wall = min(wall, time.perf_counter() - w)
        cpu = min(cpu, time.thread_time() - c)
        count += 1
    return wall, cpu, value


def peak(precision, threads, seconds):
    found = (0.0, 0)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    with torch.no_grad():
        for size in (256, 512, 1024, 2048):
            a = torch.full((size, size), 0.5, dtype=dtype)
            b = torch.full((size, size), 0.5, dtype=dtype)
            wall, cpu, _ = best(lambda: a @ b, seconds, 5)
            found = max(found, (2.0 * size**3 / (cpu if threads == 1 else wall), size))
    return {"flops": found[0], "size": found[1]}


def modes():
    eager = ["eager-fp32", "eager-bf16"]
    compiler = shutil.which("g++") or shutil.which("c++") or shutil.which("clang++")
    return eager + (["compiled-fp32", "compiled-bf16"] if compiler else [])


def main():
    runs = {}
    for line in sys.stdin:
        request = line.split()
        if not request:
            continue
        if request[0] == "modes":
            answer = {"torch": torch.__version__, "modes": modes()}
        elif request[0] == "peak":
            torch.set_num_threads(int(request[2]))
            answer = peak(request[1], int(request[2]), float(request[3]))
        else:
            _, shape, mode, threads, seconds = request
            torch.set_num_threads(int(threads))
            key = (shape, mode, threads)
            if key not in runs:
                runs[key] = Run(shape, mode)
                for _ in range(3):
                    runs[key].step()
            wall, cpu, loss = best(runs[key].step, float(seconds), 3)
            answer = {"wallMs": wall * 1e3, "cpuMs": cpu * 1e3, "loss": loss}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
