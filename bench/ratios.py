#!/usr/bin/env python3
"""The lines of `frazil bench --json` and bench/peers as a table: operations a second of each engine, and frazil's ratio to each peer (above 1: frazil is faster)."""
import json
import sys


def rate(n):
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if n >= size:
            return f"{n / size:.3g}{unit}"
    return f"{n:.3g}"


def main(path):
    best, order, engines = {}, [], []
    for line in open(path, encoding="utf-8"):
        r = json.loads(line)
        case = (r["name"] + (", settled" if r.get("settled") else ""), r["batch"], r["threads"])
        if case not in order:
            order.append(case)
        if r["engine"] not in engines:
            engines.append(r["engine"])
        key = (case, r["engine"])
        if key not in best or r["ops_per_second"] > best[key]["ops_per_second"]:
            best[key] = r
    peers = [e for e in engines if e != "frazil"]
    head = ["workload", "batch", "threads", "frazil"]
    for p in peers:
        head += [p, f"/ {p}", "CPU", "disk"]
    rows = [head]
    for case in order:
        mine = best.get((case, "frazil"))
        if not mine and any(c[0].split(",")[0] == case[0] and c[1:] == case[1:] and (c, "frazil") in best for c in order):
            continue  # a peer's, told beside frazil's settled one
        row = [case[0], str(case[1]), str(case[2]), rate(mine["ops_per_second"]) if mine else "-"]
        for p in peers:
            r = best.get(((case[0].split(",")[0], *case[1:]), p))
            if not r or not mine:
                row += [rate(r["ops_per_second"]) if r else "-", "-", "-", "-"]
                continue
            row.append(rate(r["ops_per_second"]))
            row.append(f"{mine['ops_per_second'] / r['ops_per_second']:.2f}" if r["ops_per_second"] else "-")
            row.append(f"{r['cpu_us_per_op'] / mine['cpu_us_per_op']:.2f}" if mine["cpu_us_per_op"] else "-")
            row.append(f"{r['disk_bytes'] / mine['disk_bytes']:.2f}" if mine["disk_bytes"] else "-")
        rows.append(row)
    widths = [max(len(r[i]) for r in rows) for i in range(len(head))]
    for n, r in enumerate(rows):
        print("| " + " | ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(r, widths))) + " |")
        if n == 0:
            print("|" + "|".join("-" * (w + 2) if i == 0 else "-" * (w + 1) + ":" for i, w in enumerate(widths)) + "|")
    for case in order:
        r = best.get((case, "frazil"))
        if r and "key_pages" in r:
            print(f"\nGets with nothing decoded{', settled' if r.get('settled') else ''}: {r['key_pages']:.3f} key pages each, at most {r['key_pages_most']}, and {r['value_pages']:.3f} value pages, at most {r['value_pages_most']}; of absent keys {r['absent_key_pages']:.4f}, at most {r['absent_key_pages_most']}, and no value page" + ("" if r["absent_value_pages_most"] == 0 else " BUT SOME"))
    print("\n`/ peer`, CPU and disk: how many times faster frazil is, how many times less CPU and space it takes. Disk includes what frazil's other tables of the run hold.")


if __name__ == "__main__":
    main(sys.argv[1])
