#!/usr/bin/env bash
# From a fresh clone to a first result: installs what is missing, builds, runs the built-in job.
#
#     cmake/quickstart.sh [options of `ebmcl quickstart`]
set -euo pipefail
here=$PWD
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

install_missing "${build_packages[@]}"
configure_and_build release -DEBMCL_BUILD_TESTS=OFF >&2
cd "$here"
exec "$root/build/release/ebmcl" quickstart "$@"
