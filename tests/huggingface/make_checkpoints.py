"""Writes a small random checkpoint of every family, as save_pretrained does, with its tokenizer's files and a scalar energy's
head beside it.    make_checkpoints.py TOKENIZERS FOLDER [NAME...]
"""
import pathlib
import shutil
import sys

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from families import DECODERS, FAMILIES, Energy, randomise


def make_checkpoint(tokenizers, folder, name, number):
    tokenizer, model_type, sizes = {**FAMILIES, **DECODERS}[name]
    size = len(AutoTokenizer.from_pretrained(tokenizers / tokenizer))
    config = AutoConfig.for_model(model_type, **{"num_labels": 3, "vocab_size": size, **sizes})
    generator = torch.Generator().manual_seed(number)
    kind = AutoModelForCausalLM if name in DECODERS else AutoModelForSequenceClassification
    model = kind.from_config(config)
    randomise(model, generator)
    model.tie_weights()
    model.save_pretrained(folder / name)
    if name in FAMILIES:
        energy = Energy(model.config.hidden_size)
        randomise(energy, generator)
        save_file({"energy." + n: p.detach().contiguous() for n, p in energy.named_parameters()},
                  folder / name / "energy.safetensors", metadata={"format": "pt"})
    for file in (tokenizers / tokenizer).iterdir():
        shutil.copy(file, folder / name)
    print(f"{name}: {sum(p.numel() for p in model.parameters())} parameters")


def main():
    tokenizers, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate([*FAMILIES, *DECODERS]):
        if name in sys.argv[3:] or len(sys.argv) == 3:
            make_checkpoint(tokenizers, folder, name, number)


if __name__ == "__main__":
    main()
