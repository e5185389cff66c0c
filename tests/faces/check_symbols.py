#!/usr/bin/env python3
"""The shared library exports what frazil.h declares and nothing else; the static one defines only names that begin with frz_.

    check_symbols.py libfrazil.so libfrazil.a frazil.h
"""
import re
import subprocess
import sys


def names(*command):
    lines = subprocess.run(["nm", *command], check=True, capture_output=True, text=True).stdout.splitlines()
    return [(f[-2], f[-1]) for f in (line.split() for line in lines) if len(f) >= 3]


def main():
    shared, static, header = sys.argv[1:4]
    text = re.sub(r"/\*.*?\*/", " ", open(header, encoding="utf-8").read(), flags=re.S)
    declared = set(re.findall(r"^FRZ_API[^;(]*?\b(frz_\w+)\(", text, flags=re.M))
    exported = {name for kind, name in names("-D", "--defined-only", shared)}
    findings = [f"{n} is declared in frazil.h and not exported" for n in sorted(declared - exported)]
    findings += [f"{n} is exported and not declared in frazil.h" for n in sorted(exported - declared)]
    for kind, name in names("-g", "--defined-only", static):
        if not name.startswith("frz_"):
            findings.append(f"{name} ({kind}) in the static library does not begin with frz_")
        elif not name.startswith("frz__") and name not in declared:
            findings.append(f"{name} ({kind}) is public by its name, and not declared in frazil.h")
    print("\n".join(sorted(set(findings))))
    print(f"{len(declared)} functions, {len(set(findings))} findings")
    return bool(findings)


if __name__ == "__main__":
    sys.exit(main())
