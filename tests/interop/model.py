"""A table beside a dict: what was written, what every engine must therefore read."""
import operator
from decimal import Decimal

import pyarrow as pa

import frz
import readers

QUICK = ("pyiceberg", "duckdb", "polars")
ALL = QUICK + ("spark",)
MANUAL = {"frazil.publish-interval-ms": "0"}  # published by flush alone: a test knows what is in which snapshot
passed = {}  # (engine, format version) → reads that were right
failed = {}  # the same → what was not


class Case:
    def __init__(self, path, schema, key, version, properties=None, **db_options):
        path.parent.mkdir(parents=True, exist_ok=True)
        self.db = frz.Database(path, **db_options)
        self.table = self.db.create("t", schema, key, version, MANUAL | (properties or {}))
        self.rows, self.published = {}, {}

    def reopen(self, **db_options):
        name, path = self.table.name, self.db.path
        self.table.close()
        self.db.close()
        self.published = dict(self.rows)
        self.db = frz.Database(path, create=False, **db_options)
        self.table = self.db.table(name)

    def close(self):
        self.table.close()
        self.db.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def key(self, row):
        return tuple(row[i] for i in self.table.key)

    # ── writes, to both ──

    def write(self, ops, batch_rows=5000):
        ops = list(ops)
        for i in range(0, len(ops), batch_rows):
            self.table.write(ops[i:i + batch_rows])
        for op, x in ops:
            if op == "delete":
                self.rows.pop(tuple(x), None)
            elif op == "update":
                key = tuple(x[i] for i in self.table.key)
                self.rows[key] = tuple(x.get(i, v) for i, v in enumerate(self.rows[key]))
            else:
                self.rows[self.key(x)] = tuple(x)

    def put(self, rows):
        self.write(("put", r) for r in rows)

    def put_arrow(self, rows):
        """The same through frz_write_arrow: for many rows of plain types."""
        rows = list(rows)
        types = {frz.LONG: pa.int64(), frz.INT: pa.int32(), frz.STRING: pa.string(), frz.DOUBLE: pa.float64(), frz.BINARY: pa.binary()}
        columns = [pa.array(values, types[c.type]) for values, c in zip(zip(*rows), self.table.columns)]
        assert self.table.write_arrow(pa.table(columns, names=[c.name for c in self.table.columns])) == len(rows)
        self.rows.update((self.key(r), r) for r in rows)

    def delete(self, keys):
        self.write(("delete", k if isinstance(k, tuple) else (k,)) for k in keys)

    def flush(self):
        self.table.flush()
        self.published = dict(self.rows)

    def compact(self):
        done = self.table.compact()
        self.published = dict(self.rows)
        return done

    # ── what must hold ──

    def check(self, engines=QUICK, verify=True, count=True):
        """frazil sees what was written; each engine sees what was published; verify finds nothing."""
        expected = _sorted(self, readers.canonical(self.table, self.rows.values()))
        if len(self.rows) < 20_000:
            _same("frazil", expected, _sorted(self, readers.canonical(self.table, self.table.scan())))
        _same("frazil by Arrow", expected, _sorted(self, readers.rows(self.table, self.table.scan_arrow())))
        assert self.table.count() == len(self.rows)
        expected = _sorted(self, readers.canonical(self.table, self.published.values()))
        for name in engines:
            self.check_engine(name, expected, lambda e: e.read(self.table))
            if count:
                with _recorded(name, self.table.version):
                    assert readers.engine(name).count(self.table) == len(expected), f"{name}: COUNT(*)"
        if verify:
            assert self.db.verify() == []

    def check_where(self, where, keep, engines=QUICK):
        """WHERE: (column, operator, literal)s; KEEP: the same as a function of a row."""
        expected = _sorted(self, readers.canonical(self.table, [r for r in self.published.values() if keep(r)]))
        for name in engines:
            self.check_engine(name, expected, lambda e: e.read(self.table, where), str(where))
        return len(expected)

    def check_snapshot(self, snapshot_id, rows, engines=("pyiceberg", "duckdb")):
        expected = _sorted(self, readers.canonical(self.table, rows.values()))
        for name in engines:
            self.check_engine(name, expected, lambda e: e.read(self.table, snapshot_id=snapshot_id), f"at {snapshot_id}")

    def check_engine(self, name, expected, read, what="SELECT *"):
        with _recorded(name, self.table.version):
            _same(f"{name} {what}", expected, _sorted(self, readers.rows(self.table, read(readers.engine(name)))))


class _recorded:
    def __init__(self, engine, version):
        self.at = (engine, version)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        into = failed if kind else passed
        into[self.at] = into.get(self.at, 0) + 1


def _sorted(case, rows):
    # by key: unique, never null and no float, so plain values of one type compare
    return sorted(rows, key=operator.itemgetter(*case.table.key))


def _same(who, expected, found):
    if expected == found:
        return
    message = [f"{who}: expected {len(expected)} rows, found {len(found)}"]
    for e, f in zip(expected, found):
        if e != f:
            message.append(f"first difference:\n  expected {_short(e)}\n  found    {_short(f)}")
            break
    raise AssertionError("\n".join(message))


def _short(row):
    text = repr(row)
    return text if len(text) < 2000 else text[:1000] + " … " + text[-1000:]


# ── values of every type, with the edges often ──

LETTERS = ["", "a", "ice", "é", "Ж", "漢字", "🧊", "\u0000", "\x7f", "z" * 40, "naïve", " ", "\ufffd", "\uffff", "'", '"', "\\", "%"]
EXTREMES = {
    frz.INT: (-2**31, -1, 0, 1, 2**31 - 1),
    frz.LONG: (-2**63, -2**31 - 1, -1, 0, 1, 2**53 + 1, 2**63 - 1),
    frz.FLOAT: (0.0, -0.0, 1.5, float("nan"), float("inf"), float("-inf"), frz.as_float32(1e-45), frz.as_float32(3.4e38), frz.as_float32(-3.4e38)),
    frz.DOUBLE: (0.0, -0.0, 0.1, float("nan"), float("inf"), float("-inf"), 5e-324, 1.7976931348623157e308, -1.7976931348623157e308),
    frz.DATE: (-719162, -1, 0, 1, 19000, 2932896),  # 0001-01-01 to 9999-12-31
    frz.TIME: (0, 1, 86399999999, 43200000000),
    frz.TIMESTAMP: (-62135596800000000, -1, 0, 1, 1700000000123456, 253402300799999999),
    frz.TIMESTAMPTZ: (-62135596800000000, -1, 0, 1, 1700000000123456, 253402300799999999),
    frz.TIMESTAMP_NS: (-9223372036000000000, -1, 0, 1, 1700000000123456789, 9223372036000000000),
    frz.TIMESTAMPTZ_NS: (-9223372036000000000, -1, 0, 1, 1700000000123456789, 9223372036000000000),
}


def value(rng, c):
    """A random value of column C; null sometimes where it may be."""
    if not c.required and rng.random() < 0.15:
        return None
    if c.type in EXTREMES and rng.random() < 0.3:
        return rng.choice(EXTREMES[c.type])
    t = c.type
    if t == frz.BOOLEAN:
        return rng.random() < 0.5
    if t == frz.INT:
        return rng.randrange(-2**31, 2**31)
    if t == frz.LONG:
        return rng.randrange(-2**63, 2**63)
    if t == frz.FLOAT:
        return frz.as_float32(rng.gauss(0, 1000))
    if t == frz.DOUBLE:
        return rng.gauss(0, 1e6)
    if t == frz.DECIMAL:
        limit = 10**c.precision - 1
        n = rng.choice((0, 1, -1, limit, -limit, rng.randint(-limit, limit), rng.randint(-limit, limit)))
        return Decimal((n < 0, tuple(map(int, str(abs(n)))), -c.scale))
    if t == frz.DATE:
        return rng.randrange(-50000, 50000)
    if t == frz.TIME:
        return rng.randrange(86400 * 10**6)
    if t in (frz.TIMESTAMP, frz.TIMESTAMPTZ):
        return rng.randrange(-10**16, 10**16)
    if t in (frz.TIMESTAMP_NS, frz.TIMESTAMPTZ_NS):
        return rng.randrange(-2**62, 2**62)
    if t == frz.STRING:
        return "".join(rng.choice(LETTERS) for _ in range(rng.randrange(5)))
    if t in (frz.UUID, frz.FIXED):
        return rng.randbytes(16 if t == frz.UUID else c.length)
    return rng.choice((b"", b"\0", b"\xff\xff", rng.randbytes(rng.randrange(40))))


def row(rng, table, key=None):
    """A random row; with the key's values if KEY."""
    out = [value(rng, c) for c in table.columns]
    if key is not None:
        for k, x in zip(table.key, key):
            out[k] = x
    return tuple(out)
