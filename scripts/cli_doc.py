#!/usr/bin/env python3
"""The verbs' part of docs/cli.md, and docs/man/frazil.1, from what the command says of itself. `--check` says whether they are current instead.

    cli_doc.py build/release/cli/frazil [--check]
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- verbs:begin -->\n", "<!-- verbs:end -->\n"
MAN = r""".\" Made by scripts/cli_doc.py from `frazil --help`.
.TH FRAZIL 1 "" "frazil %(version)s" "User Commands"
.SH NAME
frazil \- create, write, read and check tables that are Apache Iceberg warehouses
.SH SYNOPSIS
.B frazil
.I VERB DB
.RI [ TABLE ]
\&...
.SH DESCRIPTION
DB is the directory of a warehouse.
TABLE is
.IR namespace . table ,
or
.I table
in the namespace
.BR main .
Results go to standard output, messages to standard error.
Verbs that only read take no lock and work beside a writing process: they show what is published, and what the log holds beyond it.
Verbs that write wait for nobody: if another process writes the warehouse they end with an error that names its process id.
A verb that writes publishes when it ends, but with
.BR \-\-no\-flush .
.PP
A KEY of several columns is comma-separated or a JSON array.
Values are written as in Iceberg's JSON single-value serialisation.
.SH VERBS
%(verbs)s.SH EXIT STATUS
.TP
.B 0
done
.TP
.B 1
an error
.TP
.B 2
the command line is wrong
.TP
.B 3
no such table, key or snapshot
.SH EXAMPLES
.nf
frazil create wh flights \-\-schema 'id long, carrier string?, delay int?' \-\-key id
frazil put wh flights '{"id":1,"carrier":"UA","delay":4}'
frazil get wh flights 1
frazil scan wh flights \-\-where "delay > 60 AND carrier IN ('UA','AA')" \-\-format csv
frazil delete wh flights \-\-where 'delay IS NULL'
frazil verify wh
.fi
.SH SEE ALSO
docs/cli.md, docs/expressions.md and docs/options.md of the source.
"""


def ask(command, *words):
    return subprocess.run([command, *words, "--help"], check=True, capture_output=True, text=True).stdout


def verbs(command):
    """[(verb, words, help, [(option, takes a value, help)])]"""
    out = []
    for verb in re.findall(r"^  frazil (\w+) ", subprocess.run([command, "--help"], check=True, capture_output=True, text=True).stdout, flags=re.M):
        lines = ask(command, verb).splitlines()
        options = []
        for head, text in zip(lines[3::2], lines[4::2]):
            options.append((head.split()[0], "…" in head, text.strip()))
        out.append((verb, lines[0][len(f"usage: frazil {verb} "):], lines[1], options))
    return out


def markdown(all_verbs):
    out = []
    for verb, words, text, options in all_verbs:
        out.append(f"### {verb}\n\n    frazil {verb} {words}\n\n{text[0].upper() + text[1:]}.\n")
        if options:
            out.append("| option | |\n| --- | --- |")
            out.append("\n".join(f"| `{o}{' …' if value else ''}` | {t.replace('|', chr(92) + '|')} |" for o, value, t in options) + "\n")
    return "\n".join(out)


def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("…", "...")
    return "\\&" + text if text[:1] in ".'" else text


def man(all_verbs, version):
    out = []
    for verb, words, text, options in all_verbs:
        out.append(f".SS {roff(verb)}\n.nf\nfrazil {verb} {roff(words)}\n.fi\n.PP\n{roff(text[0].upper() + text[1:])}.\n")
        for o, value, t in options:
            out.append(f".TP\n.B {roff(o)}{' ...' if value else ''}\n{roff(t)}\n")
    return MAN % {"version": version, "verbs": "".join(out)}


def main():
    command = str(pathlib.Path(sys.argv[1]).resolve())
    all_verbs = verbs(command)
    version = subprocess.run([command, "--version"], check=True, capture_output=True, text=True).stdout.split()[1]
    cli, page = ROOT / "docs/cli.md", ROOT / "docs/man/frazil.1"
    text = cli.read_text(encoding="utf-8")
    before, after = text[:text.index(BEGIN) + len(BEGIN)], text[text.index(END):]
    want = {cli: before + "\n" + markdown(all_verbs) + "\n" + after, page: man(all_verbs, version)}
    for path, content in want.items():
        if "--check" not in sys.argv:
            path.write_text(content, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != content:
            sys.exit(f"{path.relative_to(ROOT)} is not what the command says: run scripts/cli_doc.py {sys.argv[1]}")


if __name__ == "__main__":
    main()
