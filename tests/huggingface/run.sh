#!/usr/bin/env bash
# Runs a script of this folder with a Python that has its packages; 77, which ctest takes for skipped, where there is none.
#
#     run.sh tokenizers|transformers SCRIPT [ARGUMENT...]
set -euo pipefail
need=$1
script=$2
shift 2
folder=$(dirname "${BASH_SOURCE[0]}")
python=${EBMCL_HF_PYTHON:-}
[ "$need" = tokenizers ] && python=${python:-${EBMCL_HF_TOKENIZERS_PYTHON:-}}
if [ -z "$python" ]; then
    echo "skipped: \$EBMCL_HF_PYTHON names no Python with the packages of tests/huggingface/requirements.txt" \
        "(cmake/check.sh --huggingface makes one)"
    exit 77
fi
export HF_HUB_OFFLINE=1 HF_HUB_DISABLE_PROGRESS_BARS=1 TRANSFORMERS_VERBOSITY=error PYTHONDONTWRITEBYTECODE=1 PYTHONWARNINGS=ignore
exec "$python" "$folder/$script" "$@"
