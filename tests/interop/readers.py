"""How each engine reads a table's directory. A reader gives a pyarrow Table; `rows` turns any of them into the model's canonical tuples."""
import glob
import math
import os
import site
import sys
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

import frz

# ── canonical values ──


def _storage(column):
    """Without extension types (arrow.uuid), dictionaries and chunks."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    if isinstance(column.type, pa.BaseExtensionType) or pa.types.is_dictionary(column.type):
        column = column.storage if isinstance(column.type, pa.BaseExtensionType) else column.dictionary_decode()
    return column


def canonical_float(x):
    """NaN equals NaN, -0.0 is not 0.0."""
    if x is None:
        return None
    if x != x:
        return "NaN"
    return "-0.0" if x == 0 and math.copysign(1, x) < 0 else x


def _uuid(x):
    import uuid
    return x if x is None or isinstance(x, bytes) else uuid.UUID(x).bytes


def values(column, c):
    """A column of an engine's answer, as a list of canonical values of the table's column C. Fails on a type that could have lost something."""
    a = _storage(column)
    t = a.type
    if c.type in (frz.FLOAT, frz.DOUBLE):
        assert t == (pa.float32() if c.type == frz.FLOAT else pa.float64()), f"{c.name}: {t}"
        return [canonical_float(x) for x in a.to_pylist()]
    if c.type == frz.DATE:
        assert pa.types.is_date(t) or pa.types.is_int32(t), f"{c.name}: {t}"
        return (a.cast(pa.int32()) if pa.types.is_date32(t) else pc.divide(a.cast(pa.int64()), 86400000)).to_pylist()
    if c.type == frz.TIME:
        assert pa.types.is_time64(t), f"{c.name}: {t}"
        a = a.cast(pa.int64())
        return (pc.divide(a, 1000) if t.unit == "ns" else a).to_pylist()
    if c.type in (frz.TIMESTAMP, frz.TIMESTAMPTZ, frz.TIMESTAMP_NS, frz.TIMESTAMPTZ_NS):
        assert pa.types.is_timestamp(t), f"{c.name}: {t}"
        nanos = c.type in (frz.TIMESTAMP_NS, frz.TIMESTAMPTZ_NS)
        assert t.unit == "ns" or not nanos, f"{c.name}: {t}"
        a = a.cast(pa.int64())
        return (pc.divide(a, 1000) if t.unit == "ns" and not nanos else a).to_pylist()
    if c.type == frz.DECIMAL:
        assert pa.types.is_decimal(t) and t.scale == c.scale and t.precision >= c.precision, f"{c.name}: {t}"
        return a.to_pylist()
    if c.type == frz.UUID:
        return [_uuid(x) for x in a.to_pylist()]
    if c.type in (frz.FIXED, frz.BINARY):
        assert pa.types.is_binary(t) or pa.types.is_large_binary(t) or pa.types.is_binary_view(t) or pa.types.is_fixed_size_binary(t), f"{c.name}: {t}"
    return a.to_pylist()


def rows(table, arrow):
    """Canonical tuples, in the engine's order."""
    assert arrow.column_names == [c.name for c in table.columns], arrow.column_names
    if arrow.num_rows == 0:
        return []
    return list(zip(*(values(arrow.column(i), c) for i, c in enumerate(table.columns))))


def canonical(table, model_rows):
    """The model's rows as `rows` gives them: floats comparable."""
    floats = [i for i, c in enumerate(table.columns) if c.type in (frz.FLOAT, frz.DOUBLE)]
    if not floats:
        return list(model_rows)
    out = []
    for r in model_rows:
        r = list(r)
        for i in floats:
            r[i] = canonical_float(r[i])
        out.append(tuple(r))
    return out


# ── filters: (column, operator, literal) all joined by AND; operators = < <= > >= null notnull in ──

SQL = {"=": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


def _quoted(name, quote):
    return quote + name.replace(quote, quote * 2) + quote


def _literal(c, x, spark=False):
    if c.type == frz.STRING:
        return "'" + (x.replace("\\", "\\\\").replace("'", "\\'") if spark else x.replace("'", "''").replace("\0", "' || chr(0) || '")) + "'"
    if c.type == frz.DATE:
        return f"DATE '{iso(c, x)}'"
    if c.type == frz.TIMESTAMP:
        return f"{'TIMESTAMP_NTZ' if spark else 'TIMESTAMP'} '{iso(c, x)}'"
    if c.type == frz.DECIMAL:
        return f"CAST('{x}' AS DECIMAL({c.precision},{c.scale}))"
    if c.type in (frz.FLOAT, frz.DOUBLE):
        return f"CAST('{x!r}' AS {'FLOAT' if c.type == frz.FLOAT else 'DOUBLE'})"
    if c.type in (frz.BINARY, frz.FIXED):
        return f"X'{x.hex()}'" if spark else f"unhex('{x.hex()}')"
    return str(x).lower() if isinstance(x, bool) else str(x)


def iso(c, x):
    import numpy as np
    return str(np.datetime64(x, "D" if c.type == frz.DATE else "us"))


def where_sql(table, where, spark=False):
    by_name, out = {c.name: c for c in table.columns}, []
    for name, op, x in where:
        column, c = _quoted(name, "`" if spark else '"'), by_name[name]
        if op in ("null", "notnull"):
            out.append(f"{column} IS {'NOT ' if op == 'notnull' else ''}NULL")
        elif op == "in":
            out.append(f"{column} IN ({', '.join(_literal(c, y, spark) for y in x)})")
        else:
            out.append(f"{column} {SQL[op]} {_literal(c, x, spark)}")
    return " AND ".join(out)


def _python(c, x):
    """The Python object that stands for a canonical value."""
    import datetime as dt
    if c.type == frz.DATE:
        return dt.date(1970, 1, 1) + dt.timedelta(days=x)
    if c.type == frz.TIMESTAMP:
        return dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=x)
    return x


# ── engines ──


class PyIceberg:
    name, package = "pyiceberg", "pyiceberg"

    def table(self, path):
        from pyiceberg.table import StaticTable
        return StaticTable.from_metadata(str(path))

    def read(self, table, where=(), snapshot_id=None):
        from pyiceberg import expressions as e
        ops = {"=": e.EqualTo, "!=": e.NotEqualTo, "<": e.LessThan, "<=": e.LessThanOrEqual, ">": e.GreaterThan, ">=": e.GreaterThanOrEqual, "in": e.In}
        by_name, f = {c.name: c for c in table.columns}, e.AlwaysTrue()
        for name, op, x in where:
            if op in ("null", "notnull"):
                f = e.And(f, (e.IsNull if op == "null" else e.NotNull)(name))
            else:
                c = by_name[name]
                x = [self._literal(c, y) for y in x] if op == "in" else self._literal(c, x)
                f = e.And(f, ops[op](name, x))
        return self.table(table.path).scan(row_filter=f, snapshot_id=snapshot_id).to_arrow()

    def _literal(self, c, x):
        p = _python(c, x)
        return p.isoformat() if c.type in (frz.DATE, frz.TIMESTAMP) else p

    def count(self, table):
        return self.table(table.path).scan().count()


class DuckDB:
    name, package = "DuckDB", "duckdb"

    def __init__(self):
        import duckdb
        self.con = duckdb.connect(config={"allow_unsigned_extensions": "true"})
        for n in ("avro", "httpfs", "iceberg"):
            found = [f for p in sys.path if p.endswith("site-packages") for f in glob.glob(f"{p}/duckdb_extension_{n}/**/*.duckdb_extension*", recursive=True)]
            assert found, f"the wheel duckdb-extension-{n} is not installed"
            self.con.execute(f"LOAD '{found[0]}'")
        self.con.execute("SET TimeZone='UTC'")
        self.con.execute("SET threads=2")

    def query(self, sql):
        r = self.con.execute(sql)
        return (r.to_arrow_table if hasattr(r, "to_arrow_table") else r.fetch_arrow_table)()

    def source(self, table, snapshot_id=None):
        path = str(table.path).replace("'", "''")
        return f"iceberg_scan('{path}'" + (f", snapshot_from_id={snapshot_id}" if snapshot_id else "") + ")"

    def read(self, table, where=(), snapshot_id=None):
        sql = f"SELECT * FROM {self.source(table, snapshot_id)}"
        return self.query(sql + (f" WHERE {where_sql(table, where)}" if where else ""))

    def count(self, table):
        return self.con.execute(f"SELECT COUNT(*) FROM {self.source(table)}").fetchone()[0]


class Polars:
    name, package = "Polars", "polars"

    def scan(self, table, snapshot_id=None):
        import polars as pl
        return pl.scan_iceberg(str(table.path), **({"snapshot_id": snapshot_id} if snapshot_id else {}))

    def read(self, table, where=(), snapshot_id=None):
        import polars as pl
        by_name, frame = {c.name: c for c in table.columns}, self.scan(table, snapshot_id)
        for name, op, x in where:
            column = pl.col(name)
            if op in ("null", "notnull"):
                f = column.is_null() if op == "null" else column.is_not_null()
            elif op == "in":
                f = column.is_in([_python(by_name[name], y) for y in x])
            else:
                y = _python(by_name[name], x)
                f = {"=": column == y, "!=": column != y, "<": column < y, "<=": column <= y, ">": column > y, ">=": column >= y}[op]
            frame = frame.filter(f)
        return frame.collect().to_arrow()

    def count(self, table):
        import polars as pl
        return self.scan(table).select(pl.len()).collect().item()


class Spark:
    name, package = "Spark", "pyspark"
    JAR = "iceberg-spark-runtime-3.5_2.12-1.12.0.jar"

    def __init__(self):
        os.environ["TZ"] = "UTC"
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        os.environ["PYSPARK_PYTHON"] = sys.executable
        from pyspark.sql import SparkSession
        self.spark = (SparkSession.builder.master("local[1]").appName("frazil-interop").config("spark.jars", self._jar()).config("spark.driver.memory", "1g")
                      .config("spark.ui.enabled", "false").config("spark.ui.showConsoleProgress", "false").config("spark.sql.session.timeZone", "UTC").config("spark.sql.shuffle.partitions", "1")
                      .config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1").config("spark.log.level", "ERROR")
                      .config("spark.sql.warehouse.dir", "/tmp/spark-warehouse").getOrCreate())
        self.spark.sparkContext.setLogLevel("ERROR")

    def _jar(self):
        places = [os.environ.get("ICEBERG_SPARK_JAR", ""), str(frz.ROOT / ".venv" / self.JAR), str(Path(sys.prefix) / self.JAR)]
        for place in places:
            if place and Path(place).exists():
                return place
        raise AssertionError(f"{self.JAR} is in none of {places[1:]}: run scripts/setup.sh python")

    def frame(self, table, snapshot_id=None):
        r = self.spark.read.format("iceberg")
        return (r.option("snapshot-id", str(snapshot_id)) if snapshot_id else r).load(str(table.path))

    def arrow(self, frame):
        """By Arrow, since Row objects go through Python's datetime."""
        from pyspark.sql.pandas.types import to_arrow_schema
        batches = frame._collect_as_arrow()
        return pa.Table.from_batches(batches) if batches else to_arrow_schema(frame.schema).empty_table()

    def read(self, table, where=(), snapshot_id=None):
        frame = self.frame(table, snapshot_id)
        return self.arrow(frame.where(where_sql(table, where, spark=True)) if where else frame.select("*"))

    def count(self, table):
        return self.frame(table).count()


def takes(engine, column):
    """Whether the engine of this name has the column's type at all (Spark 3.5: no time, no nanoseconds; DuckDB's iceberg: no timestamptz_ns)."""
    lacks = {"spark": (frz.TIME, frz.TIMESTAMP_NS, frz.TIMESTAMPTZ_NS), "duckdb": (frz.TIMESTAMPTZ_NS,)}
    return column.type not in lacks.get(engine, ())


ENGINES = {"pyiceberg": PyIceberg, "duckdb": DuckDB, "polars": Polars, "spark": Spark}
_open = {}


def engine(name):
    """One of each for the whole run. An engine that is not there is a failure."""
    if name not in _open:
        _open[name] = ENGINES[name]()
    return _open[name]
