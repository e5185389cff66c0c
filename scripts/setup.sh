#!/usr/bin/env bash
# Brings what a build or the interop tests need onto a Debian 12. Does nothing where all is there.
#   setup.sh debian [PACKAGE…]   compilers and libraries, and what a target needs beside them
#   setup.sh python               .venv with the engines that read frazil's tables, and Spark's Iceberg runtime
set -euo pipefail
cd "$(dirname "$0")/.."

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

need_debian=(gcc clang libclang-rt-14-dev cmake ninja-build make pkg-config libzstd-dev libsnappy-dev libjansson-dev libroaring-dev libxxhash-dev zlib1g-dev liblz4-dev libcmocka-dev python3 python3-venv)

debian() {
    local missing=()
    for p in "$@"; do
        dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'install ok installed' || missing+=("$p")
    done
    [ ${#missing[@]} = 0 ] && return 0
    echo "== installing ${missing[*]}"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" >/dev/null 2>&1 && return 0
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" >/dev/null
}

case "${1:-}" in
debian)
    debian "${need_debian[@]}" "${@:2}"
    ;;
python)
    command -v java >/dev/null || debian default-jre-headless
    [ -x .venv/bin/python ] || { echo "== making .venv"; python3 -m venv .venv; }
    if ! cmp -s scripts/requirements.txt .venv/requirements.done; then
        echo "== installing the engines of scripts/requirements.txt into .venv"
        .venv/bin/python -m pip install -q --disable-pip-version-check -r scripts/requirements.txt
        cp scripts/requirements.txt .venv/requirements.done
    fi
    jar=iceberg-spark-runtime-3.5_2.12-1.12.0.jar
    if [ ! -s ".venv/$jar" ]; then
        echo "== fetching $jar"
        command -v mvn >/dev/null || debian maven
        mvn -q dependency:copy -Dartifact=org.apache.iceberg:iceberg-spark-runtime-3.5_2.12:1.12.0 -DoutputDirectory="$PWD/.venv" -Dmdep.useBaseVersion=true
    fi
    ;;
*)
    echo "usage: setup.sh debian|python" >&2
    exit 2
    ;;
esac
