#!/usr/bin/env python3
"""Goal    a process that loads far more than its memory_bytes holds the budget, and 24 MiB beyond it (16 here, so that it is seen early): memory that is given back goes back to the system, memory that is needed is bounded beforehand.
Method  `frazil bench load` in a process of its own says the most that was resident (VmHWM): few columns, many columns, many tables. Optimised builds alone: others keep memory of their own

    budget.py FRAZIL"""
import json
import os
import subprocess
import sys
import tempfile

MIB = 1 << 20
SLACK = 16 * MIB
LOADS = (  # what it is, MiB of the budget, MB that are loaded, options
    ("two columns", 16, 120, []),
    ("200 columns", 64, 50, ["--columns", "200"]),
    ("16 tables", 32, 60, ["--tables", "16"]),
)


def main(frazil):
    failed = 0
    for what, memory, load, options in LOADS:
        with tempfile.TemporaryDirectory(dir=os.environ.get("FRZ_TEST_TMP")) as d:
            command = [frazil, "bench", "load", "--json", "--memory", str(memory * MIB), "--bytes", str(load * 10**6), "--dir", d + "/w"] + options
            said = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.splitlines()[0])
        held, allowed = said["memory_high_bytes"], memory * MIB + SLACK
        failed += held > allowed
        print(f"{'ok  ' if held <= allowed else 'FAIL'} {what}: {load} MB in {said['seconds']:.1f} s at {memory} MiB: {held / MIB:.1f} MiB resident, allowed {allowed / MIB:.0f}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
