#!/usr/bin/env python3
"""Puts build/interop-results.md, which `make interop` writes, into README.md between the two markers.

    readme_table.py           replaces the block
    readme_table.py --check   exit 1 if the README says something else
"""
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- interop: begin (scripts/readme_table.py) -->", "<!-- interop: end -->"


def main():
    results, readme = ROOT / "build/interop-results.md", ROOT / "README.md"
    if not results.exists():
        sys.exit("readme_table.py: there is no build/interop-results.md: run make interop")
    table, text = results.read_text().strip(), readme.read_text()
    if "not run" in table or "fails" in table:
        sys.exit(f"readme_table.py: not a full run that passed:\n{table}")
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        sys.exit(f"readme_table.py: README.md must have one line {BEGIN} and one line {END}")
    head, rest = text.split(BEGIN)
    new = f"{head}{BEGIN}\n{table}\n{END}{rest.split(END)[1]}"
    if "--check" in sys.argv:
        sys.exit(0 if new == text else "readme_table.py: README.md is out of date: run scripts/readme_table.py")
    readme.write_text(new)


main()
