#!/bin/sh
# The tables of docs/benchmarks.md about a settled table: loaded in random order, compacted whole; gets and scans of frazil and the peers, what a get reads, and the same files read by frazil's decoder, DuckDB
# and pyarrow. Caches hold all that is decoded; CACHE=1073741824 for one that does not.
#
#     bench/settled.sh [NUM]      RUNS=2  READS=1000000  CACHE=4294967296  PYTHON=.venv/bin/python  and what run.sh takes
#
# Ten million rows want 10 GB of disk and 6 GB of memory, and take about five minutes a round on two quiet cores.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=${BUILD:-$here/../build/release}
num=${1:-10000000}
python=${PYTHON:-$here/../.venv/bin/python}
export READS=${READS:-1000000} CACHE=${CACHE:-4294967296} BATCHES=1000
WORKLOADS=fillrandom,readrandom,readmissing,settle,readcold,readrandom,readmissing,scan,scancursor,decode,ingest,settle,scantyped,decodetyped "$here/run.sh" "$num"
dir=$(mktemp -d "${TMPDIR:-/tmp}/frazil-settled.XXXXXX")
trap 'rm -rf "$dir"' EXIT
"$build/cli/frazil" bench fillrandom,settle,ingest,settle --num "$num" --batch 1000 --dir "$dir/frazil" --json >/dev/null
"$python" "$here/scan_vs_readers.py" "$dir/frazil" --num "$num" --frazil "$build/cli/frazil" --runs "${RUNS:-3}"
