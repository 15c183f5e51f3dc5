#!/usr/bin/env python3
"""What goes around a MusicGen, made with the reference implementations: a tokenizer and an adapter.

    python bench/peers/musicgen_parts.py OUT BASE
    python bench/peers/musicgen_parts.py --check ADAPTER BASE

Writes OUT/tokenizer.json (a small unigram tokenizer of T5's manner) with OUT/texts.json (texts and
their ids), and OUT/adapter, a LoRA adapter with random weights for the MusicGen fixture BASE as PEFT
writes it, with the logits it must give in OUT/adapter/expected.safetensors. The tests read

    python bench/peers/musicgen_parts.py models/src/test/resources/musicgen \\
        models/src/test/resources/published/musicgen-guided

--check loads an adapter that we wrote into PEFT and prints the largest relative difference to the
logits in ADAPTER/expected.safetensors. Never part of a build. Needs tokenizers, peft, torch,
transformers and safetensors.
"""
import json
import pathlib
import shutil
import sys

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import MusicgenForConditionalGeneration

CORPUS = [
    "a slow piano in a large room", "fast drums and a warm bass", "bright guitars over a slow beat",
    "warm strings, no drums", "a piano and a bass play in the dark", "drums, drums, more drums",
    "the bass is warm and the room is large", "slow strings and bright bells"]
TEXTS = [
    "a slow piano", "warm bass and drums", "  two   spaces\tand a tab ", "Übung: ﬁve ½ drums…", "", "xyzzy 🥁🥁 bass",
    "pianos drumming", "strings-and-bells, room!"]


def tokenizer(out):
    made = Tokenizer(models.Unigram())
    made.normalizer = normalizers.NFKC()
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")])
    made.train_from_iterator(
        CORPUS * 4,
        trainers.UnigramTrainer(vocab_size=90, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>"))
    end = made.token_to_id("</s>")
    made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", end)])
    made.save(str(out / "tokenizer.json"))
    (out / "texts.json").write_text(
        json.dumps([{"text": text, "ids": made.encode(text).ids} for text in TEXTS], indent=1) + "\n")
    print("tokenizer:", made.get_vocab_size(), "pieces,", [len(made.encode(text).ids) for text in TEXTS])


def logits(model, base):
    given = load_file(base / "parity.safetensors")
    with torch.no_grad():
        return model(
            input_ids=given["in.input_ids"], attention_mask=given["in.attention_mask"],
            decoder_input_ids=given["in.decoder_input_ids"]).logits


def adapter(out, base):
    torch.manual_seed(31)
    model = MusicgenForConditionalGeneration.from_pretrained(base, dtype=torch.float32)
    settings = LoraConfig(
        r=4, lora_alpha=6, target_modules=["q_proj", "v_proj", "fc1", "enc_to_dec_proj", "lm_heads.1"],
        rank_pattern={"fc1": 2}, use_rslora=True, bias="none")
    adapted = get_peft_model(model, settings).eval()
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            with torch.no_grad():
                weight.copy_(0.2 * torch.randn(weight.shape))
    folder = out / "adapter"
    shutil.rmtree(folder, ignore_errors=True)
    adapted.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    save_file({"logits": logits(adapted, base)}, folder / "expected.safetensors")
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = base.name
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=1) + "\n")
    print("adapter:", sum(file.stat().st_size for file in folder.iterdir()), "bytes")


def main():
    if len(sys.argv) == 4 and sys.argv[1] == "--check":
        folder, base = pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
        model = MusicgenForConditionalGeneration.from_pretrained(base, dtype=torch.float32)
        ours = load_file(folder / "expected.safetensors")["logits"]
        theirs = logits(PeftModel.from_pretrained(model, folder).eval(), base)
        print(f"largest relative difference {((ours - theirs).abs().max() / theirs.abs().max()).item():.1e}")
        return
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    out, base = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    tokenizer(out)
    adapter(out, base)
    for file in out.rglob("*"):
        if file.is_file():
            file.chmod(0o644)


if __name__ == "__main__":
    main()
