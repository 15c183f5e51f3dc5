"""Random excerpts of audio files with soundfile, torchcodec and WebDataset.

    loader.py FOLDER ROUNDS

FOLDER holds stereo-N.wav, stereo-N.flac (44.1 kHz) and mono-N.wav (16 kHz), N from 0. Prints JSON:
for each kind of excerpt each library's speed as a multiple of real time, best of ROUNDS rounds by
the process's CPU time. soundfile is measured with the file opened for each excerpt, as data sets
do it, and kept open; its samples stay interleaved, as it gives them.
"""

import glob
import io
import json
import os
import random
import sys
import tarfile
import time

import soundfile

RATE = 44100


def best(rounds, seconds, run):
    run()
    speed = 0.0
    for _ in range(rounds):
        begin = time.process_time()
        run()
        speed = max(speed, seconds / (time.process_time() - begin))
    return speed


def opened_each_time(paths, rate, seconds, clips):
    def run():
        for _ in range(clips):
            with soundfile.SoundFile(random.choice(paths)) as file:
                file.seek(random.randrange(file.frames - seconds * rate))
                file.read(seconds * rate, dtype="float32")

    return run


def kept_open(paths, rate, seconds, clips):
    files = [soundfile.SoundFile(path) for path in paths]

    def run():
        for _ in range(clips):
            file = random.choice(files)
            file.seek(random.randrange(file.frames - seconds * rate))
            file.read(seconds * rate, dtype="float32")

    return run


def torchcodec_excerpts(paths, rate, seconds, clips, length):
    from torchcodec.decoders import AudioDecoder

    def run():
        for _ in range(clips):
            begin = random.uniform(0, length - seconds - 0.1)
            decoder = AudioDecoder(random.choice(paths))
            decoder.get_samples_played_in_range(begin, begin + seconds)

    return run


def shuffled(paths, folder, form, rounds):
    """WebDataset over a tar of ten-second files, shuffled through its buffer."""
    import webdataset

    tar = os.path.join(folder, form + "-clips.tar")
    count = 0
    with tarfile.open(tar, "w") as out:
        for path in paths:
            samples, rate = soundfile.read(path, dtype="int16")
            for begin in range(0, len(samples) - 10 * rate + 1, 10 * rate):
                clip = io.BytesIO()
                soundfile.write(clip, samples[begin : begin + 10 * rate], rate, format=form.upper())
                info = tarfile.TarInfo("%06d.%s" % (count, form))
                info.size = clip.getbuffer().nbytes
                clip.seek(0)
                out.addfile(info, clip)
                count += 1

    def decode(sample):
        return soundfile.read(io.BytesIO(sample[form]), dtype="float32")[0]

    # Starting an epoch costs as much as some clips: a round is three epochs in one stream.
    def run():
        data = webdataset.WebDataset(tar, shardshuffle=False).repeat(3).shuffle(16).map(decode)
        for _ in data:
            pass

    return best(rounds, 30.0 * count, run)


def main():
    folder, rounds = sys.argv[1], int(sys.argv[2])
    random.seed(2026)
    missing = []
    result = {"missing": missing}
    kinds = [
        ("wav", "stereo-*.wav", RATE, 10, 100, 90),
        ("flac", "stereo-*.flac", RATE, 10, 20, 90),
        ("mono", "mono-*.wav", 16000, 5, 500, 60),
    ]
    for kind, pattern, rate, seconds, clips, length in kinds:
        paths = sorted(glob.glob(os.path.join(folder, pattern)))
        total = float(seconds * clips)
        speeds = {
            "soundfile, opened for each": best(
                rounds, total, opened_each_time(paths, rate, seconds, clips)
            ),
            "soundfile, kept open": best(rounds, total, kept_open(paths, rate, seconds, clips)),
        }
        try:
            import torch

            torch.set_num_threads(1)
            few = max(5, clips // 10)
            speeds["torchcodec"] = best(
                rounds,
                float(seconds * few),
                torchcodec_excerpts(paths, rate, seconds, few, length),
            )
        except (ImportError, OSError, RuntimeError) as error:
            missing.append("torchcodec on %s: %s" % (kind, str(error).strip().splitlines()[0]))
        result[kind] = speeds
        if kind != "mono":
            try:
                result[kind + "-shuffled"] = {
                    "WebDataset, shuffled through a buffer": shuffled(paths, folder, kind, rounds)
                }
            except ImportError as error:
                missing.append("WebDataset: %s" % error)
    json.dump(result, sys.stdout)


main()
