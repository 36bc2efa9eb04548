"""Tokens a second of GPT2LMHeadModel.generate with random weights.  torch_generate.py --layers 4 --hidden 384"""
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from peer import begin, options, precision, report, times_of

parser = options(__doc__, 3)
parser.add_argument("--layers", type=int, default=4)
parser.add_argument("--hidden", type=int, default=384)
parser.add_argument("--heads", type=int, default=6)
parser.add_argument("--vocabulary", type=int, default=30522)
parser.add_argument("--rows", type=int, default=64)
parser.add_argument("--prompt", type=int, default=16)
parser.add_argument("--new_tokens", type=int, default=32)
parser.add_argument("--top_k", type=int, default=20)
args = parser.parse_args()

device, wait = begin(args)
model = GPT2LMHeadModel(GPT2Config(n_layer=args.layers, n_embd=args.hidden, n_head=args.heads,
                                   vocab_size=args.vocabulary)).eval().to(device)
prompt = torch.randint(5, args.vocabulary, (args.rows, args.prompt), device=device)


def generate():
    with torch.inference_mode(), precision(args):
        model.generate(prompt, attention_mask=torch.ones_like(prompt), do_sample=True, top_k=args.top_k,
                       max_new_tokens=args.new_tokens, min_new_tokens=args.new_tokens, pad_token_id=0)
    wait()


report("generation", args, times_of(args, generate), layers=args.layers, hidden=args.hidden, rows=args.rows,
       tokens=args.rows * args.new_tokens)
