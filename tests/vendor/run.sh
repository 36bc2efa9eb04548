#!/usr/bin/env bash
# Every kernel in every variant of its GPU form, compiled by Intel's, AMD's and NVIDIA's compilers: fetches these into
# build/vendors (compilers.sh; about 200 MB, and of them nothing is installed), builds, and runs the tests of label
# vendor. The first time takes many minutes; what did not change since is not compiled again.
#
#     tests/vendor/run.sh
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../cmake/setup.sh"

install_missing "${build_packages[@]}" "${test_packages[@]}"
"$root/tests/vendor/compilers.sh" "$root/build/vendors" || die "the vendors' compilers could not be fetched"
export EBMCL_VENDOR_COMPILERS=$root/build/vendors
configure_and_build release -DEBMCL_WERROR=ON -DEBMCL_BUILD_TESTS=ON
exec ctest --preset release --label-regex '^vendor$'
