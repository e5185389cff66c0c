"""Files of pq_dump.c, read by pyarrow (page CRCs checked), DuckDB and Polars, value by value, and their metadata looked through.

    cc -O2 -std=c11 -D_GNU_SOURCE -Iinclude -Isrc tests/interop/pq_dump.c build/release/libfrazil.a -o build/pq_dump \
        $(pkg-config --libs libzstd jansson zlib libxxhash liblz4) -lsnappy -lroaring -lpthread -lm
    python tests/interop/pq_check.py build/pq_dump            (bench: pq_check.py build/pq_dump bench)
"""
import datetime as dt, decimal, math, os, struct, subprocess, sys, tempfile, time, uuid
import duckdb, polars as pl, pyarrow as pa, pyarrow.parquet as pq

M = (1 << 64) - 1
decimal.getcontext().prec = 60

def h(row, col):
    z = (row * 64 + col + 0x9E3779B97F4A7C15) & M
    z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & M
    z = ((z ^ z >> 27) * 0x94D049BB133111EB) & M
    return z ^ z >> 31

def s64(x): return x - (1 << 64) if x >> 63 else x
def s32(x): x &= 0xFFFFFFFF; return x - (1 << 32) if x >> 31 else x
def rem(a, b): return a - int(a / b) * b

EPOCH = dt.datetime(1970, 1, 1)
def value(row, col, nulls):
    x, y = h(row, col), h(row, col + 32)
    if nulls == 2 or (nulls == 1 and (x >> 40) % 3 == 0): return None
    def dec(v, scale): return decimal.Decimal(v).scaleb(-scale)
    if col == 0: return bool(x & 1)
    if col == 1: return s32(x)
    if col == 2: return s64(x)
    if col in (3, 4):
        return {0: math.nan, 1: -0.0, 2: 0.0, 3: math.inf}.get(x % 16, (s32(x >> 32) >> 10) / 64)
    if col == 5: return dec(x % 1999999999 - 999999999, 2)
    if col == 6: return dec(x % 1999999999999999999 - 999999999999999999, 4)
    if col == 7: return dec(s64(x) * s64(y), 10)
    if col == 18: return dec(s64(x) * 10, 0)
    if col == 8: return dt.date(1970, 1, 1) + dt.timedelta(days=x % 100000 - 50000)
    if col == 9: return (EPOCH + dt.timedelta(microseconds=x % 86400000000)).time()
    if col in (10, 11): return x % 4000000000000000 - 2000000000000000
    if col in (12, 13): return x % 4000000000000000000 - 2000000000000000000
    if col == 14: return "" if x % 11 == 0 else ("\u00fc\u20ac\U0001F600" if x % 7 == 0 else "s") + str(x % 1000)
    raw = struct.pack("<QQ", x, y)
    n = 16 if col == 15 else 5 if col == 16 else x % 20
    return bytes((raw[i] if i < 8 else raw[8 + i % 8]) for i in range(n))

def same(a, b):
    if isinstance(b, float) and b is not None and a is not None:
        return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    return a == b

def norm(col, v):
    """as value() gives it"""
    if v is None: return None
    if col in (10, 11, 12, 13) and not isinstance(v, int):
        raise AssertionError(type(v))
    if col == 15 and isinstance(v, uuid.UUID): return v.bytes
    if isinstance(v, decimal.Decimal): return v
    return v

def arrow_ints(t):
    for i in (10, 11, 12, 13):
        t = t.set_column(i, "c%d" % i, t.column(i).cast(pa.int64()))
    if isinstance(t.schema.field(15).type, pa.BaseExtensionType): t = t.set_column(15, "c15", t.column(15).cast(pa.binary(16)) if False else pa.chunked_array([c.storage for c in t.column(15).chunks], pa.binary(16)))
    return t

def compare(name, got, want, rows):
    for c in range(19):
        for r in range(rows):
            g = norm(c, got[c][r])
            if not same(g, want[c][r]): raise AssertionError(f"{name}: column {c} row {r}: {g!r}, expected {want[c][r]!r}")

def meta_checks(path, rows, nulls, want):
    f = pq.ParquetFile(path)
    md = f.metadata
    assert md.num_rows == rows and md.format_version == "1.0" and md.created_by.startswith("frazil version"), md
    assert sum(md.row_group(g).num_rows for g in range(md.num_row_groups)) == rows
    at = 0
    for g in range(md.num_row_groups):
        rg = md.row_group(g)
        for c in range(19):
            col = rg.column(c)
            st = col.statistics
            vals = [v for v in want[c][at:at + rg.num_rows] if v is not None]
            assert st.null_count == rg.num_rows - len(vals), (c, st)
            assert col.has_offset_index, c
            nums = [v for v in vals if not (isinstance(v, float) and math.isnan(v))]
            assert bool(st.has_min_max) == bool(nums), (c, st)
            if nums and c in (1, 2, 3, 4, 14, 0, 8) :
                lo, hi = (min(nums), max(nums)) if c != 14 else (min(nums, key=str.encode), max(nums, key=str.encode))
                assert st.min == lo and st.max == hi, (c, st, lo, hi)
                if c in (3, 4):
                    if lo == 0: assert math.copysign(1, st.min) == -1
                    if hi == 0: assert math.copysign(1, st.max) == 1
        at += rg.num_rows
    ids = [f.schema_arrow.field(i).metadata[b"PARQUET:field_id"] for i in range(19)]
    assert ids == [str(i + 1).encode() for i in range(19)]

def check_types(dump, path, rows, nulls, codec, group, dictionary):
    subprocess.check_call([dump, "types", path, str(rows), str(nulls), str(codec), str(group), str(dictionary)])
    want = [[value(r, c, nulls) for r in range(rows)] for c in range(19)]
    t = arrow_ints(pq.read_table(path, page_checksum_verification=True))
    assert t.num_rows == rows
    compare("pyarrow", [t.column(c).to_pylist() for c in range(19)], want, rows)
    meta_checks(path, rows, nulls, want)
    con = duckdb.connect()
    con.execute("set timezone='UTC'")
    cols = ", ".join(f"epoch_us(c{i}) as c{i}" if i in (10, 11) else f"epoch_ns(c{i}) as c{i}" if i in (12,) else f"epoch_us(c{i}) * 1000 as c{i}" if i == 13 else f"c{i}" for i in range(19))
    got = con.execute(f"select {cols} from '{path}'").fetchall()
    assert len(got) == rows
    d = [[r[c] for r in got] for c in range(19)]
    w = [list(x) for x in want]
    w[13] = [None if v is None else int(v / abs(v or 1)) * (abs(v) // 1000 * 1000) for v in w[13]]  # DuckDB has microseconds here
    compare("duckdb", d, w, rows)
    # filters: what statistics and page indexes rule out must not hold rows
    for c in (1, 2, 5, 6, 7, 8, 14, 17, 18):
        vals = [v for v in want[c] if v is not None]
        for v in vals[:3] + vals[-2:]:
            n = sum(1 for x in want[c] if x == v)
            assert con.execute(f"select count(*) from '{path}' where c{c} = ?", [v]).fetchone()[0] == n, (c, v)
            assert pq.read_table(path, filters=[(f"c{c}", "==", v)], columns=[f"c{c}"]).num_rows == n, (c, v)
            if c in (1, 2, 14): assert pl.scan_parquet(path).filter(pl.col(f"c{c}") == v).select(pl.len()).collect().item() == n, (c, v)
    nans = sum(1 for v in want[4] if v is not None and math.isnan(v))
    assert con.execute(f"select count(*) from '{path}' where isnan(c4)").fetchone()[0] == nans
    p = pl.read_parquet(path)
    assert p.height == rows
    for c in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14, 17, 18):
        got = p.get_column(f"c{c}").to_list()
        for r in range(rows):
            if not same(got[r], want[c][r]): raise AssertionError(f"polars: column {c} row {r}: {got[r]!r}, expected {want[c][r]!r}")

def main():
    dump = os.path.abspath(sys.argv[1])
    tmp = tempfile.mkdtemp()
    path = os.path.join(tmp, "t.parquet")
    if len(sys.argv) > 2: return bench(dump, path)
    n = 0
    for rows in (0, 1, 7, 5000):
        for nulls in (0, 1, 2):
            for codec, group, dictionary in ((6, 0, 1), (0, 1000, 0), (1, 1024, 1), (2, 0, 0), (7, 0, 1)):
                check_types(dump, path, rows, nulls, codec, group, dictionary)
                n += 1
    check_types(dump, path, 40000, 1, 6, 16384, 1)
    subprocess.check_call([dump, "wide", path, "1000", "3000"])
    t = pq.read_table(path, page_checksum_verification=True)
    for c in range(0, 1000, 97): assert t.column(c).to_pylist() == [h(r, c) % 100 for r in range(3000)]
    print("ok", n + 2, "files")

def bench(dump, path):
    for level in ("3", "1"):
        print(subprocess.check_output([dump, "bench", path, "1000000", level, "3"], text=True), end="")
    t = pq.read_table(path, use_threads=False).combine_chunks()
    pa.set_cpu_count(1)
    for kw in ({}, {"compression_level": 3}, {"data_page_size": 65536}):
        best = 1e9
        for _ in range(3):
            t0 = time.process_time()
            pq.write_table(t, path + ".a", compression="zstd", **kw)
            best = min(best, time.process_time() - t0)
        print("pyarrow", kw, "%.3f s CPU, %.2f M rows/s, %d bytes" % (best, t.num_rows / best / 1e6, os.path.getsize(path + ".a")))
        if not kw:
            for c in t.column_names:
                t0 = time.process_time()
                pq.write_table(t.select([c]), path + ".c", compression="zstd")
                print("  %-8s %.3f s, %d bytes, ours %d" % (c, time.process_time() - t0, os.path.getsize(path + ".c"), sum(pq.ParquetFile(path).metadata.row_group(g).column(t.column_names.index(c)).total_compressed_size for g in range(pq.ParquetFile(path).metadata.num_row_groups))))
    a = pq.read_table(path + ".a")
    assert a.equals(t.cast(a.schema))

main()
