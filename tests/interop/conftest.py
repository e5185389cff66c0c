import importlib.metadata
import shutil

import pytest

import frz
import model
import readers


@pytest.fixture
def path(tmp_path):
    """Where a test's warehouse goes; removed at once, since some are large."""
    yield tmp_path / "wh"
    shutil.rmtree(tmp_path, ignore_errors=True)


def pytest_sessionfinish(session, exitstatus):
    if model.passed or model.failed:
        (frz.ROOT / "build").mkdir(exist_ok=True)
        (frz.ROOT / "build/interop-results.md").write_text(results())


def results():
    """Engine × format version: whether every read was right. Without counts: they would change the README with every test."""
    out = ["| engine | version | Iceberg v2 | Iceberg v3 |", "| --- | --- | --- | --- |"]
    for key, e in readers.ENGINES.items():
        out.append(f"| {e.name} | {importlib.metadata.version(e.package)} | {cell(key, 2)} | {cell(key, 3)} |")
    return "\n".join(out) + "\n"


def cell(engine, version):
    right, wrong = model.passed.get((engine, version), 0), model.failed.get((engine, version), 0)
    if wrong:
        return f"**fails**: {wrong} of {right + wrong} reads"
    return "pass" if right else "not run"


def pytest_terminal_summary(terminalreporter):
    for (engine, version), n in sorted(model.passed.items()):
        terminalreporter.write_line(f"{readers.ENGINES[engine].name}, format version {version}: {n} reads equal the model")
