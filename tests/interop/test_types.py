"""Every type, as value and as key, with its edges; names; nulls."""
import random
from decimal import Decimal

import pytest

import model
import readers
from model import ALL, Case

TYPES = ("boolean", "int", "long", "float", "double", "decimal(1,0)", "decimal(4,4)", "decimal(9,2)", "decimal(10,3)", "decimal(18,5)", "decimal(19,0)", "decimal(38,10)",
         "decimal(38,38)", "date", "time", "timestamp", "timestamptz", "string", "uuid", "fixed(1)", "fixed(16)", "binary")
TYPES_V3 = TYPES + ("timestamp_ns", "timestamptz_ns")
LACKS = {"spark": ("time", "timestamp_ns", "timestamptz_ns"), "duckdb": ("timestamptz_ns",)}  # no such type in the engine


def types_of(engine, version):
    return [t for t in (TYPES if version == 2 else TYPES_V3) if t not in LACKS.get(engine, ())]


@pytest.mark.parametrize("version", (2, 3))
@pytest.mark.parametrize("engine", ALL)
def test_every_type_with_nulls_and_edges(path, engine, version):
    rng = random.Random(100 + version)
    schema = "id int, " + ", ".join(f"c{i} {t}?" for i, t in enumerate(types_of(engine, version))) + ", " + ", ".join(
        f"r{i} {t}" for i, t in enumerate(types_of(engine, version)))
    with Case(path, schema, "id", version) as c:
        c.put([(i,) + tuple(None if not o.required else model.value(rng, o) for o in c.table.columns[1:]) for i in range(3)])  # all null that may be
        c.flush()
        c.check((engine,))
        c.put(model.row(rng, c.table, (i,)) for i in range(10, 2000))
        c.flush()
        c.put(model.row(rng, c.table, (i,)) for i in range(2, 300, 7))
        c.delete(range(1, 300, 11))
        c.flush()
        c.check((engine,))


@pytest.mark.parametrize("version", (2, 3))
@pytest.mark.parametrize("engine", ALL)
def test_columns_that_are_all_null_or_all_one_value(path, engine, version):
    types = types_of(engine, version)
    schema = "id long, " + ", ".join(f"c{i} {t}?" for i, t in enumerate(types))
    rng = random.Random(5)
    with Case(path, schema, "id", version) as c:
        c.put((i,) + (None,) * len(types) for i in range(3000))
        c.flush()
        c.check((engine,))
        same = model.row(rng, c.table, (0,))
        c.put((i,) + same[1:] for i in range(1000, 6000))
        c.flush()
        c.check((engine,))


KEYS = ("boolean", "int", "long", "decimal(9,2)", "decimal(18,0)", "decimal(38,10)", "date", "time", "timestamp", "timestamptz", "string", "uuid", "fixed(5)", "binary")


@pytest.mark.parametrize("key, version", [(k, v) for k in KEYS for v in (2, 3)] + [("timestamp_ns", 3), ("timestamptz_ns", 3)])
def test_every_type_as_key(path, version, key):
    rng = random.Random(key)
    with Case(path, f"k {key}, v int?", "k", version) as c:
        for n in (60, 10, 10):
            c.put(model.row(rng, c.table) for _ in range(n))
            c.delete(rng.sample(sorted(c.rows, key=repr), min(len(c.rows), 8)))
            c.flush()
        c.check([e for e in model.QUICK if key not in LACKS.get(e, ())])


@pytest.mark.parametrize("version", (2, 3))
def test_composite_keys(path, version):
    rng = random.Random(9)
    with Case(path, "v int?, a string, b long, w string?, d date, e binary", "a,b,d,e", version) as c:
        for _ in range(4):
            c.put((rng.randrange(100), rng.choice(("", "a", "a\0", "ab", "é")), rng.choice((-1, 0, 1, 2**63 - 1)), None, rng.choice((-1, 0, 9000)), rng.choice((b"", b"\0", b"\0\1", b"\xff")))
                  for _ in range(150))
            c.delete(rng.sample(sorted(c.rows, key=repr), 40))
            c.flush()
            c.check()
        c.check(("spark",))


@pytest.mark.parametrize("version", (2, 3))
@pytest.mark.parametrize("kind", ("string", "binary"))
def test_keys_of_no_byte_and_of_60_kib(path, version, kind):
    keys = ["", "a", "a\0b", "é" * 300, "long" * 15360, "long" * 15359 + "lone"]
    if kind == "binary":
        keys = [k.encode() for k in keys] + [b"\xff" * 61440, b"\xff" * 300]
    with Case(path, f"k {kind}, v int?", "k", version) as c:
        c.put((k, i) for i, k in enumerate(keys))
        c.flush()
        c.check(ALL)
        c.put([(keys[0], -1), (keys[4], -2)])
        c.delete([keys[5], keys[1]])
        c.flush()
        c.check(ALL)
        for i, k in enumerate(keys):
            c.check_where([("v", "=", i)], lambda r: r[1] == i)
            c.check_where([("k", "=", k)], lambda r: r[0] == k, ("duckdb", "pyiceberg"))


DEFAULTS = [("boolean", True, True), ("int", -7, -7), ("long", 2**62, 2**62), ("float", 0.5, 0.5), ("double", -1e300, -1e300), ("decimal(9, 2)", "-14.20", Decimal("-14.20")),
            ("decimal(38, 10)", "0.0000000001", Decimal("0.0000000001")), ("date", "1969-12-31", -1), ("time", "23:59:59.999999", 86399999999), ("timestamp", "1969-12-31T23:59:59.999999", -1),
            ("timestamptz", "1970-01-01T00:00:00.000001+00:00", 1), ("string", 'é"', 'é"'), ("uuid", "00010203-0405-0607-0809-0a0b0c0d0e0f", bytes(range(16))), ("fixed[3]", "00ff01", b"\0\xff\x01"),
            ("binary", "ff00", b"\xff\0")]


@pytest.mark.parametrize("engine", ALL)
def test_defaults_and_docs(path, engine):
    """A schema with both is read by all; rows that leave the columns out have their defaults."""
    columns = [d for d in DEFAULTS if d[0] not in LACKS.get(engine, ())]
    fields = [{"id": 1, "name": "id", "required": True, "type": "long", "doc": "the key"}]
    fields += [{"id": 2 + i, "name": f"c{i}", "required": i % 2 == 0, "type": t, "doc": f"a {t}", "initial-default": x, "write-default": x} for i, (t, x, _) in enumerate(columns)]
    with Case(path, {"type": "struct", "schema-id": 0, "identifier-field-ids": [1], "fields": fields}, None, 3) as c:
        for i in range(50):
            c.table.put_json(f'{{"id":{i}}}')
            c.rows[(i,)] = (i,) + tuple(x for _, _, x in columns)
        c.flush()
        c.check((engine,))
        c.put(model.row(random.Random(1), c.table, (i,)) for i in range(40, 80))
        c.delete(range(5))
        c.flush()
        c.check((engine,))
        schema = readers.engine("pyiceberg").table(c.table.path).schema()
        assert [f.doc for f in schema.fields] == [f["doc"] for f in fields]


@pytest.mark.parametrize("version", (2, 3))
def test_names_that_are_not_words(path, version):
    names = ["id", "größe", "漢字", "a.b", "a", "b.c.d", "with space", 'quo""te', "back`tick", "1st", "select", "🧊", "a-b", "{x}", "UPPER", "_row"]
    schema = ", ".join(f'"{n}" {"long" if n == "id" else "string?"}' for n in names)
    with Case(path, schema, "id", version) as c:
        assert [o.name for o in c.table.columns] == [n.replace('""', '"') for n in names]
        c.put((i,) + tuple(f"{n} {i}" for n in names[1:]) for i in range(100))
        c.flush()
        c.delete(range(0, 50, 5))
        c.put([(3,) + (None,) * (len(names) - 1)])
        c.flush()
        c.check(ALL)
        c.check_where([("größe", "=", "größe 7")], lambda r: r[0] == 7, ALL)
        c.check_where([("with space", "=", "with space 7")], lambda r: r[0] == 7, ("duckdb", "pyiceberg", "polars"))


@pytest.mark.parametrize("version", (2, 3))
def test_a_dotted_name_as_key(path, version):
    with Case(path, '"a.b" long, "größe.x" string?', "a.b", version) as c:
        c.put((i, f"v{i}") for i in range(200))
        c.flush()
        c.delete(range(10, 20))
        c.put([(3, None)])
        c.flush()
        c.check(ALL)


@pytest.mark.parametrize("version", (2, 3))
def test_rows_of_a_megabyte(path, version):
    rng = random.Random(3)
    with Case(path, "id long, s string?, b binary?", "id", version) as c:
        c.put((i, "漢" * (i * 30_000), rng.randbytes(i * 100_000)) for i in range(11))
        c.flush()
        c.put([(3, "", b""), (4, None, None)])
        c.delete([10])
        c.flush()
        c.check(ALL)


def test_rows_by_json_are_rows_by_value(path):
    with Case(path, "id long, d decimal(9,2)?, t timestamp?, b binary?, f double?, u uuid?, s string?", "id", 3) as c:
        c.table.put_json('{"id":1,"d":"-14.20","t":"1969-12-31T23:59:59.999999","b":"00ff","f":"NaN","u":"00112233-4455-6677-8899-aabbccddeeff","s":"é\\u0000\\"\\ud83e\\uddca"}')
        c.rows[(1,)] = (1, Decimal("-14.20"), -1, b"\0\xff", float("nan"), bytes.fromhex("00112233445566778899aabbccddeeff"), 'é\0"🧊')
        c.flush()
        c.check(ALL)
        (text,) = c.table.scan_json()
        c.delete([1])
        c.flush()
        c.table.put_json(text)
        c.rows[(1,)] = (1, Decimal("-14.20"), -1, b"\0\xff", float("nan"), bytes.fromhex("00112233445566778899aabbccddeeff"), 'é\0"🧊')
        c.flush()
        c.check()
