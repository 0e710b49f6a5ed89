#!/bin/sh
# Builds and runs a libFuzzer target: tests/fuzz/run.sh frame|plan [SECONDS]. README.md tells more.
set -eu
cd "$(dirname "$0")/../.."
target=${1:?frame or plan}
seconds=${2:-60}
work=.pio/fuzz
python=${PYTHON:-python3}
mkdir -p "$work/$target.found"

[ -d "$work/seeds/$target" ] || "$python" -m tests.fuzz.make_corpus "$work/seeds"

case $target in
frame) sources="firmware/link/frame.c firmware/runtime/crc32.c" ;;
plan) sources="$(find firmware/runtime firmware/kernels -name '*.c')" ;;
*) echo "no target '$target'; there are: frame plan" >&2; exit 2 ;;
esac
# shellcheck disable=SC2086
${CLANG:-clang} -std=gnu11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Ifirmware \
    "tests/fuzz/${target}_fuzz.c" $sources -lm -o "$work/$target"

exec "$work/$target" "$work/$target.found" "$work/seeds/$target" -max_total_time="$seconds" -timeout=20 \
    -max_len=33000 -artifact_prefix="$work/" -print_final_stats=1
