"""Runs ebmcl and its peers in turn on the same work and prints the ratios as a table of Markdown.

    run.py                                                      steps, generation, attention
    run.py --tokenizer MINILM --text_file SST-2/dev.tsv         and evaluation, the joint step on real texts
    run.py --tokenizer MINILM --plain_files brown.txt           and token ids
    run.py --bf16 --works step --turns 5                        some of it, in bf16 too

Each turn runs ours, then the peer. Times are medians of a run's repeats; the table has the median of the turns, in
brackets the least and the most of all, and for the ratio (the peer's time over ours, above 1: we are faster) of the
turns' ratios. MINILM is a directory with a tokenizer of BERT's vocabulary, as bench/fetch_minilm.sh makes it.
Needs a Python with torch and transformers (and tokenizers for token ids); it runs this script and the peers.
"""
import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--ebmcl", default=str(HERE.parent.parent / "build/release/ebmcl"), help="the program")
parser.add_argument("--model", default="minilm-l6", choices=["minilm-l6", "roberta-base"], help="of steps, evaluation")
parser.add_argument("--tokenizer", help="a directory, for texts")
parser.add_argument("--text_file", help="a .tsv file with a column of texts")
parser.add_argument("--text_column", default="sentence")
parser.add_argument("--plain_files", nargs="+", help="plain text, one text a line")
parser.add_argument("--noise_ratio", type=int, default=8)
parser.add_argument("--turns", type=int, default=3)
parser.add_argument("--repeats", type=int, default=5)
parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of torch and of PoCL")
parser.add_argument("--works", nargs="+", help="only works with one of these words in their names")
parser.add_argument("--bf16", action="store_true", help="each also in bf16: autocast, EBMCL_GEMM=bf16")
parser.add_argument("--json", help="a file for all results")
args = parser.parse_args()


def ours_of_rows(*names):
    """Seconds of the rows that begin with these names, of one unit of their work."""
    def read(result):
        rows = [next(r for r in result["results"] if r["name"].startswith(name)) for name in names]
        return [sum(row[key] for row in rows) for key in ("median_s", "min_s", "max_s")]
    return read


def ours_of_first(result):
    row = result["results"][0]
    return [row[key] for key in ("median_s", "min_s", "max_s")]


def ours_of_tokens(result):
    row = result["results"][0]
    return [1 / row[key] for key in ("rate", "rate_max", "rate_min")]


def ours_of_wall(result):
    return [result["wall"][key] for key in ("median_s", "min_s", "max_s")]


def peer_of_times(result):
    return [result[key] for key in ("median_s", "min_s", "max_s")]


def peer_of_tokens(result):
    return [result[key] / result["tokens"] for key in ("median_s", "min_s", "max_s")]


def attention(rows, tokens, dropout):
    ours = ["kernels", "--random", "roberta-base", "--batch_size", rows, "--sequence_length", tokens, "--repeats",
            args.repeats, "--peak_gflops", 1, "--peak_gb_s", 1] + ([] if dropout else ["--no_dropout"])
    peer = ["torch_attention.py", "--rows", rows, "--tokens", tokens, "--dropout", dropout]
    return {"name": f"attention, {rows} x {tokens}, 12 heads of 64, dropout {dropout}, forward + backward",
            "ours": ours, "read": ours_of_rows("attention,", "attention backward,"), "peer": peer,
            "read_peer": peer_of_times, "bf16": False}


def works():
    step = ["step", "--random", args.model, "--repeats", args.repeats]
    yield {"name": f"ce step, {args.model}, 16 x 128", "ours": step, "read": ours_of_first,
           "peer": ["torch_step.py", args.model], "read_peer": peer_of_times}
    yield {"name": "generation, GPT-2 4 x 384, 64 slots, 32 new tokens, top 20, a token",
           "ours": ["noise", "--random", "--repeats", args.repeats], "read": ours_of_tokens,
           "peer": ["torch_generate.py"], "read_peer": peer_of_tokens}
    for rows, tokens in ((32, 128), (8, 512)):
        for dropout in (0, 0.1):
            yield attention(rows, tokens, dropout)
    if args.tokenizer and args.text_file:
        texts = ["--tokenizer", args.tokenizer, "--text_file", args.text_file, "--text_column", args.text_column]
        peer = [args.model, args.tokenizer, args.text_file, "--text_column", args.text_column]
        name = pathlib.Path(args.text_file).name
        yield {"name": f"eval, {args.model}, {name}", "read": ours_of_first,
               "ours": ["eval", "--random", args.model, "--repeats", args.repeats, "--peak_gflops", 1, "--peak_gb_s", 1]
               + texts, "peer": ["torch_eval.py"] + peer, "read_peer": peer_of_times, "same": ["texts", "tokens"]}
        for ratio in (0, args.noise_ratio):
            joint = ["--objective", "joint", "--noise_ratio", ratio] if ratio else []
            yield {"name": f"joint step, K = {ratio}, 32 of {name}, {args.model}" if ratio else
                   f"ce step, 32 of {name}, {args.model}",
                   "ours": step + ["--batch_size", 32] + joint + texts, "read": ours_of_first,
                   "peer": ["torch_joint.py"] + peer + ["--noise_ratio", ratio], "read_peer": peer_of_times}
    if args.tokenizer and args.plain_files:
        peer = ["tokenizers_encode.py", str(pathlib.Path(args.tokenizer) / "tokenizer.json")] + args.plain_files
        yield {"name": "token ids, one thread", "read": ours_of_wall, "bf16": False, "peer": peer,
               "ours": ["tokenizer", "--tokenizer", args.tokenizer, "--repeats", args.repeats, "--text_files"]
               + args.plain_files, "read_peer": ours_of_wall, "same": ["lines", "tokens", "ids_crc32"]}


def run(command, **environment):
    found = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                           env={**os.environ, **environment})
    if found.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {found.stderr.strip()}")
    return json.loads(found.stdout)


def run_ours(part, *rest, bf16=False):
    environment = {"POCL_MAX_PTHREAD_COUNT": str(args.threads), **({"EBMCL_GEMM": "bf16"} if bf16 else {})}
    return run([args.ebmcl, "bench", part, "--json", *rest], **environment)  # a list of files takes what follows it


def run_peer(work, bf16):
    script, *rest = work["peer"]
    more = ["--repeats", args.repeats]
    if script != "tokenizers_encode.py":
        more += ["--threads", args.threads] + (["--bf16"] if bf16 else [])
    return run([sys.executable, HERE / script] + rest + more)


def time_text(seconds):
    scale, unit = (1e6, "us") if seconds < 1e-3 else (1e3, "ms") if seconds < 1 else (1, "s")
    return f"{scale * seconds:.3g} {unit}"


def spread(times):
    """Of all turns: the median of the medians, the least and the most."""
    return statistics.median(t[0] for t in times), min(t[1] for t in times), max(t[2] for t in times)


def times_text(times):
    median, least, most = spread(times)
    return f"{time_text(median)} ({time_text(least)} to {time_text(most)})"


def check_same(work, ours, peer):
    """Both say what texts they had and what tokens came out."""
    for key in work.get("same", []):
        if ours[key] != peer[key]:
            raise RuntimeError(f"not the same work: {key} is {ours[key]} here, {peer[key]} there")


def compare(work, bf16):
    """All turns of one work; a row of the table."""
    found = {"work": work["name"] + (", bf16" if bf16 else ""), "ours": [], "peer": []}
    for turn in range(args.turns):
        print(f"{found['work']}, turn {turn + 1} of {args.turns}", file=sys.stderr)
        ours, peer = run_ours(*work["ours"], bf16=bf16), run_peer(work, bf16)
        check_same(work, ours, peer)
        found["ours"].append(work["read"](ours))
        found["peer"].append(work["read_peer"](peer))
        found["name"] = "tokenizers " + peer["tokenizers"] if "tokenizers" in peer else "torch " + peer["torch"]
    found["ratios"] = [peer[0] / ours[0] for ours, peer in zip(found["ours"], found["peer"])]
    return found


def wanted(work):
    return not args.works or any(word in work["name"] for word in args.works)


def print_row(found):
    ratios = found["ratios"]
    print(f"| {found['work']} | {found['name']}: {times_text(found['peer'])} | {times_text(found['ours'])} | "
          f"**{statistics.median(ratios):.2f}** ({min(ratios):.2f} to {max(ratios):.2f}) |", flush=True)


def main():
    chosen = [work for work in works() if wanted(work)]
    if not chosen:
        sys.exit("run.py: no work has one of these words in its name: " + " ".join(args.works))
    if not (args.tokenizer and args.text_file):
        print("no --tokenizer and --text_file: nothing on real texts", file=sys.stderr)
    about = run_ours("device")
    print(f"{about['device']}, driver {about['driver']}, {about['peak_gflop_per_s']:.0f} GFLOP/s, "
          f"{about['peak_gb_per_s']:.0f} GB/s; ebmcl {about['version']}; {args.threads} threads, {platform.machine()}; "
          f"{args.turns} turns in alternation.\n")
    print("| work | peer | ours | ratio |\n|---|---|---|---|")
    all_found, failed = [], 0
    for work in chosen:
        for bf16 in (False, True) if args.bf16 and work.get("bf16", True) else (False,):
            try:
                all_found.append(compare(work, bf16))
                print_row(all_found[-1])
            except (RuntimeError, OSError, ValueError, KeyError, StopIteration) as error:
                failed += 1
                print(f"{work['name']}{', bf16' if bf16 else ''}: {error!s}", file=sys.stderr)
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps({"device": about, "works": all_found}, indent=2) + "\n")
    sys.exit(1 if failed else 0)


main()
