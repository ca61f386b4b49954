"""dev.py's parts: what it installs, what it starts, and that nothing stays behind."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from kling_takes.devtools import checks, comfyui, demo, environment, processes, run

ROOT = environment.ROOT
DEV_PY = ROOT / "dev.py"


def wait_until(true: object, seconds: float = 15.0) -> None:
    """Wait for a callable to say True."""
    assert callable(true)
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    if sys.platform.startswith("linux"):
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def names(text: str) -> set[str]:
    """Return the requirement lines of a text, comments left out."""
    return {line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")}


def test_requirements_txt_and_pyproject_ask_for_the_same() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = re.search(r"^dependencies = \[\n(.*?)^\]", project, re.DOTALL | re.MULTILINE)
    assert block is not None
    declared = set(re.findall(r'"([^"]+)"', block.group(1)))
    assert declared == names((ROOT / "requirements.txt").read_text(encoding="utf-8"))


def test_the_pack_leaves_torch_and_numpy_to_comfyui() -> None:
    asked = names((ROOT / "requirements.txt").read_text(encoding="utf-8"))
    assert "numpy" in asked
    assert not any(line.startswith("torch") for line in asked)


def test_this_python_is_found() -> None:
    assert environment.version_of(sys.executable) == sys.version_info[:2]
    assert sys.version_info[:2] in environment.find_pythons()


def test_what_is_no_python_is_not_taken_for_one(tmp_path: Path) -> None:
    assert environment.version_of(tmp_path / "nothing") is None
    assert environment.version_of(ROOT) is None


def test_packages_are_installed_once_and_again_when_the_list_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[list[str]] = []
    monkeypatch.setattr(environment, "run_pip", lambda python, args, purpose: calls.append(list(args)))
    assert environment.ensure_packages(tmp_path, "tests", [("a", "b"), ("c",)], "things")
    assert not environment.ensure_packages(tmp_path, "tests", [("a", "b"), ("c",)], "things")
    assert [args[-1] for args in calls] == ["b", "c"]
    assert environment.ensure_packages(tmp_path, "tests", [("a", "b"), ("d",)], "things")
    assert len(calls) == 4


def test_an_installation_that_broke_off_is_taken_up_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise environment.SetupFailed("no")

    with monkeypatch.context() as broken:
        broken.setattr(environment, "run_pip", fail)
        with pytest.raises(environment.SetupFailed):
            environment.ensure_packages(tmp_path, "tests", [("a",)], "things")
    monkeypatch.setattr(environment, "run_pip", lambda *_: None)
    assert environment.ensure_packages(tmp_path, "tests", [("a",)], "things")


def test_a_missing_network_is_told_as_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    monkeypatch.setattr(environment, "LOGS", tmp_path)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    args = ["download", "--isolated", "--retries", "1", "--timeout", "2", "--no-deps", "-d", str(tmp_path)]
    args += ["--index-url", f"http://127.0.0.1:{unused_tcp_port}/", "no-such-package-anywhere"]
    with pytest.raises(environment.SetupFailed) as caught:
        environment.run_pip(Path(sys.executable), args, "what the test needs")
    assert "The package registry can't be reached, so what the test needs could not be installed" in str(
        caught.value
    )


def test_any_other_trouble_of_pip_is_shown_in_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "LOGS", tmp_path)
    with pytest.raises(environment.SetupFailed, match=r"(?s)pip could not install things\. .*no such"):
        environment.run_pip(Path(sys.executable), ["install", "--no-such-option"], "things")
    assert "--no-such-option" in (tmp_path / "pip.log").read_text(encoding="utf-8")


def test_only_one_sets_up_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "DEV", tmp_path / "dev")
    with environment.only_one():
        assert (tmp_path / "dev" / "setup.lock").exists()
    assert not (tmp_path / "dev" / "setup.lock").exists()


def test_a_child_sees_nobody_s_keys(monkeypatch: pytest.MonkeyPatch, canary: str) -> None:
    for name in ("KLING_API_KEY", "KLING_SECRET_KEY", "COMFY_API_KEY"):
        monkeypatch.setenv(name, canary)
    env = processes.child_environment({"KLING_API_BASE": "http://127.0.0.1:1"})
    assert canary not in env.values()
    assert env["KLING_API_BASE"] == "http://127.0.0.1:1"
    assert "127.0.0.1" in env["NO_PROXY"]


def sleeper(tmp_path: Path, code: str = "import time; time.sleep(60)") -> processes.Child:
    """Return a child that is not started yet."""
    env = processes.child_environment({})
    return processes.Child([sys.executable, "-c", code], env=env, log=tmp_path / "child.log")


def test_a_stopped_child_is_gone_and_its_words_are_kept(tmp_path: Path) -> None:
    child = sleeper(tmp_path, "import time; print('here', flush=True); time.sleep(60)")
    child.start()
    wait_until(lambda: "here" in child.log_text())
    assert child.running
    child.stop()
    assert not child.running
    child.stop()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without asking it")
def test_a_child_that_will_not_end_is_ended(tmp_path: Path) -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True)"
    child = sleeper(tmp_path, code + "; time.sleep(60)")
    child.start()
    wait_until(lambda: "on" in child.log_text())
    child.stop(patience=0.05)
    assert not child.running


def test_a_killed_child_is_gone_at_once(tmp_path: Path) -> None:
    child = sleeper(tmp_path)
    child.start()
    child.kill()
    assert not child.running


def test_a_server_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    script = textwrap.dedent(
        f"""
        import os, sys, time
        sys.path.insert(0, {str(ROOT)!r})
        from pathlib import Path
        from devtools.processes import Child, child_environment
        log = Path({str(tmp_path / "child.log")!r})
        command = [sys.executable, {str(comfyui.LAUNCH)!r}, "pack", "simulator.__main__", "--port", "0"]
        child = Child(command, env=child_environment({{}}), log=log)
        child.start()
        while "http://" not in child.log_text():
            time.sleep(0.02)
        print(child.process.pid, flush=True)
        os._exit(9)  # as if killed: nothing is closed in order
        """
    )
    reply = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert reply.returncode == 9, reply.stderr
    wait_until(lambda: not alive(int(reply.stdout)))


def test_the_base_directory_holds_the_pack(tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    pack.mkdir()
    (pack / "__init__.py").write_text("")
    base = tmp_path / "base"
    comfyui.make_base(base, pack)
    comfyui.make_base(base, pack)
    assert (base / "custom_nodes" / "kling-takes" / "__init__.py").is_file()
    assert (base / "user").is_dir()


def test_a_link_to_a_pack_that_has_moved_is_made_anew(tmp_path: Path) -> None:
    base, pack = tmp_path / "base", tmp_path / "pack"
    pack.mkdir()
    comfyui.make_base(base, pack)
    if not (base / "custom_nodes" / "kling-takes").is_symlink():
        pytest.skip("this system gives no symlinks")
    pack.rename(tmp_path / "moved")
    comfyui.make_base(base, tmp_path / "moved")
    assert (base / "custom_nodes" / "kling-takes").is_dir()


def test_without_links_the_pack_is_copied_and_the_bulk_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = tmp_path / "pack"
    for name in (".dev/venv", ".git", "tests", "nodes/__pycache__"):
        (pack / name).mkdir(parents=True)
    (pack / "nodes" / "base.py").write_text("")

    def refuse(*_: object, **__: object) -> None:
        raise OSError("no rights")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    monkeypatch.setattr(comfyui, "_junction", lambda target, place: False)
    comfyui.make_base(tmp_path / "base", pack)
    copy = tmp_path / "base" / "custom_nodes" / "kling-takes"
    assert sorted(path.relative_to(copy).as_posix() for path in copy.rglob("*")) == ["nodes", "nodes/base.py"]


def test_a_copy_of_the_pack_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no rights")

    pack, place = tmp_path / "pack", tmp_path / "typed" / "kling_takes"
    pack.mkdir()
    (pack / "old.py").write_text("")
    monkeypatch.setattr(Path, "symlink_to", refuse)
    monkeypatch.setattr(comfyui, "_junction", lambda target, place: False)
    comfyui.place_pack(place, pack)
    (pack / "old.py").rename(pack / "new.py")
    comfyui.place_pack(place, pack)
    assert [path.name for path in place.iterdir()] == ["new.py"]


def test_a_comfyui_that_ends_while_starting_shows_the_end_of_its_log(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="ComfyUI's launcher imports it")
    (tmp_path / "main.py").write_text("raise SystemExit('the last words')")
    server = comfyui.ComfyUIProcess(Path(sys.executable), tmp_path, tmp_path / "base", env={})
    with pytest.raises(comfyui.DidNotStart, match="the last words"):
        server.start()
    assert not server.child.running


def test_the_live_demo_asks_for_a_key_before_anything_is_set_up(
    monkeypatch: pytest.MonkeyPatch, canary: str
) -> None:
    for name in [name for name in os.environ if name.startswith("KLING_")]:
        monkeypatch.delenv(name)
    with pytest.raises(environment.SetupFailed, match="KLING_API_KEY"):
        demo.kling_settings()
    monkeypatch.setenv("KLING_ACCESS_KEY", canary)
    with pytest.raises(environment.SetupFailed, match="KLING_SECRET_KEY"):
        demo.kling_settings()
    monkeypatch.setenv("KLING_SECRET_KEY", canary)
    assert set(demo.kling_settings()) == {"KLING_ACCESS_KEY", "KLING_SECRET_KEY"}
    monkeypatch.setenv("KLING_BACKEND", "simulator")
    with pytest.raises(environment.SetupFailed, match="KLING_BACKEND"):
        demo.kling_settings()


@pytest.mark.parametrize("answer", ["no", "", "yesterday"])
def test_the_live_demo_buys_nothing_without_a_yes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: str
) -> None:
    monkeypatch.setattr("builtins.input", lambda _: answer)
    with pytest.raises(environment.SetupFailed, match="Nothing was bought"):
        demo.ask(Path(sys.executable))
    told = capsys.readouterr().out
    assert re.search(r"kling-\S+, std, 5 s: .*\$\d", told), told


def test_the_live_demo_asks_once_and_goes_on_after_a_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("builtins.input", lambda text: asked.append(text) or "yes")
    demo.ask(Path(sys.executable))
    assert len(asked) == 1


def test_an_own_comfyui_that_is_none_is_refused(tmp_path: Path) -> None:
    reply = subprocess.run(
        [sys.executable, str(DEV_PY), "demo", "--comfyui", str(tmp_path)], capture_output=True, text=True
    )
    assert reply.returncode == 1
    assert f"There is no ComfyUI in {tmp_path}" in reply.stderr
    assert "Traceback" not in reply.stderr


@pytest.mark.parametrize("command", sorted(run.MODULES))
def test_every_command_has_the_module_it_runs(command: str) -> None:
    assert (ROOT / (run.MODULES[command].replace(".", "/") + ".py")).is_file()


def test_a_failed_check_fails_the_whole(capsys: pytest.CaptureFixture[str]) -> None:
    report = checks.Report()
    report.add(checks.Result("good one", True, 1.0, "quiet"))
    assert report.close([]) == 0
    report.add(checks.Result("bad one", False, 1.0, "what it said"))
    assert report.close(["12 s in all"]) == 1
    told = capsys.readouterr().out
    assert "what it said" in told
    assert "quiet" not in told
    assert "Failed: bad one" in told


def test_types_are_checked_in_a_package_and_told_by_the_paths_of_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "DEV", tmp_path)
    # In the place of mypy, something that says where it was started and with what.
    code = "import os, sys; print(os.path.isfile('kling_takes/nodes/base.py'), *sys.argv, sep='\\n')"
    (tmp_path / "mypy.py").write_text(code)
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    said = checks.check_types(Path(sys.executable), env).text.splitlines()
    assert said[0] == "True"
    assert said[-len(checks.TYPED) :] == list(checks.TYPED)
    assert all((ROOT / part).exists() for part in checks.TYPED)


def test_a_check_that_ends_badly_is_no_success() -> None:
    env = dict(os.environ)
    assert checks.run_check("x", (sys.executable, "-c", "print('fine')"), env).good
    failed = checks.run_check("x", (sys.executable, "-c", "raise SystemExit('not fine')"), env)
    assert not failed.good
    assert "not fine" in failed.text


def test_a_check_that_hangs_is_ended_and_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "TOO_LONG", 0.5)
    code = "import time; print('so far', flush=True); time.sleep(60)"
    hung = checks.run_check("x", (sys.executable, "-c", code), dict(os.environ))
    assert not hung.good
    assert "so far" in hung.text
    assert "did not end" in hung.note
