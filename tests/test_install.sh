#!/usr/bin/env bash
# The installed package as its users meet it: every header alone as C and as C++, the README's program against the
# shared and the static library through pkg-config, run on a small model; the program and its help.
#
#     test_install.sh SOURCE BUILD CC [CXX]
set -euo pipefail
source=$1 build=$2 cc=$3 cxx=${4:-}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
prefix=$folder/prefix

fail() {
    echo "$*" >&2
    exit 1
}

cmake --install "$build" --prefix "$prefix" >"$folder/install.log" || fail "$(cat "$folder/install.log")"
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name ebmcl.pc)")
libraries=$(dirname "$PKG_CONFIG_PATH")
export PKG_CONFIG_PATH
warnings="-Wall -Wextra -Wno-unused-parameter -Werror"

headers=("$prefix"/include/ebmcl/*.h)
for header in "${headers[@]}"; do
    echo "#include <ebmcl/$(basename "$header")>" >"$folder/alone.c"
    # shellcheck disable=SC2086,SC2046
    $cc -std=c17 $warnings -fsyntax-only $(pkg-config --cflags ebmcl) "$folder/alone.c"
    # shellcheck disable=SC2086,SC2046
    [ -z "$cxx" ] || $cxx -x c++ -std=c++17 $warnings -fsyntax-only $(pkg-config --cflags ebmcl) "$folder/alone.c"
done
echo '#include <ebmcl/ebmcl.h>' >"$folder/all.c"
# shellcheck disable=SC2046
all=$($cc -std=c17 -M $(pkg-config --cflags ebmcl) "$folder/all.c")
for header in "${headers[@]}"; do
    case "$all" in *"/ebmcl/$(basename "$header")"*) ;; *) fail "ebmcl.h does not include $(basename "$header")" ;; esac
done

# The README's one C program.
awk '/^```c$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$source/README.md" >"$folder/classify.c"
[ -s "$folder/classify.c" ] || fail "README.md holds no C program"

# A model of the fixtures, with as many words as its vocabulary has.
model=$folder/model
cp -r "$source/tests/fixtures/models/bert" "$model"
words=$(sed -n 's/.*"vocab_size": *\([0-9]*\).*/\1/p' "$model/config.json")
awk -v words="$words" 'BEGIN {
    split("[PAD] [UNK] [CLS] [SEP] [MASK] a fine film .", first, " ")
    for (i = 1; i <= words; i++) print i in first ? first[i] : "word" i
}' >"$model/vocab.txt"

run_it() { # $1: the program, $2: what it was linked against
    local answer
    answer=$("$1" "$model" "a fine film.") || fail "the program with the $2 library failed"
    echo "$answer"
    echo "$answer" | awk '$2 ~ /^[0-9.]+$/ { sum += $2; n++ } END { exit !(n >= 2 && sum > 0.999 && sum < 1.001) }' ||
        fail "the program with the $2 library: the probabilities do not sum to 1"
}

# shellcheck disable=SC2086,SC2046
$cc -std=c17 $warnings "$folder/classify.c" -o "$folder/shared" $(pkg-config --cflags --libs ebmcl)
LD_LIBRARY_PATH=$libraries run_it "$folder/shared" shared
case "$(ldd "$folder/shared")" in *libebmcl.so*) ;; *) fail "the shared library was not linked" ;; esac

rm "$libraries"/libebmcl.so*
# shellcheck disable=SC2086,SC2046
$cc -std=c17 $warnings "$folder/classify.c" -o "$folder/static" $(pkg-config --static --cflags --libs ebmcl)
run_it "$folder/static" static

"$prefix/bin/ebmcl" --version
for command in quickstart train eval calibrate predict devices "bench step" "bench noise" "noise train" "noise sample"; do
    # shellcheck disable=SC2086
    help=$("$prefix/bin/ebmcl" $command --help)
    case "$help" in *--json*) ;; *) fail "ebmcl $command --help does not tell its options" ;; esac
done
