"""Times the tokenizers library on one thread, on the lines `ebmcl bench tokenizer` reads.

    tokenizers_encode.py TOKENIZER FILE...                                    its times, as JSON
    tokenizers_encode.py TOKENIZER FILE... --ebmcl PROGRAM --directory DIR    both in turn, and the ratios

TOKENIZER is a tokenizer.json; DIR the directory ebmcl loads, when it is not the folder of TOKENIZER.
"""
import argparse
import gc
import gzip
import json
import os
import pathlib
import resource
import statistics
import subprocess
import time
import zlib
from array import array

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
import tokenizers  # noqa: E402  (reads the two when it is loaded)

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("tokenizer")
parser.add_argument("text_files", nargs="+")
parser.add_argument("--repeats", type=int, default=5)
parser.add_argument("--batch", type=int, default=1000, help="texts a call")
parser.add_argument("--ebmcl", help="the program; runs it in turn with the library")
parser.add_argument("--directory")
parser.add_argument("--turns", type=int, default=3)
args = parser.parse_args()


def read_lines(path):
    """As ebm_text_lines_read: a byte-order mark and CR before LF dropped, lines of nothing but blanks passed over."""
    data = (gzip.open if path.endswith(".gz") else open)(path, "rb").read().removeprefix(b"\xef\xbb\xbf")
    lines = (line.removesuffix(b"\r") for line in data.split(b"\n"))
    return [line.decode() for line in lines if line.strip(b" \t\r\v\f")]


def encode(tokenizer, batches):
    start, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_utime
    for batch in batches:
        tokenizer.encode_batch_fast(batch)
    return time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_utime - used


def summary(times):
    return {"median_s": statistics.median(times), "min_s": min(times), "max_s": max(times)}


def measure(lines):
    """A fresh tokenizer, a first pass, then the timed ones."""
    tokenizer = tokenizers.Tokenizer.from_file(args.tokenizer)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    batches = [lines[i:i + args.batch] for i in range(0, len(lines), args.batch)]
    gc.disable()
    first = encode(tokenizer, batches)
    times = [encode(tokenizer, batches) for _ in range(args.repeats)]
    tokens = check = 0
    for batch in batches:
        for encoding in tokenizer.encode_batch_fast(batch):
            tokens += len(encoding.ids)
            check = zlib.crc32(array("i", encoding.ids).tobytes(), check)
    gc.enable()
    wall, cpu = summary([t[0] for t in times]), summary([t[1] for t in times])
    size = sum(len(line.encode()) for line in lines)
    return {"tokenizer": args.tokenizer, "tokenizers": tokenizers.__version__, "lines": len(lines), "bytes": size,
            "tokens": tokens, "repeats": args.repeats, "first": {"wall_s": first[0], "cpu_s": first[1]}, "wall": wall,
            "cpu": cpu, "mb_per_s": size / wall["median_s"] / 1e6, "tokens_per_s": tokens / wall["median_s"],
            "ids_crc32": f"{check:08x}"}


def run_ours():
    directory = args.directory or str(pathlib.Path(args.tokenizer).parent)
    command = [args.ebmcl, "bench", "tokenizer", "--tokenizer", directory, "--json", "--text_files"]
    return json.loads(subprocess.run(command + args.text_files, check=True, stdout=subprocess.PIPE).stdout)


def in_turn(lines):
    turns = [(run_ours(), measure(lines)) for _ in range(args.turns)]
    ours, theirs = turns[0]
    same = all(o[k] == t[k] for o, t in turns for k in ("lines", "bytes", "tokens", "ids_crc32"))
    result = {"lines": ours["lines"], "bytes": ours["bytes"], "tokens": ours["tokens"], "same_ids": same}
    for key in ("wall", "cpu"):
        result[f"ratio_{key}"] = [round(t[key]["median_s"] / o[key]["median_s"], 2) for o, t in turns]
        result[f"ratio_{key}_least"] = round(min(t[key]["min_s"] for _, t in turns) /
                                             min(o[key]["min_s"] for o, _ in turns), 2)
    result["ratio_first_cpu"] = [round(t["first"]["cpu_s"] / o["first"]["cpu_s"], 2) for o, t in turns]
    for name, found in (("ours", [o for o, _ in turns]), ("theirs", [t for _, t in turns])):
        result[f"{name}_mb_per_s"] = [round(f["mb_per_s"], 2) for f in found]
    return result


texts = [line for path in args.text_files for line in read_lines(path)]
print(json.dumps(in_turn(texts) if args.ebmcl else measure(texts)))
