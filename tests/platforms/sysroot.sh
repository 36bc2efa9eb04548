#!/usr/bin/env bash
# sysroot.sh ARCHITECTURE FOLDER: Debian's libraries of another architecture (arm64, i386), downloaded with what they need
# and unpacked into FOLDER/sysroot. The system's own packages and lists are left alone; no root is needed.
set -euo pipefail
architecture=$1
folder=$2
packages=(libc6-dev libgcc-12-dev linux-libc-dev ocl-icd-opencl-dev libclblast-dev libpcre2-dev libutf8proc-dev
    libjansson-dev librandom123-dev zlib1g-dev libcmocka-dev pocl-opencl-icd)

[ "$(cat "$folder/packages" 2>/dev/null)" = "${packages[*]}" ] && exit 0
rm -rf "$folder/apt" "$folder/sysroot"
mkdir -p "$folder/apt/state/lists/partial" "$folder/apt/cache/archives/partial" "$folder/sysroot"
: >"$folder/apt/status"
apt=(apt-get -o "APT::Architecture=$architecture" -o "APT::Architectures=$architecture" -o Debug::NoLocking=1
    -o "Dir::State=$folder/apt/state" -o "Dir::State::status=$folder/apt/status" -o "Dir::Cache=$folder/apt/cache"
    -o "APT::Sandbox::User=$(id -un)")
"${apt[@]}" update || true # a source of this system may have nothing for that architecture
"${apt[@]}" install --yes --no-install-recommends --download-only "${packages[@]}"
for package in "$folder"/apt/cache/archives/*.deb; do
    dpkg-deb -x "$package" "$folder/sysroot"
done
rm -rf "$folder/apt"
# Links that begin at the root would lead out of the folder.
find "$folder/sysroot" -type l -lname '/*' | while read -r link; do
    target=$folder/sysroot$(readlink "$link")
    [ ! -e "$target" ] || ln -sfr "$target" "$link"
done
echo "${packages[*]}" >"$folder/packages"
