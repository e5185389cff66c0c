"""SELECT * and COUNT(*) of tables of no, one and many rows, in several row groups, pages and files, masked here and there."""
import pyarrow.parquet as pq
import pytest

from model import ALL, Case

SMALL_GROUPS = {"write.parquet.row-group-size-bytes": "262144", "write.parquet.page-size-bytes": "2048"}


@pytest.mark.parametrize("version", (2, 3))
def test_no_row_then_one_then_none(path, version):
    with Case(path, "id long, name string?, price double?", "id", version) as c:
        c.check(ALL)
        c.put([(1, "one", 1.0)])
        c.check(("pyiceberg",))  # visible here, not yet published
        c.flush()
        c.check(ALL)
        c.delete([1])
        c.flush()
        c.check(ALL)
        c.put([(1, "again", None)])
        c.flush()
        c.check()


@pytest.mark.parametrize("version", (2, 3))
def test_a_thousand_rows(path, version):
    with Case(path, "id long, name string?, price double?", "id", version) as c:
        c.put((i, f"row {i}" if i % 7 else None, i / 3 if i % 5 else None) for i in range(1000))
        c.flush()
        c.check(ALL)
        c.put((i, "changed", None) for i in range(0, 1000, 10))
        c.delete(range(5, 1000, 100))
        c.flush()
        c.check(ALL)


@pytest.mark.parametrize("version", (2, 3))
def test_300_000_rows_in_many_row_groups_masked_past_65536(path, version):
    n = 300_000
    with Case(path, "id long, name string?, price double?", "id", version, SMALL_GROUPS) as c:
        c.put_arrow((i, f"row number {i * 7919 % n}" if i % 11 else None, i * 0.25 if i % 13 else None) for i in range(n))
        c.flush()
        largest = max(c.table.data_files(), key=lambda f: f["rows"])
        assert largest["rows"] > 131_072, "one file, so that positions pass two chunks of 2^16"
        groups = pq.ParquetFile(c.db.path / largest["path"]).metadata
        assert groups.num_row_groups > 4, "several row groups"
        assert all(groups.row_group(g).column(1).total_uncompressed_size > 10 * 2048 for g in range(groups.num_row_groups - 1)), "of many pages"
        edges = [0, 1, 65_534, 65_535, 65_536, 65_537, 131_071, 131_072, 196_608, n - 2, n - 1]
        c.delete(edges[::2])
        c.put((i, "upserted", -1.0) for i in edges[1::2])
        c.delete(range(140_000, 150_000))  # a run
        c.delete(range(200_001, 260_000, 2))  # every other row: dense
        c.put((n + i, "new", None) for i in range(100))
        c.flush()
        assert any(f["rows_masked"] > 20_000 for f in c.table.data_files())
        c.check(ALL)
        c.put((i, "inserted again", 0.0) for i in range(145_000, 146_000))
        c.flush()
        c.check(("duckdb", "pyiceberg"))


@pytest.mark.parametrize("version", (2, 3))
@pytest.mark.parametrize("codec", ("zstd", "snappy", "uncompressed"))
def test_every_compression_codec(path, version, codec):
    with Case(path, "id long, name string?, price double?", "id", version, SMALL_GROUPS | {"write.parquet.compression-codec": codec}) as c:
        c.put((i, f"row number {i * 7919}", i * 0.37) for i in range(20_000))
        c.flush()
        c.delete(range(0, 20_000, 3))
        c.flush()
        c.check(ALL if codec == "snappy" else ("pyiceberg", "duckdb", "polars"))
