#!/usr/bin/env bash
# Installs what is missing, builds with warnings as errors, runs the whole test suite as released, with oclgrind, then
# under AddressSanitizer (leaks included) and UndefinedBehaviorSanitizer. The first failure ends it.
# The comparison of token ids with the tokenizers library is among them where pip can fetch it.
#
#     cmake/check.sh [--no-sanitizers]
#     cmake/check.sh --huggingface        # the whole comparison with transformers and nothing else; fetches PyTorch
#     cmake/check.sh --oracles            # that of the metrics with scikit-learn, netcal, relplot and more; likewise
#     cmake/check.sh --browser            # reports in Chromium, on a narrow and a wide screen and on paper; installs it
#     cmake/check.sh --all-devices [NAME...]   # what computes on a device, on PoCL, Intel's CPU runtime, Mesa's rusticl and
#                                              # oclgrind, or on some: pocl intel rusticl oclgrind; prints a table
#     cmake/check.sh --platforms [clang] [headers] [arm64] [i386] [cores]    # other compilers and processors
#     cmake/check.sh --vendors            # every kernel through the compilers of Intel, AMD and NVIDIA
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
. "$(dirname "${BASH_SOURCE[0]}")/drivers.sh"

sanitizers=yes
huggingface=no
oracles=no
browser=no
drivers=()
case "${1:-}" in
'') ;;
--no-sanitizers) sanitizers=no ;;
--huggingface) huggingface=yes ;;
--oracles) oracles=yes ;;
--browser) browser=yes ;;
--all-devices)
    drivers=("${@:2}")
    [ ${#drivers[@]} -gt 0 ] || drivers=("${all_drivers[@]}")
    for driver in "${drivers[@]}"; do
        [[ " ${all_drivers[*]} " == *" $driver "* ]] || die "unknown implementation '$driver'; there is: ${all_drivers[*]}"
    done
    ;;
--platforms) exec "$root/tests/platforms/run.sh" "${@:2}" ;;
--vendors) exec "$root/tests/vendor/run.sh" "${@:2}" ;;
*) die "unknown argument '$1'; usage: cmake/check.sh [--no-sanitizers | --huggingface | --oracles | --browser |
    --all-devices [NAME...] | --platforms [PART...] | --vendors]" ;;
esac

requirements=$root/tests/huggingface/requirements
install_missing "${build_packages[@]}" "${test_packages[@]}"
if [ "$huggingface" = yes ]; then
    if [ -z "${EBMCL_HF_PYTHON:-}" ]; then
        python_environment "$root/build/huggingface" "$requirements.txt" || die "pip could not install $requirements.txt"
        export EBMCL_HF_PYTHON=$root/build/huggingface/bin/python
    fi
    configure_and_build release -DEBMCL_WERROR=ON -DEBMCL_BUILD_TESTS=ON
    exec ctest --preset release --label-regex '^huggingface$'
fi
if [ "$oracles" = yes ]; then
    if [ -z "${EBMCL_ORACLES_PYTHON:-}" ]; then
        # uncertainty-calibration is published as source alone.
        python_environment "$root/build/oracles" "$root/tests/oracles/requirements.txt" \
            --no-binary uncertainty-calibration || die "pip could not install tests/oracles/requirements.txt"
        export EBMCL_ORACLES_PYTHON=$root/build/oracles/bin/python
    fi
    configure_and_build release -DEBMCL_WERROR=ON -DEBMCL_BUILD_TESTS=ON
    exec ctest --preset release --label-regex '^oracles$'
fi
if [ "$browser" = yes ]; then
    install_missing chromium
    configure_and_build release -DEBMCL_WERROR=ON -DEBMCL_BUILD_TESTS=ON
    exec ctest --preset release --tests-regex '^report_browser$' --no-tests=error
fi
if [ ${#drivers[@]} -gt 0 ]; then
    for driver in "${drivers[@]}"; do
        "driver_$driver" || die "$driver could not be set up"
    done
    configure_and_build release -DEBMCL_WERROR=ON -DEBMCL_BUILD_TESTS=ON
    exec python3 "$root/tests/drivers/run.py" "$root/build/release" "$root/build/drivers" "${drivers[@]}"
fi
if [ -z "${EBMCL_HF_PYTHON:-}${EBMCL_HF_TOKENIZERS_PYTHON:-}" ]; then
    if python_environment "$root/build/huggingface-tokenizers" "$requirements-tokenizers.txt" --no-deps; then
        export EBMCL_HF_TOKENIZERS_PYTHON=$root/build/huggingface-tokenizers/bin/python
    else
        echo "pip could not install $requirements-tokenizers.txt: no comparison with the tokenizers library" >&2
    fi
fi
# As released first: under a sanitizer the driver's compiler is twice as slow, and what it has made by then is kept.
kept=-DEBMCL_TEST_KERNELS=$root/build/kernels
configure_and_build release -DEBMCL_WERROR=ON -DEBMCL_BUILD_TESTS=ON "$kept"
ctest --preset release --parallel "$cores"
if [ "$sanitizers" = yes ]; then
    configure_and_build asan -DEBMCL_WERROR=ON -DEBMCL_BUILD_TESTS=ON "$kept"
    # GPU kernels run no host code that CPU kernels do not; the kernels themselves are not instrumented (oclgrind checks
    # them). They run once, as released; and so does what is made of parts that have tests of their own: what mpirun
    # starts, the benchmarks, the self-test, the quick start and the fitting of every calibrator by the program.
    ctest --preset asan --parallel "$cores" --exclude-regex '_gpu_form$|^(bench|calibrate|quickstart|ranks|selftest)$'
fi
