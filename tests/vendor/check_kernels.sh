#!/usr/bin/env bash
# Compiles all kernels with the vendors' compilers in $EBMCL_VENDOR_COMPILERS; without, 77, which ctest takes for
# skipped.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
if [ -z "${EBMCL_VENDOR_COMPILERS:-}" ]; then
    echo "skipped: \$EBMCL_VENDOR_COMPILERS names no folder with compilers (tests/vendor/run.sh makes one)"
    exit 77
fi
export PYTHONDONTWRITEBYTECODE=1
exec python3 "$here/vendors.py" --compilers "$EBMCL_VENDOR_COMPILERS" \
    --results "$EBMCL_VENDOR_COMPILERS/results.json" --jobs "${EBMCL_VENDOR_JOBS:-$(nproc)}"
