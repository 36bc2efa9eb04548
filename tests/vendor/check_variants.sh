#!/usr/bin/env bash
# Records the programs of the GPU form anew and compares them with variants.txt. Skipped (77) where the compilers that
# it is for are not asked for.
#
#     tests/vendor/check_variants.sh BUILD
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
if [ -z "${EBMCL_VENDOR_COMPILERS:-}" ]; then
    echo "skipped: \$EBMCL_VENDOR_COMPILERS is not set (tests/vendor/run.sh sets it)"
    exit 77
fi
list=$(mktemp)
trap 'rm -f "$list"' EXIT
"$here/record.sh" "$1" "$list"
if ! diff -u "$here/variants.txt" "$list"; then
    echo "variants.txt is out of date: tests/vendor/record.sh BUILD tests/vendor/variants.txt writes it anew"
    exit 1
fi
