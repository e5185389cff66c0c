#!/usr/bin/env python3
"""frazil.h compiles alone, as C and as C++, by both compilers, without a warning; and its structs have the layout that is frozen.

    check_header.py INCLUDE
"""
import shutil
import subprocess
import sys
import tempfile

C = """#include "frazil.h"
#include "frazil.h"
%s(sizeof(frz_error) == 512, "frz_error is frozen at 512 bytes");
%s(sizeof(frz_decimal) == 16 && sizeof(frz_value) == 24 && sizeof(frz_type) == 16, "values");
int main(void)
{
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    frz_table_options t = FRZ_TABLE_OPTIONS_INIT;
    frz_write_options w = FRZ_WRITE_OPTIONS_INIT;
    frz_scan_options s = FRZ_SCAN_OPTIONS_INIT;
    frz_parquet_options p = FRZ_PARQUET_OPTIONS_INIT;
    frz_stats z = FRZ_INIT(frz_stats);
    frz_verify_report v = FRZ_INIT(frz_verify_report);
    return z.struct_size && v.struct_size && o.struct_size && t.struct_size && w.struct_size && s.struct_size && p.struct_size && !o.allocator ? 0 : 1;
}
"""
CASES = [("gcc", "c", "c99"), ("gcc", "c", "c11"), ("clang", "c", "c11"), ("g++", "c++", "c++11"), ("g++", "c++", "c++17"), ("clang++", "c++", "c++11"), ("clang++", "c++", "c++20")]


def main():
    failed = 0
    ran = set()
    for compiler, language, standard in CASES:
        if not shutil.which(compiler):
            continue
        assertion = "static_assert" if language == "c++" else "_Static_assert"
        source = C.replace("%s", assertion) if standard != "c99" else "\n".join(line for line in C.splitlines() if not line.startswith("%s")) + "\n"
        with tempfile.NamedTemporaryFile("w", suffix=".c") as f:
            f.write(source)
            f.flush()
            flags = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror"] + ([] if language == "c++" else ["-Wstrict-prototypes"])
            r = subprocess.run([compiler, "-x", language, f"-std={standard}", *flags, f"-I{sys.argv[1]}", "-fsyntax-only", f.name], capture_output=True, text=True)
        ran.add(language)
        failed += r.returncode != 0
        print(f"{compiler} -std={standard}: {'ok' if r.returncode == 0 else r.stderr}")
    return failed > 0 or ran != {"c", "c++"}


if __name__ == "__main__":
    sys.exit(main())
