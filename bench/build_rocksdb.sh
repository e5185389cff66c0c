#!/bin/sh
# Builds RocksDB from Debian's source without its assertions: -O2 -DNDEBUG -march=native. Debian's own library has assert() compiled in: as packaged it is 1.3 to 2.6 times slower, and no peer.
#
#     bench/build_rocksdb.sh DIR      leaves DIR/rocksdb-*/librocksdb.a; prints that directory, for -DFRZ_ROCKSDB=
#
# Needs deb-src lines in APT's sources (or `apt-get source` of your own in DIR), libsnappy-dev zlib1g-dev libbz2-dev liblz4-dev libzstd-dev. It takes 20 to 40 minutes on two cores.
set -eu
[ $# -eq 1 ] || { echo "usage: $0 DIR" >&2; exit 2; }
mkdir -p "$1"
cd "$1"
begin=$(date +%s)
ls -d rocksdb-*/ >/dev/null 2>&1 || apt-get source rocksdb >&2
tree=$(ls -d "$PWD"/rocksdb-*/ | head -n 1)
cd "$tree"
make -j"${JOBS:-2}" DEBUG_LEVEL=0 DISABLE_WARNING_AS_ERROR=1 PORTABLE=0 ROCKSDB_DISABLE_TBB=1 ROCKSDB_DISABLE_JEMALLOC=1 ROCKSDB_DISABLE_GFLAGS=1 EXTRA_CXXFLAGS="-O2 -DNDEBUG -march=native" static_lib >&2
echo "built in $(($(date +%s) - begin)) s" >&2
echo "${tree%/}"
