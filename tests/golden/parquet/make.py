#!/usr/bin/env python3
"""Makes the *.parquet files beside it: the same 200 rows as pyarrow and DuckDB write them, over encodings, codecs and page versions.
tests/unit/test_pq_reader.c states each value by its row, so that a change here is a change there. Run with pyarrow 26 and duckdb 2."""
import decimal
import os
import struct

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

HERE = os.path.dirname(os.path.abspath(__file__))
N = 200
decimal.getcontext().prec = 60


def column(k, f, t):
    return pa.array([None if (i + k) % 5 == 0 else f(i) for i in range(N)], t)


def dec(unscaled, scale):
    return decimal.Decimal(unscaled).scaleb(-scale)


fields = [
    ("b", lambda i: i % 3 == 0, pa.bool_()),
    ("i32", lambda i: i * 7 - 50, pa.int32()),
    ("i64", lambda i: i * 1000003 - 5000000000, pa.int64()),
    ("u32", lambda i: 4294967295 - i, pa.uint32()),
    ("i16", lambda i: i * 300 - 30000, pa.int16()),
    ("f32", lambda i: i * 0.5, pa.float32()),
    ("f64", lambda i: i / 8 - 3, pa.float64()),
    ("d9", lambda i: dec(i * 125 - 1000, 2), pa.decimal128(9, 2)),
    ("d38", lambda i: dec((i - 100) * 10**30, 10), pa.decimal128(38, 10)),
    ("date", lambda i: i * 10 - 500, pa.date32()),
    ("time", lambda i: i * 1000000, pa.time64("us")),
    ("tms", lambda i: i * 86400000 - 1000, pa.timestamp("ms")),
    ("tus", lambda i: i * 86400000000 - 1, pa.timestamp("us", "UTC")),
    ("s", lambda i: "word-%d" % (i % 11), pa.string()),
    ("t", lambda i: "text " + "é" * (i % 20) + str(i), pa.string()),
    ("bin", lambda i: bytes([i % 256, 0, 255]) * (i % 4), pa.binary()),
]
table = pa.table({name: column(k, f, t) for k, (name, f, t) in enumerate(fields)})
table = table.append_column(pa.field("id", pa.int64(), nullable=False), pa.array(range(N), pa.int64()))
more = table.append_column("fix", column(16, lambda i: struct.pack("<IB", i, 7), pa.binary(5)))
more = more.append_column("nest", pa.array([[1, None][: i % 3] for i in range(N)], pa.list_(pa.int32())))


def write(name, t=more, **kw):
    pq.write_table(t, os.path.join(HERE, name + ".parquet"), store_schema=False, **kw)


write("pyarrow_default")
write("pyarrow_v2_zstd", data_page_version="2.0", compression="zstd", write_page_index=True, write_page_checksum=True, row_group_size=70, max_rows_per_page=30)
write("pyarrow_plain_gzip", use_dictionary=False, compression="gzip", max_rows_per_page=64)
write("pyarrow_fallback", dictionary_pagesize_limit=60, max_rows_per_page=20, write_batch_size=10, compression="none", write_page_checksum=True)
write("pyarrow_int96_lz4", use_deprecated_int96_timestamps=True, compression="lz4", write_page_index=True)
write("pyarrow_delta", use_dictionary=False, store_decimal_as_integer=True, compression="snappy", write_page_index=True, max_rows_per_page=150,
      column_encoding={"i32": "DELTA_BINARY_PACKED", "i64": "DELTA_BINARY_PACKED", "u32": "BYTE_STREAM_SPLIT", "i16": "DELTA_BINARY_PACKED", "f32": "BYTE_STREAM_SPLIT", "f64": "BYTE_STREAM_SPLIT",
                       "d9": "DELTA_BINARY_PACKED", "d38": "BYTE_STREAM_SPLIT", "date": "DELTA_BINARY_PACKED", "tus": "DELTA_BINARY_PACKED", "s": "DELTA_LENGTH_BYTE_ARRAY", "t": "DELTA_BYTE_ARRAY",
                       "bin": "DELTA_BYTE_ARRAY", "fix": "DELTA_BYTE_ARRAY", "b": "RLE", "id": "DELTA_BINARY_PACKED"})
write("pyarrow_empty", t=more.slice(0, 0))
con = duckdb.connect()
con.register("t", table)
for name, options in (("duckdb_default", ""), ("duckdb_v2_zstd", ", parquet_version v2, compression zstd")):
    con.execute("copy t to '%s' (format parquet%s)" % (os.path.join(HERE, name + ".parquet"), options))
