#!/bin/sh
# Prints the compiler's switches that llama.cpp's build needs on this machine; often none. With `uv`
# as arguments for `uv pip install`: settings of the build, so uv keeps builds apart by them.
#
# AMX: GCC before 13.2.1 drops stores that it needs (see amx_probe.cpp). Without the passes that drop
# them it is sound; a compiler that is not sound even so builds without AMX. The switches are recorded
# in the library, where mullama looks for them before it uses AMX.
#
# AVX512-FP16: with it llama.cpp's vectors of f16 have 128 numbers, and attention heads of 64 fall to
# a scalar loop, five times slower; it also sums up in f16. Without it both are done in f32.
here=$(dirname "$0")
cpuinfo=${CPUINFO:-/proc/cpuinfo}  # a test has others
probe=$(mktemp -d)
trap 'rm -rf "$probe"' EXIT

compiles() { echo 'int main() {}' | "${CXX:-c++}" "$@" -x c++ -o "$probe/any" - 2>/dev/null; }

runs_amx() {
    "${CXX:-c++}" -O3 -mamx-tile "$@" -o "$probe/amx" "$here/amx_probe.cpp" 2>/dev/null || return 1
    sh -c '"$0"; exit $?' "$probe/amx" 2>/dev/null  # the inner shell reports a crash
}

flags=
if grep -qs amx_tile "$cpuinfo" && ! runs_amx; then
    sound='-fno-tree-dse -fno-dse'
    if runs_amx $sound; then
        flags="$sound -frecord-gcc-switches"
    else
        flags='-mno-amx-tile -mno-amx-int8 -mno-amx-bf16'
    fi
fi
if grep -qs avx512_fp16 "$cpuinfo" && compiles -mno-avx512fp16; then
    flags="$flags -mno-avx512fp16"
fi
flags=${flags# }
if [ "${1:-}" != uv ]; then
    echo "$flags"
elif [ -n "$flags" ]; then
    for language in C CXX; do
        printf '%s %s ' --config-settings-package \
            "\"llama-cpp-python:cmake.define.CMAKE_${language}_FLAGS=$flags\""
    done
fi
