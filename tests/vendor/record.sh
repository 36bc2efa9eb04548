#!/usr/bin/env bash
# Writes the programs that the library builds with the GPU form of its kernels to FILE, one a line: kernel file, a
# space, options. The kernel tests run for it, at their small sizes; variants.py puts sizes of real models in the place
# of theirs.
#
#     tests/vendor/record.sh BUILD FILE
set -euo pipefail
build=$1
list=$(mktemp)
trap 'rm -f "$list"' EXIT
export EBMCL_KERNELS=gpu EBMCL_TEST_SMALL=1 EBMCL_PROGRAM_LIST=$list
for test in runtime device_benchmark attention attention_cache attention_first operations_elements \
    operations_head operations_norm operations_rotary operations_sums half energy label_loss mixup objective optimizer \
    lm_loss sampling generator gemm; do
    gemm=
    if [ "$test" = gemm ]; then gemm=plain; fi
    EBMCL_GEMM=$gemm "$build/tests/test_$test" >/dev/null 2>"$list.log" || {
        cat "$list.log" >&2
        rm -f "$list.log"
        echo "record.sh: test_$test failed" >&2
        exit 1
    }
    rm -f "$list.log"
done
# Options are single words with single spaces; every line once.
sed -E 's/ +/ /g; s/ $//' "$list" | LC_ALL=C sort -u >"$2"
