"""One training step of a random encoder on random tokens.  torch_step.py minilm-l6|roberta-base [--bf16]"""
import argparse
import contextlib
import json
import resource
import statistics
import time

import torch
from transformers import (BertConfig, BertForSequenceClassification, RobertaConfig,
                          RobertaForSequenceClassification)

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("model", choices=["minilm-l6", "roberta-base"])
parser.add_argument("--batch_size", type=int, default=16)
parser.add_argument("--sequence_length", type=int, default=128)
parser.add_argument("--steps", type=int, default=5)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--bf16", action="store_true")
args = parser.parse_args()

torch.set_num_threads(args.threads)
torch.manual_seed(1)
if args.model == "roberta-base":
    config = RobertaConfig(vocab_size=50265, max_position_embeddings=514, type_vocab_size=1, num_labels=2)
    model = RobertaForSequenceClassification(config)
else:
    config = BertConfig(vocab_size=30522, hidden_size=384, num_hidden_layers=6, num_attention_heads=12,
                        intermediate_size=1536, num_labels=2)
    model = BertForSequenceClassification(config)
model.train()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
ids = torch.randint(5, config.vocab_size, (args.batch_size, args.sequence_length))
mask = torch.ones_like(ids)
labels = torch.randint(0, 2, (args.batch_size,))


def step():
    precision = torch.autocast("cpu", dtype=torch.bfloat16) if args.bf16 else contextlib.nullcontext()
    with precision:
        loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()


times = []
for _ in range(args.steps + 1):
    start = time.perf_counter()
    step()
    times.append(time.perf_counter() - start)
print(json.dumps({"model": args.model, "batch_size": args.batch_size, "sequence_length": args.sequence_length,
                  "bf16": args.bf16, "torch": torch.__version__, "first_s": times[0],
                  "median_s": statistics.median(times[1:]), "min_s": min(times[1:]),
                  "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
