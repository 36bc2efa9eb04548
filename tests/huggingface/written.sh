#!/usr/bin/env bash
# written.sh PROGRAM: check_written.py with the Python that $EBMCL_PYTHON names (else python3); 77, which ctest takes for
# skipped, where it has not what the comparison wants.
set -euo pipefail
python=${EBMCL_PYTHON:-python3}
if ! "$python" -c 'import torch, transformers, safetensors, huggingface_hub, yaml' 2>/dev/null; then
    echo "skipped: $python has no torch, transformers, safetensors, huggingface_hub and yaml; see EBMCL_PYTHON"
    exit 77
fi
export OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error PYTHONDONTWRITEBYTECODE=1
exec "$python" "$(dirname "${BASH_SOURCE[0]}")/check_written.py" "$1"
