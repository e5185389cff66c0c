"""A short soak: tests/soak/soak.py says what it is. `make soak` runs it for an hour."""
import json
import subprocess
import sys

import pytest

import frz


@pytest.mark.parametrize("version", (2, 3))
def test_readers_are_right_while_writers_run(tmp_path, version):
    out = tmp_path / "result.json"
    engines = "duckdb,pyiceberg" + (",spark" if version == 2 else "")
    r = subprocess.run([sys.executable, frz.ROOT / "tests/soak/soak.py", "--seconds", "12", "--moments", "3", "--rows", "60000", "--format", str(version), "--engines", engines, "--write-limit", "60",
                        "--json", str(out)], capture_output=True, text=True, timeout=600)
    assert r.returncode == 0, r.stdout + r.stderr
    result = json.loads(out.read_text())
    assert result["faults"] == [] and result["ops"] > 10000 and len(result["moments"]) >= len(engines.split(",")), result
