"""Decodes MusicGen with transformers, for org.descant.bench.MusicGenDecodeBench.

    python musicgen_decode.py CONFIG

CONFIG is a MusicGen config.json; the weights are random. Reads one request a line from stdin and
answers each with one JSON line:

    version
    decode DTYPE BATCH TOKENS STEPS WARM GUIDANCE THREADS

DTYPE is float32 or bfloat16. Draws with top_k 250 at temperature 1 from a text of TOKENS tokens, and
answers the seconds, by the clock and of this thread, from the end of step WARM to that of step STEPS. Text encoder and codec run
outside of that time. Needs torch and transformers; nothing of the build needs this file.
"""
import json
import sys
import time

import torch
import transformers
from transformers import MusicgenConfig, MusicgenForConditionalGeneration
from transformers.generation import StoppingCriteria, StoppingCriteriaList


class Clock(StoppingCriteria):
    """Notes when each step ends."""

    def __init__(self):
        self.ends = []

    def __call__(self, ids, scores, **kwargs):
        self.ends.append((time.perf_counter(), time.thread_time()))
        return torch.zeros(ids.shape[0], dtype=torch.bool)


def decode(model, batch, tokens, steps, warm, guidance):
    clock = Clock()
    ids = torch.randint(2, model.config.text_encoder.vocab_size, (batch, tokens))
    model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=steps, do_sample=True, top_k=250,
        temperature=1.0, guidance_scale=guidance, stopping_criteria=StoppingCriteriaList([clock]))
    wall, cpu = (last - first for first, last in zip(clock.ends[warm - 1], clock.ends[steps - 1]))
    return {"seconds": wall, "cpu": cpu, "steps": steps - warm}


def main():
    config = MusicgenConfig.from_dict(json.load(open(sys.argv[1])))
    models = {}
    for line in sys.stdin:
        request = line.split()
        if not request:
            continue
        if request[0] == "version":
            answer = {"torch": torch.__version__, "transformers": transformers.__version__}
        else:
            dtype, batch, tokens, steps, warm, guidance, threads = request[1:]
            torch.set_num_threads(int(threads))
            if dtype not in models:
                torch.manual_seed(1)
                models[dtype] = MusicgenForConditionalGeneration(config).eval().to(getattr(torch, dtype))
            with torch.inference_mode():
                answer = decode(models[dtype], int(batch), int(tokens), int(steps), int(warm), float(guidance))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
