#!/usr/bin/env bash
# Fetches the compilers of GPU vendors into DIRECTORY and installs nothing: Debian packages are downloaded and unpacked
# there, ptxas comes from PyPI. Needs no root; false where they cannot be had.
#
#     tests/vendor/compilers.sh DIRECTORY
#
#   Intel    ocloc with the graphics compiler           intel-opencl-icd, libigc1, ...
#   AMD      clang-15 with AMD's device libraries       rocm-device-libs
#   NVIDIA   clang-15 with libclc, then ptxas           libclc-15, nvidia-cuda-nvcc-cu12 (the last that knows sm_70)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
directory=$1
mkdir -p "$directory"
directory=$(cd "$directory" && pwd)
packages=(clang-15 libclc-15 rocm-device-libs intel-opencl-icd)

if [ ! -e "$directory/root/done" ]; then
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || {
        echo "compilers.sh: no apt here to fetch ${packages[*]} with" >&2
        exit 1
    }
    rm -rf "$directory/root" "$directory/packages"
    mkdir -p "$directory/root" "$directory/packages"
    # What these packages need and the system has not got, themselves included where they are installed.
    missing=$(apt-get install -s --no-install-recommends "${packages[@]}" | awk '$1 == "Inst" { print $2 }')
    echo "fetching" ${missing:-nothing} >&2
    if [ -n "$missing" ]; then
        (cd "$directory/packages" && apt-get download -q $missing >&2)
        for package in "$directory"/packages/*.deb; do dpkg-deb -x "$package" "$directory/root"; done
    fi
    rm -rf "$directory/packages"
    touch "$directory/root/done"
fi
if ! cmp -s "$here/requirements.txt" "$directory/python/requirements.txt"; then
    rm -rf "$directory/python"
    python3 -m venv "$directory/python"
    "$directory/python/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: \
        -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$directory/python/requirements.txt"
fi
