"""One training step of a random encoder on random tokens.  torch_step.py minilm-l6|roberta-base [--bf16]"""
import argparse
import contextlib
import time

import torch

from peer import classifier_of, device_of, report

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("model", choices=["minilm-l6", "roberta-base"])
parser.add_argument("--batch_size", type=int, default=16)
parser.add_argument("--sequence_length", type=int, default=128)
parser.add_argument("--repeats", type=int, default=5)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--device", default="cpu")
parser.add_argument("--bf16", action="store_true")
args = parser.parse_args()

torch.set_num_threads(args.threads)
torch.manual_seed(1)
device, wait = device_of(args.device)
model = classifier_of(args.model).train().to(device)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
ids = torch.randint(5, model.config.vocab_size, (args.batch_size, args.sequence_length), device=device)
mask = torch.ones_like(ids)
labels = torch.randint(0, 2, (args.batch_size,), device=device)


def step():
    precision = torch.autocast(device.type, dtype=torch.bfloat16) if args.bf16 else contextlib.nullcontext()
    with precision:
        loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    wait()


times = []
for _ in range(args.repeats + 1):
    start = time.perf_counter()
    step()
    times.append(time.perf_counter() - start)
report("step", args, times, model=args.model, batch_size=args.batch_size, sequence_length=args.sequence_length)
