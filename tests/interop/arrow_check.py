"""Arrow's C interface, against pyarrow, both ways: tables, Parquet files, all types, and what must be refused.

    python tests/interop/arrow_check.py build/release/libfrazil.so             (bench: … libfrazil.so bench)
"""
import ctypes as C, datetime as dt, decimal, gc, math, os, shutil, sys, tempfile, time, uuid
import pyarrow as pa, pyarrow.compute as pc, pyarrow.parquet as pq

decimal.getcontext().prec = 60
lib = C.CDLL(sys.argv[1])
NOT_FOUND, EXISTS, INVALID, MISUSE, UNSUPPORTED, BUSY, IO, CORRUPT = 1, 3, -1, -2, -5, -10, -30, -40

class Err(C.Structure): _fields_ = [("code", C.c_int32), ("os_errno", C.c_int32), ("message", C.c_char * 504)]
class Stream(C.Structure): _fields_ = [("p", C.c_void_p * 5)]
class DbOptions(C.Structure):
    _fields_ = [("size", C.c_uint32), ("create", C.c_bool), ("read_only", C.c_bool), ("no_close_flush", C.c_bool), ("durability", C.c_int32), ("sync_ms", C.c_uint32),
                ("memory", C.c_uint64), ("memtable", C.c_uint64), ("segment", C.c_uint64), ("alloc", C.c_void_p), ("log", C.c_void_p), ("log_ctx", C.c_void_p), ("log_level", C.c_int32)]
class ScanOptions(C.Structure):
    _fields_ = [("size", C.c_uint32), ("reverse", C.c_bool), ("from_ex", C.c_bool), ("to_in", C.c_bool), ("snapshot", C.c_void_p), ("columns", C.POINTER(C.c_size_t)), ("column_count", C.c_size_t),
                ("from_", C.c_void_p), ("from_n", C.c_size_t), ("to", C.c_void_p), ("to_n", C.c_size_t), ("prefix", C.c_void_p), ("prefix_n", C.c_size_t),
                ("where", C.c_char_p), ("limit", C.c_uint64), ("batch_rows", C.c_uint32)]
class ParquetOptions(C.Structure): _fields_ = [("size", C.c_uint32), ("compression", C.c_char_p), ("level", C.c_int32), ("group_rows", C.c_uint64)]
for name in ("frz_blob_data",): getattr(lib, name).restype = C.c_char_p

class Frz(Exception):
    def __init__(self, rc, message): super().__init__(f"{rc}: {message}"); self.rc, self.message = rc, message

def call(fn, *args, ok=(0,)):
    e = Err()
    rc = getattr(lib, fn)(*args, C.byref(e))
    if rc not in ok: raise Frz(rc, e.message.decode())
    return rc

def refused(code, text, fn, *args):
    try: fn(*args)
    except Frz as e:
        assert e.rc == code and text in e.message, (e.rc, e.message, text)
        return e
    raise AssertionError(f"expected {code}: {text}")

class Db:
    def __init__(self, path, memory=0):
        o = DbOptions(size=C.sizeof(DbOptions), create=True, durability=3, memory=memory)
        self.h = C.c_void_p()
        call("frz_db_open", path.encode(), C.byref(o), C.byref(self.h))
    def create(self, name, text, key):
        s, t = C.c_void_p(), C.c_void_p()
        call("frz_schema_parse", text.encode(), key.encode(), C.byref(s))
        o = (C.c_uint32 * 16)(); o[0] = 32; o[1] = 3 # format version 3: nanoseconds
        call("frz_table_create", self.h, name.encode(), s, C.byref(o), C.byref(t))
        lib.frz_schema_free(s)
        return t
    def flush(self): call("frz_db_flush", self.h)
    def close(self): call("frz_db_close", self.h)

def export(source):
    """A table, batches, or a reader, as an ArrowArrayStream."""
    s = Stream()
    if isinstance(source, pa.Table): source = source.to_reader()
    source._export_to_c(C.addressof(s))
    return s

def write(t, source, insert=False):
    rows, s = C.c_uint64(), export(source)
    try: call("frz_write_arrow", t, C.byref(s), C.c_bool(insert), None, C.byref(rows))
    finally:
        assert not s.p[3], "the stream is released in any case"
        write.rows = rows.value
    return rows.value

def scan_reader(t, **kw):
    o = ScanOptions(size=C.sizeof(ScanOptions))
    keep = None
    for k, v in kw.items():
        if k == "columns": keep = (C.c_size_t * max(1, len(v)))(*v); o.columns = keep; o.column_count = len(v)
        else: setattr(o, k, v)
    s = Stream()
    call("frz_scan_arrow", t, C.byref(o), C.byref(s))
    return pa.RecordBatchReader._import_from_c(C.addressof(s))
def scan(t, **kw): return scan_reader(t, **kw).read_all()

def parquet_read(path):
    s = Stream()
    call("frz_parquet_read", path.encode(), C.byref(s))
    return pa.RecordBatchReader._import_from_c(C.addressof(s)).read_all()
def parquet_write(path, source, **kw):
    rows, s = C.c_uint64(), export(source)
    o = ParquetOptions(size=C.sizeof(ParquetOptions), **kw)
    try: call("frz_parquet_write", path.encode(), C.byref(s), C.byref(o), C.byref(rows))
    finally: assert not s.p[3]
    return rows.value
def parquet_schema(path):
    s, b = C.c_void_p(), C.c_void_p()
    call("frz_parquet_schema", path.encode(), C.byref(s))
    call("frz_schema_to_text", s, C.byref(b))
    text = lib.frz_blob_data(b).decode()
    lib.frz_blob_free(b); lib.frz_schema_free(s)
    return text

# ── data ──
N = 40000
TEXT = ("id long, b boolean?, i int?, l long?, f float?, d double?, dec decimal(9,2)?, wide decimal(38,10)?, date date?, time time?, ts timestamp?, tz timestamptz?, tsn timestamp_ns?, "
        "tzn timestamptz_ns?, s string?, u uuid?, fx fixed[5]?, bin binary?")
US, NS = 1_500_000_000_000_000, 1_500_000_000_000_000_000
def every(n, fn): return [None if i % 7 == 3 else fn(i) for i in range(n)]
def all_types(n=N):
    D = decimal.Decimal
    return pa.table({
        "id": pa.array(range(n), pa.int64()),
        "b": pa.array(every(n, lambda i: i % 3 == 0), pa.bool_()),
        "i": pa.array(every(n, lambda i: i * 7919 - 2**31 if i < 1000 else i), pa.int32()),
        "l": pa.array(every(n, lambda i: (1 << 63) - 1 - i if i % 2 else -(1 << 63) + i), pa.int64()),
        "f": pa.array(every(n, lambda i: i / 4), pa.float32()),
        "d": pa.array(every(n, lambda i: [math.inf, -0.0, i / 10][i % 3]), pa.float64()),
        "dec": pa.array(every(n, lambda i: D(i - 5).scaleb(-2)), pa.decimal128(9, 2)),
        "wide": pa.array(every(n, lambda i: D(-(10**37) - i).scaleb(-10)), pa.decimal128(38, 10)),
        "date": pa.array(every(n, lambda i: i - 20000), pa.int32()).cast(pa.date32()),
        "time": pa.array(every(n, lambda i: i * 86399 % 86400000000), pa.int64()).cast(pa.time64("us")),
        "ts": pa.array(every(n, lambda i: US + i), pa.int64()).cast(pa.timestamp("us")),
        "tz": pa.array(every(n, lambda i: US - i), pa.int64()).cast(pa.timestamp("us", "UTC")),
        "tsn": pa.array(every(n, lambda i: NS + i), pa.int64()).cast(pa.timestamp("ns")),
        "tzn": pa.array(every(n, lambda i: NS - i), pa.int64()).cast(pa.timestamp("ns", "UTC")),
        "s": pa.array(every(n, lambda i: ["", "é水", f"row {i}"][i % 3]), pa.string()),
        "u": pa.array(every(n, lambda i: uuid.UUID(int=i * 31).bytes), pa.uuid()),
        "fx": pa.array(every(n, lambda i: i.to_bytes(5, "big")), pa.binary(5)),
        "bin": pa.array(every(n, lambda i: bytes([i % 256]) * (i % 20)), pa.binary()),
    })

def same(got, want, where=""):
    """By value, in order of id; the types are equal too."""
    got, want = got.sort_by("id"), want.sort_by("id")
    assert got.column_names == want.column_names, (where, got.column_names, want.column_names)
    assert got.num_rows == want.num_rows, (where, got.num_rows, want.num_rows)
    for name in want.column_names:
        a, b = got[name].combine_chunks(), want[name].combine_chunks()
        a.validate(full=True)
        assert a.type == b.type, (where, name, a.type, b.type)
        if hasattr(a, "storage"): a, b = a.storage, b.storage
        assert a.null_count == b.null_count and a.equals(b), (where, name)

def tables(tmp):
    want = all_types()
    for memory in (0, 8 << 20): # small: flushes while it is written
        path = f"{tmp}/wh{memory}"
        db = Db(path, memory)
        t = db.create("t", TEXT, "id")
        assert write(t, want) == N
        same(scan(t), want, "memtable")
        db.flush()
        same(scan(t), want, "flushed")
        r = scan_reader(t)
        for k, f in enumerate(r.schema):
            assert f.metadata[b"PARQUET:field_id"] == str(k + 1).encode() and f.nullable == (k > 0), f
        assert isinstance(r.schema.field("u").type, pa.UuidType)
        # upsert of a slice, columns in another order, some left out: those become null
        part = want.slice(123, 4567).select(["s", "id", "tsn"])
        assert write(t, part) == 4567
        expect = pa.concat_tables([want.slice(0, 123), pa.table({c: part[c] if c in part.column_names else pa.nulls(4567, want[c].type) for c in want.column_names}, want.schema),
                                   want.slice(123 + 4567)])
        same(scan(t), expect, "upsert")
        db.flush()
        same(scan(t), expect, "upsert flushed")
        # projection in the caller's order, predicates, limits, batch rows
        p = scan(t, columns=[14, 0])
        assert p.column_names == ["s", "id"]
        same(p, expect.select(["s", "id"]), "projection")
        same(scan(t, where=b"id >= 100 AND id < 30000 AND b = true"), expect.filter((pc.field("id") >= 100) & (pc.field("id") < 30000) & (pc.field("b") == True)), "where")
        assert scan(t, limit=777).num_rows == 777
        sizes = [b.num_rows for b in scan_reader(t, batch_rows=100)]
        assert max(sizes) <= 100 and sum(sizes) == N
        assert scan(t, where=b"id < 0").num_rows == 0
        refused(INVALID, "no columns", lambda: scan(t, columns=[]))
        refused(INVALID, "", lambda: scan(t, columns=[99]))
        refused(INVALID, "reverse", lambda: scan(t, reverse=True))
        # the stream holds its state while rows change, and the database while it is open; arrays outlive both
        r = scan_reader(t, batch_rows=1000)
        first = r.read_next_batch()
        write(t, pa.table({"id": range(N), "s": ["changed"] * N}))
        db.flush()
        rest = pa.Table.from_batches([first] + list(r))
        same(rest, expect, "pinned")
        refused(BUSY, "", db.close)
        del r; gc.collect()
        batches = list(scan_reader(t, batch_rows=5000)); gc.collect()
        db.close()
        assert pa.Table.from_batches(batches).num_rows == N
        assert all(v in ("changed",) for v in pa.Table.from_batches(batches)["s"].to_pylist())

def inserts(tmp):
    db = Db(f"{tmp}/ins")
    t = db.create("t", "id long, s string?, q int", "id")
    def rows(a, b): return pa.table({"id": pa.array(range(a, b), pa.int64()), "s": [f"r{i}" for i in range(a, b)], "q": pa.array(range(a, b), pa.int32())})
    assert write(t, rows(0, 5000), insert=True) == 5000
    refused(EXISTS, "2500", lambda: write(t, rows(5000, 7500), insert=True) and write(t, rows(7500, 9000), insert=True) and write(t, rows(2500, 2600), insert=True))
    e = refused(EXISTS, "4000", lambda: write(t, pa.concat_tables([rows(9000, 12000), rows(4000, 4001)]), insert=True))
    assert write.rows == 3000 and scan(t).num_rows == 12000, (write.rows, scan(t).num_rows)
    write(t, rows(0, 10)) # an upsert may
    refused(EXISTS, "50000", lambda: write(t, pa.table({"id": [50000, 50000], "q": pa.array([1, 2], pa.int32())}), insert=True))
    # what does not fit is named, and what came before is in and counted
    bad = pa.table({"id": pa.array(range(20000, 45000), pa.int64()), "q": pa.array([1] * 24999 + [2**31], pa.int64())})
    e = refused(INVALID, 'column "q": row 24999: 2147483648 is out of the range of int', lambda: write(t, bad))
    assert write.rows == 20000, write.rows
    refused(INVALID, 'column "q"', lambda: write(t, pa.table({"id": [1]})))              # required, and not there
    refused(INVALID, 'row 1', lambda: write(t, pa.table({"id": [1, 2], "q": pa.array([1, None], pa.int32())})))
    refused(INVALID, 'row 0', lambda: write(t, pa.table({"id": pa.array([None], pa.int64()), "q": pa.array([1], pa.int32())})))
    refused(INVALID, '"nope"', lambda: write(t, pa.table({"id": [1], "nope": [1]})))
    refused(INVALID, "twice", lambda: write(t, pa.table([pa.array([1]), pa.array([2]), pa.array([1], pa.int32())], names=["id", "id", "q"])))
    refused(INVALID, "cannot become", lambda: write(t, pa.table({"id": [1.5], "q": pa.array([1], pa.int32())})))
    refused(UNSUPPORTED, 'column "s"', lambda: write(t, pa.table({"id": [1], "s": [[1]], "q": pa.array([1], pa.int32())})))
    def broken():
        yield pa.record_batch(rows(100000, 100100).to_batches()[0])
        raise ValueError("the producer broke")
    refused(INVALID, "the producer broke", lambda: write(t, pa.RecordBatchReader.from_batches(rows(0, 1).schema, broken())))
    assert write.rows == 100
    released = Stream()
    refused(INVALID, "released", lambda: call("frz_write_arrow", t, C.byref(released), C.c_bool(False), None, None))
    refused(INVALID, "NULL", lambda: call("frz_write_arrow", t, None, C.c_bool(False), None, None))
    # every layout that means the same
    for i, s in enumerate((pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string()), pa.dictionary(pa.uint32(), pa.large_string()))):
        base = 200000 + i * 1000
        values = [None if k % 5 == 0 else ["a", "a somewhat longer string than twelve", ""][k % 3] for k in range(100)]
        write(t, pa.table({"id": pa.array(range(base, base + 100), pa.uint32()), "s": pa.array(values, s), "q": pa.array(range(100), pa.uint8())}).slice(7, 80))
        got = scan(t, where=f"id >= {base} AND id < {base + 100}".encode()).sort_by("id")
        assert got["s"].to_pylist() == values[7:87] and got["q"].to_pylist() == list(range(7, 87)), s
    db.close()
    # composite keys of every type, and many wide rows
    db = Db(f"{tmp}/keys", 16 << 20)
    t = db.create("t", TEXT.replace("?", "") + ", note string?", "s,dec,u,b,i,fx,tsn,date,bin,id")
    want = all_types(3000).drop_null().append_column("note", pa.array([None if i % 4 else "x" * (i * 37 % 3000) for i in range(len(all_types(3000).drop_null()))]))
    write(t, want)
    same(scan(t), pa.table(want, scan(t).schema), "composite")
    db.flush()
    same(scan(t), pa.table(want, scan(t).schema), "composite flushed")
    write(t, want)
    assert scan(t).num_rows == want.num_rows
    t = db.create("w", "id long, big binary?", "id")
    big = pa.table({"id": range(60), "big": [bytes([i]) * 1_000_000 for i in range(60)]})
    write(t, big)
    same(scan(t), pa.table(big, scan(t).schema), "wide rows")
    db.close()

def parquet(tmp):
    want, path = all_types(), f"{tmp}/all.parquet"
    for codec in (b"zstd", b"snappy", b"uncompressed", None):
        assert parquet_write(path, want, compression=codec, group_rows=15000) == N
        f = pq.ParquetFile(path)
        assert f.metadata.num_row_groups == 3 and [f.schema_arrow.field(i).metadata[b"PARQUET:field_id"] for i in range(18)] == [str(i + 1).encode() for i in range(18)]
        assert f.metadata.row_group(0).column(0).compression == (codec or b"zstd").decode().upper()
        back = f.read()
        same(back, want, codec)
    same(parquet_read(path), want, "our own file")
    assert parquet_schema(path) == TEXT.replace("id long", "id long?"), parquet_schema(path)
    pq.write_table(want, path, row_group_size=7000, data_page_version="2.0")
    same(parquet_read(path), want, "pyarrow's")
    # field ids and required columns are kept
    f = [pa.field("a", pa.int64(), False, {"PARQUET:field_id": "7"}), pa.field("b", pa.string()), pa.field("c", pa.int32(), True, {"PARQUET:field_id": "3"}), pa.field("d", pa.int32(), True, {"PARQUET:field_id": "3"})]
    t = pa.table([pa.array([1, 2]), pa.array(["x", None]), pa.array([1, 2], pa.int32()), pa.array([1, 2], pa.int32())], schema=pa.schema(f))
    parquet_write(path, t)
    s = pq.read_schema(path)
    assert [s.field(i).metadata[b"PARQUET:field_id"] for i in range(4)] == [b"7", b"8", b"3", b"9"] and not s.field("a").nullable
    assert parquet_schema(path) == "a long, b string?, c int?, d int?"
    # other layouts, nulls, nothing at all
    odd = pa.table({"u8": pa.array([1, None], pa.uint8()), "u64": pa.array([1, 2**63 - 1], pa.uint64()), "ls": pa.array(["a", None], pa.large_string()), "v": pa.array([b"a", None], pa.binary_view()),
                    "dic": pa.array(["x", "x"]).dictionary_encode(), "n": pa.nulls(2), "ms": pa.array([1, -1], pa.timestamp("ms")), "d64": pa.array([86400000, 0], pa.date64()), "t32": pa.array([1, 2], pa.time32("s")),
                    "d256": pa.array([decimal.Decimal("1.5"), None], pa.decimal256(50, 3)), "d32": pa.array([decimal.Decimal("1.5"), None], pa.decimal32(5, 1))})
    parquet_write(path, odd)
    back = pq.read_table(path)
    for c in odd.column_names: assert [str(x) for x in back[c].to_pylist()] == [str(x) for x in odd[c].to_pylist()] or c in ("d256",), (c, back[c], odd[c])
    assert parquet_write(path, want.slice(0, 0)) == 0 and pq.read_table(path).num_rows == 0 and parquet_read(path).num_rows == 0
    # refused: the file that was there stays, nothing is left beside it
    before = os.listdir(tmp)
    keep = open(path, "rb").read()
    refused(INVALID, 'column "u": row 70001', lambda: parquet_write(path, pa.table({"u": pa.array([1] * 70001 + [2**64 - 1], pa.uint64())})))
    refused(UNSUPPORTED, 'column "h"', lambda: parquet_write(path, pa.table({"h": pa.array([1.0], pa.float16())})))
    refused(INVALID, "compression", lambda: parquet_write(path, want, compression=b"lzma"))
    refused(INVALID, "compression_level", lambda: parquet_write(path, want, level=20))
    refused(NOT_FOUND, "", lambda: parquet_write(f"{tmp}/no/such/x.parquet", want))
    refused(INVALID, "", lambda: parquet_write(f"{tmp}/", want))
    assert os.listdir(tmp) == before and open(path, "rb").read() == keep
    refused(NOT_FOUND, "nothing.parquet", lambda: parquet_read(f"{tmp}/nothing.parquet"))
    refused(INVALID, "no file", lambda: parquet_read(tmp))
    open(path, "wb").write(b"PAR1 is no Parquet file PAR2")
    refused(CORRUPT, "", lambda: parquet_read(path))
    pq.write_table(pa.table({"id": [1], "deep": [{"a": [1, 2]}]}), path)
    refused(UNSUPPORTED, "deep.a", lambda: parquet_read(path))
    refused(UNSUPPORTED, "deep.a", lambda: parquet_schema(path))
    # damage in the middle of the file: the stream says which
    pq.write_table(want, path, compression="none", use_dictionary=False, write_page_checksum=True)
    data = bytearray(open(path, "rb").read()); data[len(data) // 2] ^= 0xFF
    open(path, "wb").write(data)
    try: parquet_read(path); raise AssertionError("damage went unseen")
    except (OSError, pa.ArrowException) as e: assert "all.parquet" in str(e), e
    # a table to a file to a table
    db = Db(f"{tmp}/pq")
    t = db.create("t", TEXT, "id")
    pq.write_table(want, path)
    s = Stream(); call("frz_parquet_read", path.encode(), C.byref(s))
    call("frz_write_arrow", t, C.byref(s), C.c_bool(False), None, None)
    s = Stream(); call("frz_scan_arrow", t, None, C.byref(s))
    call("frz_parquet_write", path.encode(), C.byref(s), None, None)
    same(pq.read_table(path), want, "file → table → file")
    s = Stream(); call("frz_scan_arrow", t, None, C.byref(s)) # and from a table into itself
    call("frz_write_arrow", t, C.byref(s), C.c_bool(False), None, None)
    same(scan(t), want, "into itself")
    db.close()

def bench(tmp, n=1_000_000):
    ids = pa.array(range(n), pa.int64())
    t = pa.table({"id": ids, "ts": pa.array(range(US, US + n * 1000, 1000), pa.int64()).cast(pa.timestamp("us")), "symbol": pa.array([["ICE", "SNOW", "FROST", "RIME"][i % 4] + str(i % 97) for i in range(n)]),
                  "price": pa.array([(i * 7919 % 100003) / 64 for i in range(n)]), "qty": pa.array([i * 31 % 1000 for i in range(n)], pa.int32()),
                  "note": pa.array([None if i % 3 else f"order {i * 2654435761 % 4294967296:x} of desk {i % 11}" for i in range(n)])})
    best = 1e9
    for _ in range(3):
        t0 = time.perf_counter(); pq.write_table(t, f"{tmp}/p.parquet", compression="zstd"); best = min(best, time.perf_counter() - t0)
    print(f"pyarrow zstd Parquet: {n / best:,.0f} rows/s, {os.path.getsize(tmp + '/p.parquet'):,} bytes")
    best_f = 1e9
    for _ in range(3):
        t0 = time.perf_counter(); parquet_write(f"{tmp}/q.parquet", t); best_f = min(best_f, time.perf_counter() - t0)
    print(f"frz_parquet_write:    {n / best_f:,.0f} rows/s, {os.path.getsize(tmp + '/q.parquet'):,} bytes")
    for k, batch in enumerate((n, 65536, 10000)):
        db = Db(f"{tmp}/b{k}")
        tab = db.create("t", "id long, ts timestamp, symbol string, price double, qty int, note string?", "id")
        t0 = time.perf_counter(); write(tab, pa.RecordBatchReader.from_batches(t.schema, t.to_batches(max_chunksize=batch))); t1 = time.perf_counter()
        db.flush(); t2 = time.perf_counter()
        got = scan(tab); t3 = time.perf_counter()
        assert got.num_rows == n
        print(f"ingest (batches of {batch:,}): {n / (t1 - t0):,.0f} rows/s written, {n / (t2 - t0):,.0f} rows/s published = {best / (t2 - t0):.2f} × pyarrow; scan {n / (t3 - t2):,.0f} rows/s")
        db.close()

if __name__ == "__main__":
    tmp = tempfile.mkdtemp(prefix="frz-arrow-")
    try:
        if sys.argv[2:] == ["bench"]: bench(tmp)
        else:
            for step in (parquet, tables, inserts):
                t0 = time.time(); step(tempfile.mkdtemp(dir=tmp)); print(f"{step.__name__}: good, {time.time() - t0:.1f} s", flush=True)
    finally: shutil.rmtree(tmp)
