"""What the peers share: options, the device and precision, reading texts, and results as one JSON object."""
import argparse
import contextlib
import csv
import gzip
import json
import resource
import statistics
import sys
import time

import torch


def options(text, repeats, texts=False):
    """A parser with the options that all peers have; `texts`: also those of works on a file of texts."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    if texts:
        for name in ("model", "tokenizer", "text_file"):
            parser.add_argument(name)
        parser.add_argument("--text_column", default="sentence")
        parser.add_argument("--max_seq_length", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=repeats)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--bf16", action="store_true")
    return parser


def begin(args):
    """The device, and a function that waits until all that was queued on it is done."""
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    device = torch.device(args.device)
    return device, (torch.cuda.synchronize if device.type == "cuda" else lambda: None)


def precision(args):
    return torch.autocast(torch.device(args.device).type, dtype=torch.bfloat16) if args.bf16 else contextlib.nullcontext()


def times_of(args, work):
    """Seconds of each repeat, and of one before them."""
    times = []
    for _ in range(args.repeats + 1):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return times


def update(model, optimizer, loss):
    """From the loss to new weights, as the Trainer does it."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()


def summary(times):
    """Median and spread; the first time is left out, it pays for what is built and allocated once."""
    timed = times[1:]
    return {"median_s": statistics.median(timed), "min_s": min(timed), "max_s": max(timed)}


def report(work, args, times, **more):
    result = {"work": work, "torch": torch.__version__, "threads": args.threads, "bf16": getattr(args, "bf16", False),
              "repeats": len(times) - 1, "first_s": times[0], **summary(times)}
    for name, value in more.items():
        result[name] = summary(value) if isinstance(value, list) else value
    result["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    json.dump(result, sys.stdout)
    print()


def read_texts(path, column="sentence"):
    """One column of a TSV file with a header, as GLUE has them, in the order of the file."""
    opened = gzip.open if path.endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8", newline="\n") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [row[column] for row in rows]


def classifier_of(model):
    """roberta-base and minilm-l6 by their sizes alone, with random weights; else a directory's."""
    from transformers import (AutoModelForSequenceClassification, BertConfig, BertForSequenceClassification,
                              RobertaConfig, RobertaForSequenceClassification)
    if model == "roberta-base":
        return RobertaForSequenceClassification(RobertaConfig(vocab_size=50265, max_position_embeddings=514,
                                                              type_vocab_size=1, num_labels=2))
    if model == "minilm-l6":
        return BertForSequenceClassification(BertConfig(vocab_size=30522, hidden_size=384, num_hidden_layers=6,
                                                        num_attention_heads=12, intermediate_size=1536, num_labels=2))
    return AutoModelForSequenceClassification.from_pretrained(model, num_labels=2)


def padded(tokenizer, encodings, device):
    """A batch padded to its longest text."""
    return {k: v.to(device) for k, v in tokenizer.pad({"input_ids": encodings}, return_tensors="pt").items()}
