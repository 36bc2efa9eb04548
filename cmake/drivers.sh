# Sourced after setup.sh: OpenCL implementations for the tests, each in build/drivers/NAME, beside the system's own:
#
#     vendors/      .icd files for $OCL_ICD_VENDORS: a program started with it sees this implementation and no other
#     environment   lines of NAME=VALUE, what the tests are started with
#
# A program started without that environment sees what it saw before.

all_drivers=(pocl intel rusticl oclgrind)

# write_environment NAME LIBRARY [NAME=VALUE...]; no library: no folder of .icd files
write_environment() {
    local folder=$root/build/drivers/$1 library=$2
    shift 2
    mkdir -p "$folder/vendors"
    {
        if [ -n "$library" ]; then
            echo "$library" >"$folder/vendors/only.icd"
            echo "OCL_ICD_VENDORS=$folder/vendors"
            echo "EBMCL_DEVICE=0:0"
        fi
        [ $# -eq 0 ] || printf '%s\n' "$@"
    } >"$folder/environment"
}

driver_pocl() {
    install_missing pocl-opencl-icd
    write_environment pocl "$(cat /etc/OpenCL/vendors/pocl.icd)"
}

# Its kernels are checked through the program oclgrind, which the tests labelled so start themselves.
driver_oclgrind() {
    install_missing oclgrind
    write_environment oclgrind ""
}

# From PyPI, into a virtual environment; runs on processors of other makers too. Its vectoriser (2026.2.0) breaks attention's
# GPU form for SSE 4.2, AVX and AVX2: bits of a score in an address, a crash, which the check at the program's start finds
# (ebmcl then takes the CPU form); on AMD's Zen 5 for AVX-512 too. But for Intel's AVX-512 it is switched off, as no test of
# a model would say anything.
driver_intel() {
    local folder=$root/build/drivers/intel settings=()
    { grep -qw avx512f /proc/cpuinfo && grep -qw GenuineIntel /proc/cpuinfo; } ||
        settings=(CL_CONFIG_CPU_VECTORIZER_MODE=1)
    mkdir -p "$folder"
    python_environment "$folder/python" "$root/tests/drivers/requirements-intel.txt" ||
        { echo "pip could not install tests/drivers/requirements-intel.txt" >&2 && return 1; }
    write_environment intel "$folder/python/lib/libintelocl.so" ${settings[@]+"${settings[@]}"}
}

# unpack_beside FOLDER PACKAGE...: Debian packages as files of that folder.
unpack_beside() {
    local folder=$1 package
    shift
    rm -rf "$folder" && mkdir -p "$folder/packages"
    (cd "$folder/packages" && apt-get -o APT::Sandbox::User="$(id -un)" download "$@" >/dev/null) || return 1
    for package in "$folder"/packages/*.deb; do dpkg-deb -x "$package" "$folder"; done
}

# Mesa's rusticl on llvmpipe. Its package would show two more platforms to every program, so it is unpacked; the bitcode
# of libclc is looked for in /usr/lib/clc and nowhere else, so that package (data alone) is installed.
driver_rusticl() {
    local folder=$root/build/drivers/rusticl/files name=libRusticlOpenCL.so.1 missing libraries library
    if ! command -v apt-get >/dev/null; then
        echo "no apt here to fetch mesa-opencl-icd with" >&2
        return 1
    fi
    # What apt would add: not what it would only bring up to date, which has its old version in brackets.
    missing=$(apt-get install -s --no-install-recommends mesa-opencl-icd 2>/dev/null |
        awk '$1 == "Inst" && $3 !~ /^\[/ { print $2 }')
    install_missing $(sed -n "/^libclc-[0-9]*$/p" <<<"$missing")
    missing=$(sed "/^libclc-/d" <<<"$missing" | tr "\n" " ")
    libraries=$folder/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)
    if [ -z "${missing// /}" ]; then
        libraries=$(dirname "$(dpkg -L mesa-opencl-icd | grep "/$name\$")")
    elif [ "$(cat "$folder/list" 2>/dev/null)" != "$missing" ]; then
        unpack_beside "$folder" $missing || { echo "apt-get could not download: $missing" >&2 && return 1; }
        echo "$missing" >"$folder/list"
    fi
    library=$libraries/$name
    if LD_LIBRARY_PATH=$libraries ldd "$library" | grep 'not found' >&2; then
        return 1
    fi
    write_environment rusticl "$library" RUSTICL_ENABLE=llvmpipe "LD_LIBRARY_PATH=$libraries"
}
