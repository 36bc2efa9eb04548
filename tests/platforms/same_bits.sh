#!/usr/bin/env bash
# same_bits.sh PROGRAM: a short training, noise model and joint classifier, on 1, 3 and 16 threads of PoCL. Our kernels sum
# in an order that does not depend on the number of cores: the weights must be the same bytes.
set -euo pipefail
program=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for threads in 1 3 16; do
    POCL_MAX_PTHREAD_COUNT=$threads EBMCL_KERNELS=cpu EBMCL_TUNING=off "$program" quickstart --max_steps 12 \
        --output_dir "$folder/$threads" >"$folder/$threads.log" 2>&1 || { cat "$folder/$threads.log"; exit 1; }
    (cd "$folder/$threads" && find . -name '*.safetensors' | LC_ALL=C sort | xargs sha256sum) >"$folder/$threads.sums"
done
[ -s "$folder/1.sums" ] || { echo "no weights were written" >&2; exit 1; }
for threads in 3 16; do
    cmp "$folder/1.sums" "$folder/$threads.sums" || { echo "weights differ between 1 and $threads threads" >&2; exit 1; }
done
echo "$(wc -l <"$folder/1.sums") files of weights are the same on 1, 3 and 16 threads"
