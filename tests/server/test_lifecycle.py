"""Start, stop, restart; the stock start; what refuses to start."""

import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from servers import environment, free_port, running, wait_for
from stand_ins import order

from perfusynth.server.app_folder import app_folder
from perfusynth.server.run_folder import RunFolder


def test_a_restart_leaves_nothing_and_old_ids_answer_gone(tmp_path):
    with running(tmp_path) as first:
        done = first.submit(order("good"))
        first.wait(done)
        first.submit(order("busy 60"))
        wait_for(lambda: list(first.work.rglob("result.zip")))
        workers = _children(first.process.pid)
        assert workers
        first.process.send_signal(signal.SIGTERM)
        first.process.wait(20)
        assert not list(first.work.rglob("*.*"))
        wait_for(lambda: not any(_alive(pid) for pid in workers))
    with running(tmp_path) as second:
        assert second.call("GET", f"/jobs/{done}").status_code == 410
        assert second.call("GET", f"/jobs/{done}/result").status_code == 410
        second.submit(order("busy 60"))
        workers = _children(second.process.pid)
        second.process.kill()  # no chance to clean up: its workers notice, the next start removes the files
        second.process.wait()
        wait_for(lambda: not any(_alive(pid) for pid in workers))
        assert list(second.work.rglob("ncct.nii.gz"))
        folder = RunFolder(second.work)
        assert [path.name for path in second.work.iterdir()] == [folder.path.name]
        folder.remove()


def test_the_stock_start_works_with_our_application(tmp_path):
    command = ["-m", "monailabel.main", "start_server", "--app", str(_copy_of_app(tmp_path)), "--studies", "{studies}"]
    command += ["--uvicorn_app", "perfusynth.server.app:app", "--port", "{port}"]
    with running(tmp_path, command) as server:
        assert "ncct_perfusion" in server.call("GET", "/info/").json()["models"]
        assert server.call("GET", "/docs").status_code == 404
        assert server.call("POST", "/jobs/ncct_perfusion", files={"ncct": ("x", b"")}).json()["code"] == "empty_file"
        server.call("GET", "/datastore/image?image=DOE-JOHN")
        assert "DOE-JOHN" not in server.log.read_text()


def test_the_app_refuses_to_load_without_our_application(tmp_path):
    (tmp_path / "studies").mkdir()
    command = ["-m", "monailabel.main", "start_server", "--app", str(_copy_of_app(tmp_path)), "--studies", "studies"]
    ended = _run([*command, "--host", "127.0.0.1", "--port", str(free_port())], tmp_path)
    assert ended.returncode != 0
    assert "runs only inside perfusynth's own server" in ended.stdout


def test_several_server_processes_are_refused(tmp_path):
    command = ["-m", "uvicorn", "perfusynth.server.app:app", "--workers", "2", "--port", str(free_port())]
    process = subprocess.Popen(
        [sys.executable, *command],
        env=environment(tmp_path / "home", tmp_path / "work"),
        stdout=(log := open(tmp_path / "log", "wb")),  # noqa: SIM115
        stderr=log,
        cwd=tmp_path,
    )
    try:
        wait_for(lambda: "server is one process" in (tmp_path / "log").read_text(), 60)
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def test_an_open_address_without_tokens_is_refused(tmp_path):
    code = "from pathlib import Path; from perfusynth.server.start import start; start(Path('s'), host='0.0.0.0')"
    ended = _run(["-c", code], tmp_path)
    assert ended.returncode != 0
    assert "Without access tokens the server only listens on this machine" in ended.stdout


def test_a_work_folder_of_someone_else_is_refused(tmp_path):
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    with pytest.raises(PermissionError):
        RunFolder(tmp_path / "link")


def test_run_folders_are_private_and_live_ones_stay(tmp_path):
    first, second = RunFolder(tmp_path / "work"), RunFolder(tmp_path / "work")
    assert first.path.is_dir()
    assert first.path.stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "work").stat().st_mode & 0o777 == 0o700
    first.remove()
    second.remove()
    assert not list((tmp_path / "work").iterdir())


def test_a_work_folder_keeps_its_mode(tmp_path):
    (tmp_path / "given").mkdir(mode=0o755)
    (tmp_path / "given").chmod(0o1777)
    folder = RunFolder(tmp_path / "given")
    assert (tmp_path / "given").stat().st_mode & 0o7777 == 0o1777
    folder.remove()


def test_servers_that_start_together_leave_each_other_alone(tmp_path, monkeypatch):
    make = tempfile.mkdtemp

    def slow(*arguments, **more):
        folder = make(*arguments, **more)
        time.sleep(0.5)
        return folder

    monkeypatch.setattr(tempfile, "mkdtemp", slow)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(RunFolder, tmp_path / "work")
        time.sleep(0.2)
        second = pool.submit(RunFolder, tmp_path / "work")
        folders = [first.result(), second.result()]
    assert all(folder.path.is_dir() and folder._lock is not None for folder in folders)


def test_space_that_is_promised_is_not_free(tmp_path):
    folder = RunFolder(tmp_path / "work")
    with folder.promised(10**15):
        assert folder.free_bytes() < 0
    assert folder.free_bytes() > 0
    folder.remove()


def _copy_of_app(folder):
    """`monailabel start_server` makes folders inside the app."""
    import shutil

    return shutil.copytree(app_folder(), folder / "app", ignore=shutil.ignore_patterns("__pycache__", "model", "logs"))


def _run(command: list[str], folder) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *command],
        env=environment(folder / "home", folder / "work"),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )


def _children(pid: int) -> list[int]:
    import psutil

    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def _alive(pid: int) -> bool:
    import psutil

    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
