#!/usr/bin/env python3
"""The examples of README.md run as they are written, in a scratch directory: C, then the shell, then Python where the engines are installed (FRZ_PYTHON, or this interpreter).

    check_readme.py SOURCE BUILD CC
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile


def run(command, cwd, **more):
    r = subprocess.run(command, cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
    if r.returncode:
        sys.exit(f"$ {command}\n{r.stdout}\nended with {r.returncode}")
    return r.stdout


def main():
    source, build, cc = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve(), sys.argv[3]
    python = os.path.abspath(os.environ.get("FRZ_PYTHON", sys.executable))  # not resolved: a venv is found by its link
    readme = (source / "README.md").read_text(encoding="utf-8")
    blocks = dict(re.findall(r"^```(c|python|sh)\n(.*?)^```$", readme, flags=re.S | re.M))
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", readme):
        if not (source / link).exists():
            sys.exit(f"README.md links to {link}, which is not there")
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="frz-readme-"))
    try:
        (scratch / "flights.c").write_text(blocks["c"])
        run([cc, "-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{source / 'include'}", "-o", "flights", "flights.c", f"-L{build}", f"-Wl,-rpath,{build}", "-lfrazil"], scratch)
        out = run(["./flights"], scratch)
        assert out == "flight 1 is 93 minutes late\n", out
        print("C:", out.strip())

        env = dict(os.environ, PATH=f"{build / 'cli'}:{os.environ['PATH']}")
        out = run(["bash", "-euo", "pipefail", "-c", blocks["sh"]], scratch, env=env)
        assert "UA" in out and "AA" in out and out.rstrip().endswith(": 0 findings"), out
        print("shell:", out.strip().splitlines()[-1])

        if subprocess.run([python, "-c", "import duckdb, pyiceberg, pyarrow"], capture_output=True).returncode:
            print(f"Python: {python} has no duckdb and pyiceberg; `make interop` runs this part")
            return
        (scratch / "read.py").write_text(blocks["python"])
        out = run([python, "read.py"], scratch).splitlines()[-1]
        said = re.search(r"It prints `([^`]+)`", readme).group(1)
        assert out == said, f"README.md says that it prints {said}; it prints {out}"
        print("Python:", out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
