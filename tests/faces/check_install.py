#!/usr/bin/env python3
"""A ten-line program against an installed copy in a scratch prefix: by pkg-config and by CMake's find_package, shared and static.

    check_install.py BUILD CC
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
CMAKE = """cmake_minimum_required(VERSION 3.25)
project(program C)
find_package(frazil 0.1 REQUIRED)
foreach(kind IN ITEMS frazil frazil_static)
    add_executable(with_${kind} %s)
    target_link_libraries(with_${kind} PRIVATE frazil::${kind})
endforeach()
"""


def run(command, **more):
    r = subprocess.run([str(c) for c in command], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
    if r.returncode:
        sys.exit(f"$ {' '.join(map(str, command))}\n{r.stdout}\nended with {r.returncode}")
    return r.stdout


def runs(program, scratch, libdir=None):
    """It says its version; linked with the shared library it needs the path, with the static one it must not."""
    env = dict(os.environ, LD_LIBRARY_PATH=str(libdir) if libdir else "")
    out = run([program, scratch / f"wh-{program.name}"], env=env)
    assert out == "frazil 0.1.0: FRZ_OK\n", out
    linked = "libfrazil.so" in run(["ldd", program], env=env)
    assert linked == bool(libdir), f"{program.name}: {'linked with' if linked else 'not linked with'} libfrazil.so"
    print(f"{program.name}: {out.strip()}")


def main():
    build, cc = pathlib.Path(sys.argv[1]), sys.argv[2]
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="frz-install-"))
    try:
        prefix = scratch / "prefix"
        run(["cmake", "--install", build, "--prefix", prefix])
        libdir = next(prefix.rglob("libfrazil.a")).parent
        for want in ("include/frazil.h", "bin/frazil", "share/man/man1/frazil.1"):
            assert (prefix / want).exists(), f"{want} is not installed"
        env = dict(os.environ, PKG_CONFIG_PATH=str(libdir / "pkgconfig"))

        assert run(["pkg-config", "--modversion", "frazil"], env=env).strip() == "0.1.0"
        assert str(prefix) in run(["pkg-config", "--cflags", "frazil"], env=env), "frazil.pc names another prefix"
        flags = run(["pkg-config", "--cflags", "--libs", "frazil"], env=env).split()
        run([cc, "-Wall", "-Wextra", "-Werror", "-o", scratch / "pkgconfig_shared", HERE / "program.c", *flags])
        runs(scratch / "pkgconfig_shared", scratch, libdir)

        static = scratch / "static"
        static.mkdir()
        shutil.copy(libdir / "libfrazil.a", static)  # alone, so that the linker has no choice
        flags = [f"-L{static}" if f.startswith("-L") and os.path.samefile(f[2:], libdir) else f for f in run(["pkg-config", "--static", "--cflags", "--libs", "frazil"], env=env).split()]
        run([cc, "-o", scratch / "pkgconfig_static", HERE / "program.c", *flags])
        runs(scratch / "pkgconfig_static", scratch)

        (scratch / "CMakeLists.txt").write_text(CMAKE % (HERE / "program.c"))
        run(["cmake", "-S", scratch, "-B", scratch / "b", f"-DCMAKE_PREFIX_PATH={prefix}", f"-DCMAKE_C_COMPILER={cc}"])
        run(["cmake", "--build", scratch / "b"])
        runs(scratch / "b" / "with_frazil", scratch, libdir)
        runs(scratch / "b" / "with_frazil_static", scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
