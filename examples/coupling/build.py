"""Build libai4land_emulator.so and the Fortran program `step` beside it: ``python build.py <folder>``.

Needs gfortran, a C compiler, and a Python with its headers and a shared library: on Debian and Ubuntu
``apt install gfortran gcc python3-dev``, and ``pip install cffi``.
"""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import cffi

HERE = Path(__file__).parent
NAME = "ai4land_emulator"


def missing() -> str:
    """What the build lacks, in one line; empty where it lacks nothing."""
    if sys.platform != "linux":
        return f"this build is for Linux, found {sys.platform}; link the library by your system's rules."
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    programs = [name for name in ("gfortran", compiler) if shutil.which(name) is None]
    if programs:
        return f"no {' and no '.join(programs)}; on Debian and Ubuntu: apt install gfortran gcc."
    if not sysconfig.get_config_var("Py_ENABLE_SHARED"):
        return f"{sys.executable} has no shared libpython; use a Python built with --enable-shared, as Debian's is."
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        return f"no Python.h in {sysconfig.get_path('include')}; on Debian and Ubuntu: apt install python3-dev."
    return ""


def build(folder: Path) -> None:
    """Library and program into a folder; the library finds this Python, its packages and its libpython again."""
    folder.mkdir(parents=True, exist_ok=True)
    ffi = cffi.FFI()
    header = (HERE / "emulator.h").read_text()
    ffi.embedding_api(header)
    python = sys.executable.replace("\\", "\\\\").replace('"', '\\"')
    named = f'__attribute__((constructor)) static void name_python(void) {{ Py_SetProgramName(L"{python}"); }}'
    ffi.set_source(
        NAME, f"#include <stdint.h>\n{named}", extra_compile_args=["-Wno-deprecated-declarations"],
        extra_link_args=[f"-Wl,-rpath,{sysconfig.get_config_var('LIBDIR')}"],
    )  # fmt: skip
    ffi.embedding_init_code((HERE / "embedded.py").read_text())
    ffi.compile(tmpdir=str(folder), target=f"lib{NAME}.so")
    source, program = str(HERE / "step.f90"), str(folder / "step")
    options = ["-O2", "-Wall", "-std=f2018", "-J", str(folder)]
    linked = [f"-L{folder}", f"-l{NAME}", "-Wl,-rpath,$ORIGIN"]
    subprocess.run(["gfortran", *options, source, "-o", program, *linked], check=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python build.py <folder>")
    if lack := missing():
        sys.exit(f"build.py: {lack}")
    build(Path(sys.argv[1]))
