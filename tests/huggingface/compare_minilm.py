"""A real encoder, all-MiniLM-L6-v2: last hidden states and pooler's output of 200 sentences, logits after a short fine-tuning.
compare_minilm.py FOLDER     FOLDER: scratch; the model lies where $EBMCL_TEST_MINILM says (bench/fetch_minilm.sh)
"""
import json
import os
import pathlib
import shutil
import sys

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel

import agreement
import probe
from compare_written import compare_classifier, ebmcl, write_texts
from reference import encode, pad, save_batch

LABELS = [f"LABEL_{i}" for i in range(2)]


def with_head(source, folder, weight, labels):
    """The encoder with a classification head of this weight and no bias, as a checkpoint."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder)
    tensors = {"bert." + n: t for n, t in load_file(source / "model.safetensors").items() if not n.endswith("position_ids")}
    save_file({**tensors, "classifier.weight": weight, "classifier.bias": torch.zeros(len(weight))},
              folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((source / "config.json").read_text())
    config.update({"architectures": ["BertForSequenceClassification"], "id2label": {str(i): x for i, x in enumerate(labels)},
                   "label2id": {x: i for i, x in enumerate(labels)}})
    (folder / "config.json").write_text(json.dumps(config))


def embeddings(source, rows, dtype):
    model = AutoModel.from_pretrained(source, attn_implementation="eager").to(dtype).eval()
    with torch.no_grad():
        out = model(**pad(rows, model.config.pad_token_id))
    return torch.cat([h[:len(ids)] for h, (ids, _) in zip(out.last_hidden_state, rows)]), out.pooler_output


def compare_embeddings(source, folder):
    rows, texts = encode(source, 200, 64, 16)
    found = probe.tokens(source, [(a, b, 64) for a, b in texts])
    agreement.check("MiniLM: ids and types", found == [tuple(row) for row in rows])
    save_batch(folder / "batch", rows)
    probe.run("hidden", source, folder / "batch", folder / "hidden")
    # Through a head that is the identity the logits are the pooler's output.
    width = json.loads((source / "config.json").read_text())["hidden_size"]
    with_head(source, folder / "identity", torch.eye(width), [f"component {i}" for i in range(width)])
    save_file({"energy.dense.weight": torch.zeros(width, width), "energy.dense.bias": torch.zeros(width),
               "energy.out_proj.weight": torch.zeros(1, width), "energy.out_proj.bias": torch.zeros(1)},
              folder / "identity" / "energy.safetensors")
    probe.run("outputs", folder / "identity", folder / "batch", folder / "pooled")
    exact, single = embeddings(source, rows, torch.float64), embeddings(source, rows, torch.float32)
    answers = load_file(folder / "hidden")["hidden"], load_file(folder / "pooled")["logits"]
    for what, f, e, s in zip(("last hidden states", "pooler's output"), answers, exact, single):
        agreement.report(f"MiniLM: {what} of {len(rows)} texts", (f.double() - e).abs().max().item(),
                         agreement.FACTOR * (s.double() - e).abs().max().item())


def compare_tuned(source, folder):
    write_texts(folder / "train.csv", 96, len(LABELS), 17)
    rows = write_texts(folder / "test.csv", 60, len(LABELS), 18)
    columns = ["--text_column", "text", "--text_pair_column", "pair", "--label_column", "label"]
    ebmcl("train", "--model_name_or_path", source, "--train_file", folder / "train.csv", "--validation_file", folder / "test.csv",
          *columns, "--output_dir", folder / "tuned", "--overwrite_output_dir", "--max_seq_length", 40, "--max_steps", 12,
          "--per_device_train_batch_size", 16)
    ebmcl("predict", "--model_name_or_path", folder / "tuned", "--test_file", folder / "test.csv", *columns, "--output_file",
          folder / "predicted")
    predicted = [json.loads(line) for line in (folder / "predicted").read_text().splitlines()]
    compare_classifier("MiniLM", folder / "tuned", "ce", rows, predicted)


def main():
    source, folder = os.environ.get("EBMCL_TEST_MINILM"), pathlib.Path(sys.argv[1])
    if not source:
        print("skipped: $EBMCL_TEST_MINILM is not set (bench/fetch_minilm.sh fetches the model)")
        sys.exit(77)
    folder.mkdir(parents=True, exist_ok=True)
    compare_embeddings(pathlib.Path(source), folder)
    compare_tuned(pathlib.Path(source), folder)
    agreement.finish()


if __name__ == "__main__":
    main()
