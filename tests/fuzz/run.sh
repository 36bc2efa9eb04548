#!/bin/sh
# Builds the fuzz targets with clang and runs each for some seconds (60), or only those that are named:
#     tests/fuzz/run.sh [SECONDS [TARGET...]]
# Inputs that reach something new are kept in build/fuzz/corpus, what goes wrong in build/fuzz/found: put that into
# tests/fuzz/corpus/<target>/ with its repair. Ends with the number of targets that found something.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-60}
[ $# -gt 0 ] && shift
build=build/fuzz
cmake -S . -B $build -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_COMPILER="${CC:-clang}" -DEBMCL_FUZZ=ON >/dev/null
cmake --build $build --target fuzz -j "$(nproc)"
[ $# -gt 0 ] || set -- charsmap config dataset normalize predictions safetensors shards tokenize tokenizer_json \
    vocab_json vocab_txt
mkdir -p $build/found
bad=0
for target in "$@"; do
    mkdir -p "$build/corpus/$target"
    echo "== $target, $seconds s"
    ASAN_OPTIONS=allocator_may_return_null=1:quarantine_size_mb=16 "$build/tests/fuzz_$target" -max_total_time="$seconds" -timeout=20 \
        -rss_limit_mb=3000 -max_len=65536 -print_final_stats=1 -artifact_prefix="$build/found/$target-" \
        "$build/corpus/$target" "tests/fuzz/corpus/$target" >"$build/found/$target.log" 2>&1 || bad=$((bad + 1))
    grep -E 'ERROR|SUMMARY|fuzz_.*\.c:[0-9]+:|number_of_executed_units|peak_rss' "$build/found/$target.log" || true
done
exit $bad
