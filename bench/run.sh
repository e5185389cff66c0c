#!/bin/sh
# Frazil and the peers in one run on one machine, and the ratios: absolute figures move with the machine and its load, ratios less.
#
#     bench/run.sh [NUM]      BUILD=build/release  WORKLOADS=…  BATCHES="1 1000"  VALUE=100  THREADS=1  RUNS=2  READS=NUM  CACHE=1073741824  DIR=/tmp/frazil-bench.XXXX
#
# Needs the targets frazil and peers (see bench/CMakeLists.txt). The best of RUNS counts, for every engine. What reads after `settle` is of the table compacted whole, what reads before it as it was
# published; the peers are compacted before any read, and run each workload once.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=${BUILD:-$here/../build/release}
num=${1:-1000000}
reads=readrandom,readmissing,scan,scancursor
workloads=${WORKLOADS:-fillseq,fillrandom,overwrite,$reads,settle,readcold,$reads,decode,fillsync,ingestrows,ingest,publish,settle,scantyped,decodetyped}
if [ -n "${DIR:-}" ]; then dir=$DIR; mkdir -p "$dir"; made=; else dir=$(mktemp -d "${TMPDIR:-/tmp}/frazil-bench.XXXXXX"); made=$dir; fi
trap '[ -z "$made" ] || rm -rf "$made"' EXIT
out=$dir/results.jsonl
: >"$out"
# each once: reads where they are last, all else where it is first
for_peers=$(echo "$workloads" | tr ',' '\n' | awk '{ name[NR] = $0; last[$0] = NR; if (!first[$0]) first[$0] = NR }
    END { for (i = 1; i <= NR; i++) if (i == (name[i] ~ /^(read|scan)/ ? last[name[i]] : first[name[i]])) print name[i] }' | paste -sd, -)
for run in $(seq "${RUNS:-2}"); do
    for batch in ${BATCHES:-1 1000}; do
        common="--num $num --value-size ${VALUE:-100} --threads ${THREADS:-1} --batch $batch --reads ${READS:-$num} --cache ${CACHE:-1073741824}"
        echo "run $run, batch $batch: frazil" >&2
        "$build/cli/frazil" bench "$workloads" $common --dir "$dir/frazil" --json >>"$out"
        rm -rf "$dir/frazil"
        for engine in rocksdb leveldb; do
            echo "run $run, batch $batch: $engine" >&2
            "$build/bench/peers" $engine "$for_peers" $common --dir "$dir" >>"$out" || echo "$engine: left out" >&2
        done
    done
done
python3 "$here/ratios.py" "$out"
