"""The blocks of docs/read-it-from.md, as a reader would copy them."""
import re

import pytest

import frz
import readers

TEXT = (frz.ROOT / "docs/read-it-from.md").read_text()
BLOCKS = [(section.split("\n", 1)[0], code) for section in TEXT.split("\n## ")[1:] for code in re.findall(r"```python\n(.*?)```", section, re.S)]
SQL = re.findall(r"```sql\n(.*?)```", TEXT, re.S)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory):
    path = tmp_path_factory.mktemp("docs") / "wh"
    path.mkdir()
    with frz.Database(path) as db:
        t = db.create("flights", "id long, carrier string, dep_delay int?, origin string?", "id")
        t.put_all((i, ("UA", "AA", "DL")[i % 3], i % 100 if i % 7 else None, "JFK") for i in range(3000))
        t.flush()
        t.write([("delete", (5,)), ("put", (6, "UA", 99, None))])
        t.flush()
        t.close()
    return path


def late():
    return 1 + sum(1 for i in range(3000) if i not in (5, 6) and i % 3 == 0 and i % 7 and i % 100 > 60)


def test_every_engine_has_a_block():
    assert {name.split(",")[0] for name, _ in BLOCKS} >= {"pyiceberg", "pandas", "DuckDB", "Polars", "PySpark"}
    assert len(BLOCKS) == 6 and len(SQL) == 1


@pytest.mark.parametrize("name, code", BLOCKS, ids=[f"{i}-{name.split(',')[0]}" for i, (name, _) in enumerate(BLOCKS)])
def test_block_runs_as_it_stands(warehouse, name, code):
    if name == "PySpark":  # the run's one session, which getOrCreate finds, has the jar
        readers.engine("spark")
        assert readers.Spark.JAR in code
    assert "/data/wh/main/flights" in code
    scope = {}
    exec(compile(code.replace("/data/wh", str(warehouse)), name, "exec"), scope)
    assert len(scope["flights"]) == (3000 if "oldest" in code else 2999)
    if name.startswith("pandas"):
        assert (scope["late"].dep_delay > 60).all()
    elif "late" in code:
        assert len(scope["late"]) == late()


def test_sql_runs_but_for_the_installation(warehouse):
    (query,) = [line for line in SQL[0].splitlines() if line.startswith("SELECT")]
    found = dict(readers.engine("duckdb").con.execute(query.replace("/data/wh", str(warehouse))).fetchall())
    assert set(found) == {"UA", "AA", "DL"}
