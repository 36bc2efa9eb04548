"""What ebmcl writes, read by transformers: logits, probabilities and energies of classifiers, logits of noise models,
model cards.

    python tests/huggingface/check_written.py build/release/ebmcl [--keep FOLDER]

Small encoders with the fixtures' vocabularies are trained a few steps with each objective; what the
program predicts is compared with what transformers computes from the directory, before and after the temperature is
folded in, and the Python code of each model card is run as it stands. Ends with 1 at the first difference.
"""
import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

import torch
import yaml
from huggingface_hub import ModelCard
from transformers import (AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer, BertConfig, BertModel,
                          DistilBertConfig, DistilBertModel, ElectraConfig, ElectraModel, RobertaConfig, RobertaModel)

from energy_example import energies

TOKENIZERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures", "tokenizer")
LABELS = ['not "good" | at all', "it's: <b>fine</b> # \\ \u00fc"]  # names that YAML and Markdown would trip over
TRAIN, DEV = "train `a|b`.tsv", "dev: --- \u00fc.tsv"


def make_encoder(family):
    torch.manual_seed(3)
    tokenizer = "roberta" if family == "roberta" else "bert"
    files = ["vocab.json", "merges.txt"] if family == "roberta" else ["vocab.txt"]
    with open(f"{TOKENIZERS}/{tokenizer}/{files[0]}", encoding="utf-8") as file:
        count = len(json.load(file)) if family == "roberta" else len(file.read().splitlines())
    sizes = dict(vocab_size=count, max_position_embeddings=50)
    layers = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64)
    model = {
        "bert": lambda: BertModel(BertConfig(**sizes, **layers)),
        "roberta": lambda: RobertaModel(RobertaConfig(type_vocab_size=1, **sizes, **layers)),
        "distilbert": lambda: DistilBertModel(DistilBertConfig(dim=32, n_layers=2, n_heads=2, hidden_dim=64, **sizes)),
        "electra": lambda: ElectraModel(ElectraConfig(embedding_size=16, **sizes, **layers)),
    }[family]()
    model.save_pretrained(family)
    for file in files:
        shutil.copy(f"{TOKENIZERS}/{tokenizer}/{file}", family)


def make_texts(seed, count=96):
    draw = random.Random(seed)
    good, bad = "good fine warm great lovely happy".split(), "bad dull cold sad awful poor".split()
    rows = []
    for _ in range(count):
        label = draw.random() < 0.5
        words = draw.choices("very quite rather so not".split(), k=draw.randint(0, 3)) + [draw.choice(good if label else bad)]
        rows.append(("The film was " + " ".join(words) + ".", label != (draw.random() < 0.1)))
    return rows


def write_texts():
    for name, seed, count in ((TRAIN, 1, 256), (DEV, 2, 96)):
        with open(name, "w", encoding="utf-8") as file:
            file.write("sentence\tlabel\n")
            file.writelines(f"{text}\t{LABELS[label]}\n" for text, label in make_texts(seed, count))
    with open("noise.txt", "w", encoding="utf-8") as file:
        file.writelines(" ".join(sorted(text.split())) + "\n" for text, _ in make_texts(3))


def run(program, *arguments):
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(arguments)}\n{done.stderr}")
    return done.stdout


def predict(program, model, *more):
    run(program, "predict", "--model_name_or_path", model, "--test_file", DEV, "--output_file", "out.jsonl", *more)
    rows = [json.loads(line) for line in open("out.jsonl", encoding="utf-8")]
    energy = [row["energy"] for row in rows] if "energy" in rows[0] else None
    return torch.tensor([r["logits"] for r in rows]), torch.tensor([r["probabilities"] for r in rows]), energy


def check(what, found, expected, tolerance):
    scale = 1 + expected.abs().max().item()
    error = (found - expected).abs().max().item() / scale
    print(f"  {what:58s} {error:.1e}")
    if not error < tolerance:
        sys.exit(f"{what}: expected at most {tolerance}")


def logits_of(model, texts):
    tokenizer = AutoTokenizer.from_pretrained(model)
    loaded, report = AutoModelForSequenceClassification.from_pretrained(model, output_loading_info=True)
    if report["missing_keys"] or report["unexpected_keys"]:
        sys.exit(f"{model}: {report}")
    if [loaded.config.id2label[i] for i in range(2)] != sorted(LABELS):
        sys.exit(f"{model}: labels {loaded.config.id2label}")
    with torch.no_grad():
        inputs = tokenizer(texts, truncation=True, max_length=16, padding=True, return_tensors="pt")
        return loaded.eval()(**inputs).logits


def front_matter(model):
    text = open(f"{model}/README.md", encoding="utf-8").read()
    if os.getcwd() in text or os.sep + "tmp" in text:
        sys.exit(f"{model}: the card holds a path of this machine")
    found = re.match(r"---\n(.*?\n)---\n", text, re.S)
    ModelCard(text)  # the hub's own reading, results included
    return yaml.safe_load(found.group(1)), text


def check_card(program, model, evaluation):
    data, text = front_matter(model)
    if data["library_name"] != "transformers" or "license" in data or "language" in data:
        sys.exit(f"{model}: front matter {data}")
    results = data["model-index"][0]["results"][0]
    if data["model-index"][0]["name"] != model or results["dataset"]["name"] != DEV:
        sys.exit(f"{model}: {data['model-index']}")
    names = {"Accuracy": "accuracy", "F1": "f1", "Negative log-likelihood": "nll", "Brier score": "brier",
             "Expected calibration error, class-wise": "ece_class_wise"}
    values = {names[m["name"]]: m["value"] for m in results["metrics"] if m["name"] in names}
    for name, value in values.items():
        if abs(value - evaluation[name]) > 2e-6:
            sys.exit(f"{model}: {name} {value}, eval says {evaluation[name]}")
        shown = re.search(rf"^\| {name} \| ([0-9.]+) \|", text, re.M)
        if not shown or abs(float(shown.group(1)) - evaluation[name]) > 5.1e-5:
            sys.exit(f"{model}: {name} in the table: {shown and shown.group(0)}, eval says {evaluation[name]}")
    if len(values) != len(names) or len(ModelCard(text).data.eval_results) != len(results["metrics"]):
        sys.exit(f"{model}: {values}")
    print("  card: front matter, metrics and the hub's reading agree")


def run_card_code(model, text):
    """The Python of the model card, as it stands."""
    code = re.search(r"```python\n(.*?)```", front_matter(model)[1], re.S).group(1)
    code = code.replace("path/to/this/model", model).replace('["A text."]', json.dumps([text]))
    names = {}
    exec(code, names)
    return names["probabilities"], names.get("energy")


def check_model(program, model, joint):
    texts = [text for text, _ in make_texts(2)]
    fitted = os.path.exists(f"{model}/calibration.json")
    logits, probabilities, energy = predict(program, model, *(["--calibrated"] if fitted else []))
    check("logits", logits_of(model, texts), logits, 1e-5)
    if joint:
        check("energies, energy_example.py", energies(model, texts), torch.tensor(energy), 1e-5)
    for i in (0, 7):
        p, e = run_card_code(model, texts[i])
        check(f"probabilities of text {i}, the card's code", p[0], probabilities[i], 1e-5)
        if joint:
            check(f"energy of text {i}, the card's code", e[0], torch.tensor(energy[i]), 1e-5)


def train(program, family, energy):
    model = f"{family}-{energy or 'ce'}"
    more = ["--objective", "joint", "--energy", energy, "--noise_file", "noise.txt"] if energy else []
    run(program, "train", "--model_name_or_path", os.path.abspath(family), "--train_file", os.path.abspath(TRAIN),
        "--validation_file", os.path.abspath(DEV), "--max_seq_length", "16", "--num_train_epochs", "12", "--learning_rate",
        "5e-3", "--output_dir", os.path.abspath(model), *more)
    return model


def evaluate(program, model):
    return json.loads(run(program, "eval", "--model_name_or_path", model, "--test_file", DEV, "--bootstrap_samples", "0",
                          "--json"))


def check_classifier(program, family, energy):
    model = train(program, family, energy)
    print(model)
    check_card(program, model, evaluate(program, model))
    check_model(program, model, energy)
    fit = json.loads(run(program, "calibrate", "--model_name_or_path", model, "--validation_file", DEV, "--json"))
    print(f" with temperature {fit['temperature']:.4f} beside it")
    check_model(program, model, energy)
    _, calibrated, energy_before = predict(program, model, "--calibrated")
    folded = f"{model}-folded"
    run(program, "calibrate", "--model_name_or_path", model, "--validation_file", DEV, "--fold_temperature",
        "--output_dir", folded)
    print(" with the temperature in its weights")
    softmax = torch.softmax(logits_of(folded, [text for text, _ in make_texts(2)]).double(), -1)
    # A float's rounding of the logits counts 1 / T times.
    check("softmax in transformers against predict --calibrated", softmax, calibrated.double(),
          1e-6 * max(1, 1 / fit["temperature"]))
    if not torch.equal(softmax.argmax(-1), calibrated.argmax(-1)):
        sys.exit(f"{folded}: other predictions")
    check_card(program, folded, evaluate(program, folded))
    check_model(program, folded, energy)
    if energy:
        check("energies before and after", torch.tensor(predict(program, folded)[2]), torch.tensor(energy_before), 1e-5)


def check_noise_model(program, family):
    model = f"{family}-noise"
    print(model)
    run(program, "noise", "train", "--encoder", family, "--layers", "1", "--train_file", TRAIN, "--num_train_epochs", "1",
        "--output_dir", os.path.abspath(model))
    data, _ = front_matter(model)
    if data["pipeline_tag"] != "text-generation":
        sys.exit(f"{model}: {data}")
    loaded, report = AutoModelForCausalLM.from_pretrained(model, output_loading_info=True)
    if report["missing_keys"] or report["unexpected_keys"]:
        sys.exit(f"{model}: {report}")
    ids = AutoTokenizer.from_pretrained(model)("The film was good.", return_tensors="pt").input_ids
    with torch.no_grad():
        if not loaded.eval()(ids).logits.isfinite().all():
            sys.exit(f"{model}: logits are not finite")
    print("  loads, tokenizer and card too")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--keep", help="a folder for what is made; else it is removed")
    arguments = parser.parse_args()
    program = os.path.abspath(arguments.program)
    folder = os.path.abspath(arguments.keep) if arguments.keep else tempfile.mkdtemp()
    os.makedirs(folder, exist_ok=True)
    os.chdir(folder)
    torch.set_num_threads(1)
    write_texts()
    for family, kinds in (("bert", (None, "hidden", "sharp-hidden", "scalar")), ("roberta", ("hidden",)),
                          ("distilbert", ("scalar",)), ("electra", ("sharp-hidden",))):
        make_encoder(family)
        for energy in kinds:
            check_classifier(program, family, energy)
    for family in ("bert", "roberta"):
        check_noise_model(program, family)
    if not arguments.keep:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
