"""Random operations against a dict. Every few flushes every engine reads what the dict says; the seed is the test's name."""
import random

import pytest

import model
from model import ALL, QUICK, Case

SCHEMAS = [
    ("id long, name string?, price double?, at timestamp?", "id"),
    ("region string, n int, amount decimal(12,2)?, tags binary?, ok boolean?", "region,n"),
    ("u uuid, day date, note string?, x float?", "day,u"),
    ("name string, big decimal(38,6)?, f fixed(4)?, tz timestamptz?", "name"),
]
PROPERTIES = [{}, {"write.target-file-size-bytes": "65536", "write.parquet.row-group-size-bytes": "65536", "write.parquet.page-size-bytes": "1024"}]


def new_key(rng, table):
    key = []
    for k in table.key:
        c = table.columns[k]
        key.append({"id": lambda: rng.randrange(4000), "region": lambda: rng.choice(("eu", "us", "", "日本")), "n": lambda: rng.randrange(-500, 500), "u": lambda: bytes([rng.randrange(40)] * 16),
                    "day": lambda: rng.randrange(-20, 20), "name": lambda: "k" * rng.randrange(3) + str(rng.randrange(900))}.get(c.name, lambda: model.value(rng, c))())
    return tuple(key)


def operations(rng, c, count):
    """COUNT operations of every kind. As inserts and updates look at what is there, the dict as it will be is carried along."""
    alive, out = dict(c.rows), []
    for _ in range(count):
        kind = rng.random()
        key = new_key(rng, c.table)
        if kind < 0.25 and alive:
            out.append(("delete", key))
            alive.pop(key, None)
        elif kind < 0.35 and key in alive:
            row = model.row(rng, c.table, key)
            changed = {i: x for i, x in enumerate(row) if i in c.table.key or rng.random() < 0.5}
            out.append(("update", changed))
            alive[key] = row
        elif kind < 0.5 and key not in alive:
            alive[key] = model.row(rng, c.table, key)
            out.append(("insert", alive[key]))
        else:
            alive[key] = model.row(rng, c.table, key)
            out.append(("put", alive[key]))
    return out


@pytest.mark.parametrize("version", (2, 3))
@pytest.mark.parametrize("seed", range(8))
def test_random_operations(path, version, seed):
    rng = random.Random(seed * 10 + version)
    schema, key = SCHEMAS[seed % len(SCHEMAS)]
    with Case(path, schema, key, version, PROPERTIES[seed // len(SCHEMAS) % 2]) as c:
        for flush in range(24):
            for op in operations(rng, c, rng.choice((1, 3, 40, 400, 1500))):
                c.write([op])
            if rng.random() < 0.15:
                c.delete(rng.sample(sorted(c.rows, key=repr), len(c.rows) * 2 // 3))
            if rng.random() < 0.2:
                c.reopen()
            else:
                c.flush()
            if flush % 4 == 3:
                c.check(QUICK)
        c.check(ALL)
