#!/usr/bin/env bash
# Builds with warnings as errors by other compilers, against other versions of OpenCL's headers and for other processors,
# and runs the tests there that need no OpenCL device (label host). Folders: build/platforms/. About 400 MB are downloaded.
#
#     tests/platforms/run.sh [clang] [headers] [arm64] [i386] [cores]      nothing named: all
#
# clang    everything, by clang
# headers  the library and the program with CL_TARGET_OPENCL_VERSION 120 to 300; nothing of 2.0 and later is called
# arm64    by a cross compiler; tests by qemu-user (slow: half an hour)
# i386     by a cross compiler, tests as they are, with PoCL's 32 bits where it works
# cores    kernels and a training run on one and on many threads of PoCL, and all kernels of CLBlast
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../cmake/setup.sh"
here=$root/tests/platforms
work=$root/build/platforms
summary=()

configure() { # NAME [CMake options...]
    local name=$1
    shift
    cmake -S "$root" -B "$work/$name/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DEBMCL_WERROR=ON "$@" >"$work/$name.log"
}

build() { # NAME [target...]
    local name=$1
    shift
    cmake --build "$work/$name/build" --parallel "$cores" ${@+--target "$@"} >>"$work/$name.log" 2>&1 || {
        tail -n 40 "$work/$name.log" >&2
        die "$name: does not build; all of it: $work/$name.log"
    }
}

run_clang() {
    install_missing clang
    configure clang -DCMAKE_C_COMPILER=clang
    build clang
    summary+=("clang: $(clang --version | head -n 1), everything built without a warning")
}

# What the loader must have for the library to start; OpenCL 1.2 ends before these.
later='clCreateCommandQueueWithProperties|clSVM|clEnqueueSVM|clCreatePipe|clSetKernelArgSVM|clSetKernelExecInfo'
later+='|clCreateSamplerWithProperties|clCloneKernel|clCreateProgramWithIL|clGetKernelSubGroupInfo|clEnqueueMigrateSVM'
later+='|clGetHostTimer|clGetDeviceAndHostTimer|clSetDefaultDeviceCommandQueue|clSetProgram|clSetContextDestructor'
later+='|clCreateBufferWithProperties|clCreateImageWithProperties|clGetPipeInfo'

run_headers() {
    local version
    for version in 120 200 210 220 300; do
        configure headers -DEBMCL_BUILD_TESTS=OFF -DEBMCL_OPENCL_VERSION=$version
        build headers
    done
    if nm --undefined-only "$work/headers/build/libebmcl.a" 2>/dev/null | grep -E " U ($later)"; then
        die "the library calls what OpenCL 1.2 has not"
    fi
    summary+=("headers: built for OpenCL 1.2, 2.0, 2.1, 2.2, 3.0 without a warning; only 1.2 is called")
}

# cross NAME TRIPLET LIBRARIES FLAGS: builds into build/platforms/NAME. EBMCL_PLATFORM_RUN starts a program.
cross() {
    local name=$1 libraries=$3 flags=$4 sysroot=$work/$1/sysroot
    export EBMCL_PLATFORM_TRIPLET=$2 EBMCL_PLATFORM_SYSROOT=$sysroot PKG_CONFIG_SYSROOT_DIR=$sysroot
    export PKG_CONFIG_LIBDIR=$sysroot/usr/lib/$libraries/pkgconfig:$sysroot/usr/share/pkgconfig
    "$here/sysroot.sh" "$name" "$work/$name"
    configure "$name" "-DCMAKE_TOOLCHAIN_FILE=$here/toolchain.cmake" "-DCMAKE_C_FLAGS=$flags"
    build "$name"
}

# host_tests NAME [ctest options...]: without any device, even where this system has one.
host_tests() {
    local name=$1
    shift
    mkdir -p "$work/none"
    OCL_ICD_VENDORS=$work/none/ ctest --test-dir "$work/$name/build" --label-regex '^host$' --output-on-failure \
        --parallel "$cores" --timeout 3000 "$@" | tee "$work/$name.tests"
}

passed() { grep -E 'tests passed' "$work/$1.tests"; }

run_arm64() {
    install_missing gcc-aarch64-linux-gnu qemu-user
    export EBMCL_PLATFORM_RUN="qemu-aarch64 -L $work/arm64/sysroot"
    cross arm64 aarch64-linux-gnu aarch64-linux-gnu ""
    # This one starts the program itself, which the system cannot.
    host_tests arm64 --exclude-regex '^eval_predictions$'
    summary+=("arm64: everything built without a warning; tests without a device: $(passed arm64)")
}

run_i386() {
    install_missing gcc-i686-linux-gnu
    local sysroot=$work/i386/sysroot libraries
    libraries=$sysroot/lib/i386-linux-gnu:$sysroot/usr/lib/i386-linux-gnu
    export EBMCL_PLATFORM_RUN="env LD_LIBRARY_PATH=$libraries"
    # Floats of 32 and doubles of 64 bits, not of 80: the tests compare bits.
    cross i386 i686-linux-gnu i386-linux-gnu \
        "-msse2 -mfpmath=sse -Wl,--dynamic-linker=$sysroot/lib/ld-linux.so.2 -Wl,-rpath,$libraries"
    host_tests i386
    summary+=("i386: everything built without a warning; tests without a device: $(passed i386)")
}

run_cores() {
    local threads tests='^(runtime|gemm|attention|operations_sums|optimizer|classifier|trainer|generator)$'
    install_missing "${build_packages[@]}" "${test_packages[@]}"
    configure_and_build release -DEBMCL_WERROR=ON -DEBMCL_BUILD_TESTS=ON
    for threads in 1 16; do
        POCL_MAX_PTHREAD_COUNT=$threads ctest --preset release --tests-regex "$tests"
    done
    "$here/same_bits.sh" "$root/build/release/ebmcl"
    EBMCL_TEST_ALL_KERNELS=1 "$root/build/release/tests/test_clblast"
    summary+=("cores: kernels and trainings pass on 1 and 16 threads; a training's weights have the same bits")
}

mkdir -p "$work"
install_missing "${build_packages[@]}" "${test_packages[@]}"
[ $# -gt 0 ] || set -- clang headers arm64 i386 cores
for part in "$@"; do
    case $part in
    clang | headers | arm64 | i386 | cores) ;;
    *) die "unknown part '$part'; there are clang, headers, arm64, i386 and cores" ;;
    esac
done
for part in "$@"; do
    echo "== $part"
    "run_$part"
    unset EBMCL_PLATFORM_TRIPLET EBMCL_PLATFORM_SYSROOT EBMCL_PLATFORM_RUN PKG_CONFIG_SYSROOT_DIR PKG_CONFIG_LIBDIR
done
printf '%s\n' "${summary[@]}"
