#!/bin/sh
# Prints the arguments for `uv pip install` that llama.cpp's build needs on this machine: none, or
# those that leave AMX out where the compiler's AMX code does not run (see amx_probe.cpp).
# They are settings of the build, so uv keeps builds with and without them apart.
grep -qs amx_tile /proc/cpuinfo || exit 0
here=$(dirname "$0")
probe=$(mktemp -d)
trap 'rm -rf "$probe"' EXIT
if "${CXX:-c++}" -O3 -mamx-tile -o "$probe/amx" "$here/amx_probe.cpp" 2>/dev/null; then
    sh -c '"$0"; exit $?' "$probe/amx" 2>/dev/null && exit 0  # the inner shell reports a crash
fi
flags='-mno-amx-tile -mno-amx-int8 -mno-amx-bf16'
for language in C CXX; do
    printf '%s %s ' --config-settings-package \
        "\"llama-cpp-python:cmake.define.CMAKE_${language}_FLAGS=$flags\""
done
