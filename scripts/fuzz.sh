#!/bin/sh
# fuzz.sh DIR SECONDS [TARGET…] — runs each fuzz target for SECONDS and keeps what it learns in DIR/<target>; fails if one crashed (the input is DIR/<target>-crash-…). Builds what it needs, with clang.
set -eu
if [ $# -lt 2 ]; then
    echo "usage: $0 DIR SECONDS [TARGET...]" >&2
    exit 2
fi
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
dir=$(cd "$1" && pwd)
seconds=$2
shift 2
cmake -S "$root" --preset fuzz >/dev/null
build=$root/build/fuzz
targets=${*:-wal parquet avro meta puffin pred schema key row batch sst_block value retention lease}
set --
for t in $targets; do set -- "$@" "fuzz_$t"; done
cmake --build "$build" --target fuzz_seeds "$@" -j "${JOBS:-2}"
"$build/fuzz/fuzz_seeds" "$dir/seeds"
failed=
for t in "$@"; do
    mkdir -p "$dir/$t"
    more=
    [ -d "$root/fuzz/corpus/$t" ] && more="$more $root/fuzz/corpus/$t"
    [ "$t" = fuzz_parquet ] && more="$more $root/tests/golden/parquet"
    [ "$t" = fuzz_meta ] && more="$more $root/tests/golden/iceberg"
    echo "== $t, ${seconds} s"
    # shellcheck disable=SC2086
    if ! "$build/fuzz/$t" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 -artifact_prefix="$dir/$t-" "$dir/$t" "$dir/seeds/$t" $more >"$dir/$t.log" 2>&1; then
        failed="$failed $t"
        tail -n 40 "$dir/$t.log"
    fi
    grep -E 'stat::number_of_executed_units|DONE|cov:' "$dir/$t.log" | tail -n 2
done
if [ -n "$failed" ]; then
    echo "crashed:$failed" >&2
    exit 1
fi
