"""What processes of ours inherit from the shell, and what they do without."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from crossfade.errors import MachineError
from crossfade.stack import open_files
from crossfade.stack.child import Child, ChildSpec
from crossfade.stack.environment import (
    clean_environment,
    cluster_variables,
    inherited_environment,
    list_foreign_variables,
)
from crossfade.stack.native_libraries import choose_executable, make_temporary_folder
from crossfade.stack.open_files import require_open_files
from crossfade.stack.python_path import require_own_packages

FOREIGN = (
    *("SPARK_HOME", "SPARK_CONF_DIR", "SPARK_LOCAL_DIRS", "SPARK_MASTER", "SPARK_REMOTE"),
    *("PYSPARK_SUBMIT_ARGS", "PYSPARK_PYTHON", "PYSPARK_GATEWAY_PORT", "HADOOP_CONF_DIR"),
    *("YARN_CONF_DIR", "MASTER", "CONTAINER_ID", "CLASSPATH", "JAVA_TOOL_OPTIONS"),
    *("_JAVA_OPTIONS", "LOG4J_CONFIGURATION_FILE", "BASH_ENV"),
)
KEPT = ("JDK_JAVA_OPTIONS", "PYTHONPATH", "https_proxy", "CROSSFADE_HOST", "SPARKLE", "AWS_PROFILE")


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in list_foreign_variables():
        monkeypatch.delenv(name)
    for name in (*FOREIGN, *KEPT):
        monkeypatch.setenv(name, "/elsewhere")
    return monkeypatch


def test_variables_of_another_spark_or_java_are_not_inherited(shell: pytest.MonkeyPatch) -> None:
    assert list_foreign_variables() == sorted(FOREIGN)
    inherited = inherited_environment()
    assert inherited.keys().isdisjoint(FOREIGN)
    assert {name: inherited[name] for name in KEPT} == dict.fromkeys(KEPT, "/elsewhere")
    assert (inherited["LC_ALL"], inherited["PYTHONSAFEPATH"]) == ("C.UTF-8", "1")


def test_a_cluster_needs_its_configuration_and_one_machine_does_not(
    shell: pytest.MonkeyPatch,
) -> None:
    wanted = {"HADOOP_CONF_DIR", "YARN_CONF_DIR", "SPARK_CONF_DIR"}
    assert cluster_variables("yarn").keys() == wanted
    assert cluster_variables("") == cluster_variables("local[2,4]") == {}


def test_this_process_is_cleaned_before_pyspark_reads_its_environment(
    shell: pytest.MonkeyPatch,
) -> None:
    shell.setattr(os, "environ", os.environ.copy())
    clean_environment({"SPARK_HOME": "/ours"})
    assert list_foreign_variables() == ["SPARK_HOME"]
    assert os.environ["SPARK_HOME"] == "/ours"


def test_a_child_is_started_without_them_and_not_from_the_working_directory(
    shell: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "queue.py").write_text("raise SystemExit('the wrong queue')")
    shell.chdir(tmp_path)
    shell.delenv("PYTHONPATH")
    code = "import os, queue; print(os.environ.get('SPARK_HOME'), os.environ['GIVEN'])"
    (tmp_path / "tool.py").write_text(code)
    child = Child(
        ChildSpec("tool", [sys.executable, "-c", code], env={"GIVEN": "yes"}), tmp_path / "log"
    )
    try:
        child._process.wait(30)
    finally:
        child.kill()
    assert (tmp_path / "log").read_text() == "None yes\n"


def a_package(folder: Path, name: str) -> Path:
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").touch()
    return folder


@pytest.mark.parametrize("name", ["pyspark", "py4j", "pandas", "typing"])
def test_a_package_that_replaces_an_installed_one_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = a_package(tmp_path / "old", name)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{old}")
    with pytest.raises(MachineError, match=f"PYTHONPATH has {old}, whose {name} comes before"):
        require_own_packages()


def test_a_package_in_an_archive_is_refused_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(tmp_path / "py4j-0.10.7-src.zip", "w") as archive:
        archive.writestr("py4j/__init__.py", "")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "py4j-0.10.7-src.zip"))
    with pytest.raises(MachineError, match="whose py4j comes before"):
        require_own_packages()


def test_folders_that_replace_nothing_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = next(path for path in sys.path if path.endswith("site-packages"))
    folders = [str(a_package(tmp_path, "my_own_tools")), str(tmp_path / "gone"), "", site]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(folders))
    require_own_packages()


@pytest.mark.parametrize("command", [["batch", "--once"], ["doctor"], ["status"]])
@pytest.mark.parametrize("package", ["pyspark", "typer"])
def test_commands_name_the_folder_with_another_package(
    command: list[str], package: str, tmp_path: Path
) -> None:
    old = a_package(tmp_path / "old", package)
    done = subprocess.run(
        [sys.executable, "-m", "crossfade", *command, "--data", str(tmp_path / "data")],
        env=os.environ
        | {"PYTHONPATH": str(old), "COLUMNS": "400"}
        | {"CROSSFADE_PORT": "0", "CROSSFADE_KAFKA_PORT": "0"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"PYTHONPATH has {old}, whose {package} comes before" in done.stdout + done.stderr


def test_the_limit_of_open_files_is_raised_as_far_as_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(open_files.resource, "getrlimit", lambda _: (256, 4096))
    monkeypatch.setattr(open_files.resource, "setrlimit", lambda _, wanted: asked.append(wanted))
    assert require_open_files() == 4096
    assert asked == [(4096, 4096)]


def test_a_hard_limit_that_is_too_low_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_files.resource, "getrlimit", lambda _: (256, 512))
    with pytest.raises(MachineError, match=r"only 512 files open \(ulimit -Hn\); 1024 needed"):
        require_open_files()


@pytest.fixture
def no_exec_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "noexec"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m,noexec", "none", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_native_libraries_leave_a_disk_where_nothing_is_executable(
    no_exec_disk: Path, tmp_path: Path
) -> None:
    wanted = no_exec_disk / "data" / "tmp"
    chosen = make_temporary_folder(wanted, tmp_path / "cache")
    (chosen / "left.so").touch()
    assert chosen.parent == tmp_path / "cache" / "native"
    assert list(make_temporary_folder(wanted, tmp_path / "cache").iterdir()) == []
    with pytest.raises(MachineError, match=f"{wanted} .mounted with noexec., nor from"):
        make_temporary_folder(wanted, no_exec_disk / "cache")
    with pytest.raises(MachineError, match="CROSSFADE_CACHE"):
        choose_executable(wanted, tmp_path / "gone")


def test_native_libraries_stay_in_the_data_folder_elsewhere(tmp_path: Path) -> None:
    wanted = tmp_path / "data" / "tmp"
    assert make_temporary_folder(wanted, tmp_path / "cache") == wanted
    assert not (tmp_path / "cache").exists()
