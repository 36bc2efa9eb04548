"""The way back: what ebmcl noise train and ebmcl train wrote is loaded by transformers, to the same ids, logits and energies.
compare_written.py CHECKPOINTS [NAME...]
"""
import csv
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

import agreement
import probe
from energy_example import energies
from families import FAMILIES
from reference import Classifier, draw_labels, encode, save_batch
from texts import sentences

LONGEST = 40


def ebmcl(*arguments):
    done = subprocess.run([os.environ["EBMCL_PROGRAM"], *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)
    if done.returncode != 0:
        raise SystemExit(f"ebmcl {' '.join(map(str, arguments))}\n{done.stdout}")


def write_texts(path, count, labels, seed):
    """A file of texts and of others as their pairs; returns them."""
    texts = sentences(2 * count, seed)
    rows = [(a, b, f"LABEL_{y}") for a, b, y in zip(texts[:count], texts[count:], draw_labels(count, labels, seed))]
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "pair", "label"), *rows])
    return rows


def same_tokens(what, folder, tokenizer, rows):
    requests = [(a, b if i % 2 else None, LONGEST) for i, (a, b, _) in enumerate(rows)]
    found = [ids for ids, _ in probe.tokens(folder, requests)]
    wanted = [tokenizer(a, b, truncation="longest_first", max_length=longest)["input_ids"] for a, b, longest in requests]
    agreement.check(f"{what}: ids of {len(rows)} texts", found == wanted)


def load(what, kind, folder):
    """The model, when transformers finds every weight it wants and no other."""
    model, found = kind.from_pretrained(folder, output_loading_info=True, attn_implementation="eager")
    wrong = {key: sorted(found[key]) for key in ("missing_keys", "unexpected_keys", "mismatched_keys") if found.get(key)}
    agreement.check(f"{what}: weights by name {wrong or ''}", not wrong)
    return model.double().eval()


def compare_noise(name, folder, work):
    model = load(f"{name}: noise model", AutoModelForCausalLM, folder)
    rows, _ = encode(folder, 4, LONGEST, 13)
    save_batch(work / "batch", rows)
    probe.run("decoder", folder, work / "batch", work / "answer")
    with torch.no_grad():
        wanted = torch.cat([model(input_ids=torch.tensor([ids])).logits[0] for ids, _ in rows])
    found = load_file(work / "answer")["hidden"].double() @ model.get_output_embeddings().weight.detach().T
    agreement.relative(f"{name}: noise model: logits", found, wanted)


def compare_classifier(name, folder, energy, rows, predicted):
    what = f"{name}: {energy}"
    same_tokens(what, folder, AutoTokenizer.from_pretrained(folder), rows)
    model = load(what, AutoModelForSequenceClassification, folder)
    agreement.check(f"{what}: labels", [model.config.id2label[i] for i in range(model.config.num_labels)]
                    == [f"LABEL_{i}" for i in range(model.config.num_labels)])
    agreement.check(f"{what}: problem type", model.config.problem_type == "single_label_classification")
    reference = Classifier(folder, torch.float64)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    encoded = [tokenizer(a, b, truncation="longest_first", max_length=LONGEST) for a, b, _ in rows]
    batch = [(e["input_ids"], e.get("token_type_ids") or [0] * len(e["input_ids"])) for e in encoded]
    with torch.no_grad():
        logits, pooled = reference.outputs(batch)
    agreement.relative(f"{what}: logits", torch.tensor([p["logits"] for p in predicted]), logits)
    if energy != "ce":
        wanted = reference.energies(energy, logits, pooled)
        agreement.relative(f"{what}: energies", torch.tensor([p["energy"] for p in predicted]), wanted)
        agreement.relative(f"{what}: energies by energy_example.py", energies(folder, [(a, b) for a, b, _ in rows]), wanted)


def compare(name, checkpoint, work):
    labels = FAMILIES[name][2].get("num_labels", 3)
    write_texts(work / "train.csv", 48, labels, 14)
    rows = write_texts(work / "test.csv", 40, labels, 15)
    (work / "noise.txt").write_text("".join(f"{a} <SEP> {b}\n" for a, b in zip(sentences(64, 20), sentences(64, 21))))
    columns = ["--text_column", "text", "--text_pair_column", "pair", "--label_column", "label"]
    ebmcl("noise", "train", "--encoder", checkpoint, "--layers", 1, "--hidden", 64, "--train_file", work / "train.csv", *columns,
          "--max_steps", 2, "--output_dir", work / "noise")
    compare_noise(name, work / "noise", work)
    for energy in ("ce", "hidden", "scalar"):
        joint = ["--objective", "joint", "--energy", energy, "--noise_file", work / "noise.txt"]
        out = work / energy
        ebmcl("train", "--model_name_or_path", checkpoint, "--train_file", work / "train.csv", "--validation_file",
              work / "train.csv", *columns, "--output_dir", out, "--max_seq_length", LONGEST, "--max_steps", 3, "--learning_rate",
              1e-4, "--per_device_train_batch_size", 8, *(joint if energy != "ce" else []))
        ebmcl("predict", "--model_name_or_path", out, "--test_file", work / "test.csv", *columns, "--output_file",
              work / "predicted")
        predicted = [json.loads(line) for line in (work / "predicted").read_text().splitlines()]
        compare_classifier(name, out, energy, rows, predicted)


def main():
    checkpoints = pathlib.Path(sys.argv[1])
    for name in sys.argv[2:] or FAMILIES:
        with tempfile.TemporaryDirectory() as work:
            compare(name, checkpoints / name, pathlib.Path(work))
    agreement.finish()


if __name__ == "__main__":
    main()
