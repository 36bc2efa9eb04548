# Shared by quickstart.sh and check.sh, to be sourced: what is missing is installed, then CMake configures and builds.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cores=$(nproc)
build_packages=(build-essential cmake ninja-build pkg-config ocl-icd-opencl-dev libclblast-dev libpcre2-dev
    libutf8proc-dev libjansson-dev librandom123-dev zlib1g-dev pocl-opencl-icd)
test_packages=(libcmocka-dev oclgrind python3-venv libopenmpi-dev openmpi-bin)

die() {
    echo "$(basename "$0"): $*" >&2
    exit 1
}

is_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}

# install_missing PACKAGE...: says which are missing and installs them; the package lists are only fetched when they do
# not know one of them or point to versions that are gone.
install_missing() {
    local package missing=()
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        echo "No apt here; these Debian packages, or what they are called on this system, must be there: $*" >&2
        return 0
    fi
    for package in "$@"; do
        is_installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
        die "to be installed by root, as there is no sudo: apt-get install ${missing[*]}"
    fi
    echo "Installing with apt: ${missing[*]}" >&2
    if ! apt-get install -s "${missing[@]}" >/dev/null 2>&1; then
        as_root apt-get update
    fi
    apt_install "${missing[@]}" || { as_root apt-get update && apt_install "${missing[@]}"; } ||
        die "apt-get could not install: ${missing[*]}"
}

# configure_and_build PRESET [CMake options...]: into build/PRESET, with all cores.
configure_and_build() {
    local preset=$1
    shift
    export CMAKE_GENERATOR=${CMAKE_GENERATOR:-Ninja}
    cd "$root"
    cmake --preset "$preset" "$@"
    cmake --build --preset "$preset" --parallel "$cores"
}

# python_environment DIRECTORY REQUIREMENTS [pip options...]: a virtual environment with these packages, made anew when
# the file has changed. False, with nothing left behind, where pip cannot fetch them.
python_environment() {
    local directory=$1 requirements=$2
    shift 2
    cmp -s "$requirements" "$directory/requirements.txt" && return 0
    rm -rf "$directory"
    if python3 -m venv "$directory" &&
        "$directory/bin/python" -m pip install --quiet --disable-pip-version-check --retries 1 --only-binary :all: "$@" \
            -r "$requirements"; then
        cp "$requirements" "$directory/requirements.txt"
    else
        rm -rf "$directory"
        return 1
    fi
}
