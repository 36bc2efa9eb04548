#!/usr/bin/env bash
# Installs what is missing, builds with warnings as errors, runs the whole test suite under AddressSanitizer (leaks
# included) and UndefinedBehaviorSanitizer, then as released, with oclgrind. The first failure ends it.
#
#     cmake/check.sh [--no-sanitizers]
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

sanitizers=yes
case "${1:-}" in
'') ;;
--no-sanitizers) sanitizers=no ;;
*) die "unknown argument '$1'; usage: cmake/check.sh [--no-sanitizers]" ;;
esac

install_missing "${build_packages[@]}" "${test_packages[@]}"
configure_and_build release -DEBMCL_WERROR=ON -DEBMCL_BUILD_TESTS=ON
if [ "$sanitizers" = yes ]; then
    configure_and_build asan -DEBMCL_WERROR=ON -DEBMCL_BUILD_TESTS=ON
    ctest --preset asan --parallel "$cores"
fi
ctest --preset release --parallel "$cores"
