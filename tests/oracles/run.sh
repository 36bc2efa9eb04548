#!/usr/bin/env bash
# Runs compare.py with a Python that has the packages of requirements.txt; 77, which ctest takes for skipped, where there is
# none.
#
#     run.sh PROGRAM
set -euo pipefail
folder=$(dirname "${BASH_SOURCE[0]}")
if [ -z "${EBMCL_ORACLES_PYTHON:-}" ]; then
    echo "skipped: \$EBMCL_ORACLES_PYTHON names no Python with the packages of tests/oracles/requirements.txt" \
        "(cmake/check.sh --oracles makes one)"
    exit 77
fi
export PYTHONDONTWRITEBYTECODE=1 PYTHONWARNINGS=ignore
exec "$EBMCL_ORACLES_PYTHON" "$folder/compare.py" "$1"
