#!/bin/sh
# Builds and runs a libFuzzer target: tests/fuzz/run.sh TARGET [RUNS]. README.md tells more.
set -eu
cd "$(dirname "$0")/../.."
target=${1:?frame, plan, block or session}
runs=${2:-100000}
work=.pio/fuzz
python=${PYTHON:-python3}
mkdir -p "$work/$target.found"

arguments=$("$python" -m tests.fuzz.targets "$target")
[ -d "$work/seeds/$target" ] || "$python" -m tests.fuzz.make_corpus "$work/seeds"

# shellcheck disable=SC2086 # a list of words
${CLANG:-clang} -std=gnu11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
    $arguments -lm -o "$work/$target"

exec "$work/$target" "$work/$target.found" "$work/seeds/$target" -runs="$runs" -timeout=20 \
    -max_len=33000 -artifact_prefix="$work/" -print_final_stats=1
