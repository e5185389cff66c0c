#!/bin/sh
# The tables of docs/benchmarks.md about a settled table: loaded in random order, overwritten once, compacted whole; gets and scans of frazil and the peers, what a get reads, and the same files read by
# frazil's decoder, DuckDB and pyarrow.
#
#     bench/settled.sh [NUM]      RUNS=2  PYTHON=.venv/bin/python  and what run.sh takes
#
# Ten million rows want 8 GB of disk and take about ten minutes a round on two quiet cores.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=${BUILD:-$here/../build/release}
num=${1:-10000000}
python=${PYTHON:-$here/../.venv/bin/python}
reads=readrandom,readmissing,scan,scancursor
BATCHES=1000 WORKLOADS=fillrandom,overwrite,$reads,settle,readcold,$reads,decode,ingest,settle,scantyped,decodetyped "$here/run.sh" "$num"
dir=$(mktemp -d "${TMPDIR:-/tmp}/frazil-settled.XXXXXX")
trap 'rm -rf "$dir"' EXIT
"$build/cli/frazil" bench fillrandom,settle,ingest,settle --num "$num" --batch 1000 --dir "$dir/frazil" --json >/dev/null
"$python" "$here/scan_vs_readers.py" "$dir/frazil" --num "$num" --frazil "$build/cli/frazil" --runs "${RUNS:-3}"
