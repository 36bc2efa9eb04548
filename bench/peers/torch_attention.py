"""Attention forward and backward by torch's scaled_dot_product_attention.  torch_attention.py --rows 32 --tokens 128"""
import time

import torch

from peer import begin, options, report

parser = options(__doc__, 15)
parser.add_argument("--rows", type=int, default=32)
parser.add_argument("--tokens", type=int, default=128)
parser.add_argument("--heads", type=int, default=12)
parser.add_argument("--head_size", type=int, default=64)
parser.add_argument("--dropout", type=float, default=0.1)
args = parser.parse_args()

device, wait = begin(args)
kind = torch.bfloat16 if args.bf16 else torch.float32
shape = (args.rows, args.heads, args.tokens, args.head_size)
query, key, value = (torch.rand(shape, device=device, dtype=kind, requires_grad=True) for _ in range(3))
gradient = torch.rand(shape, device=device, dtype=kind)
forward, both = [], []
for _ in range(args.repeats + 1):
    query.grad = key.grad = value.grad = None
    wait()
    start = time.perf_counter()
    out = torch.nn.functional.scaled_dot_product_attention(query, key, value, dropout_p=args.dropout)
    wait()
    middle = time.perf_counter()
    out.backward(gradient)
    wait()
    forward.append(middle - start)
    both.append(time.perf_counter() - start)
report("attention", args, both, forward=forward)
