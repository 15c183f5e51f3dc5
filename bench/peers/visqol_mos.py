#!/usr/bin/env python3
"""ViSQOL (audio mode) of what codecs made, against the originals that `bench/run CodecPeerBench --wav FOLDER` wrote.

    python -m venv VENV && VENV/bin/pip install visqol-python
    VENV/bin/python bench/peers/visqol_mos.py FOLDER

FOLDER/original/N.wav are the references; every other folder beside it is a codec with the same files, 48 kHz mono.
Prints one JSON object: for each codec the MOS-LQO (1 to 5) of each file and their mean, beside that of the original
with itself, which is the highest that the model gives. Never part of a build. visqol-python 3.8.0 is a port of
Google's C++ ViSQOL v3 with its SVR model; it needs a C++ compiler for libsvm-official.
"""
import importlib.metadata
import json
import pathlib
import sys

import soundfile
from visqol import VisqolApi

RATE = 48000


def score(api, reference, made):
    for file in (reference, made):
        if soundfile.info(file).samplerate != RATE:
            sys.exit(f"{file} is not at {RATE} Hz, the rate of the audio mode")
    return api.measure(str(reference), str(made)).moslqo


def main():
    if len(sys.argv) != 2 or not (folder := pathlib.Path(sys.argv[1]) / "original").is_dir():
        sys.exit(__doc__)
    references = sorted(folder.glob("*.wav"), key=lambda file: int(file.stem))
    api = VisqolApi()
    api.create(mode="audio")
    result = {"visqol-python": importlib.metadata.version("visqol-python"), "codecs": {}}
    for codec in sorted(path for path in folder.parent.iterdir() if path.is_dir()):
        each = [score(api, file, codec / file.name) for file in references]
        result["codecs"][codec.name] = {"mean": sum(each) / len(each), "each": each}
        print(f"{codec.name}: {result['codecs'][codec.name]['mean']:.3f}", file=sys.stderr)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
