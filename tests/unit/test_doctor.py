import socket
from pathlib import Path

import pytest

from crossfade.config import Settings, load_settings
from crossfade.folder import open_folder
from crossfade.stack import doctor
from crossfade.stack.disk_space import GIGABYTE
from crossfade.stack.doctor import MachineCheck, examine_machine
from crossfade.stack.jar_lock import read_lock
from crossfade.stack.ports import find_free_ports


def examine(settings: Settings) -> dict[str, MachineCheck]:
    return {finding.check: finding for finding in examine_machine(settings)}


def a_machine(data: Path, **options: object) -> Settings:
    kafka_port, port = find_free_ports(2)
    return load_settings(data=data, **{"kafka_port": kafka_port, "port": port, **options})


def test_a_good_machine_has_no_failure(tmp_path: Path) -> None:
    findings = examine(a_machine(tmp_path / "data"))
    assert [f.check for f in findings.values() if f.verdict == "fail"] == []
    assert findings["data folder"].found == f"{tmp_path / 'data'} is new"
    assert f"{len(read_lock())} jars verified" in findings["jars"].found


def test_an_examination_creates_no_data_folder(tmp_path: Path) -> None:
    examine(a_machine(tmp_path / "data"))
    assert not (tmp_path / "data").exists()


def test_a_missing_java_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    finding = examine(a_machine(tmp_path))["Java"]
    assert finding.verdict == "fail"
    assert "apt install" in finding.cure


def test_missing_jars_are_found_and_the_registry_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "can_fetch", lambda _: False)
    findings = examine(a_machine(tmp_path, cache=tmp_path / "cache"))
    assert findings["jars"].verdict == "fail"
    assert "jars are missing or wrong" in findings["jars"].found
    assert findings["jars"].cure == 'Run "crossfade jars fetch".'
    assert findings["registry"].verdict == "fail"
    assert "CROSSFADE_MAVEN_MIRROR" in findings["registry"].cure


@pytest.mark.parametrize(
    ("check", "setting", "cure"),
    [
        ("Kafka port", "kafka_port", "CROSSFADE_KAFKA_PORT"),
        ("API port", "port", "CROSSFADE_PORT"),
    ],
)
def test_a_taken_port_is_found_with_its_holder(
    tmp_path: Path, check: str, setting: str, cure: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        finding = examine(a_machine(tmp_path, **{setting: port}))[check]
    assert finding.verdict == "fail"
    assert finding.found.startswith(f"{port} is taken by ")
    assert cure in finding.cure


@pytest.mark.parametrize(
    ("free_gb", "verdict"), [(0.9, "fail"), (1.0, "warning"), (4.9, "warning"), (5.0, "ok")]
)
def test_a_disk_is_full_below_one_gigabyte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_gb: float, verdict: str
) -> None:
    monkeypatch.setattr(doctor, "free_bytes", lambda _: int(free_gb * GIGABYTE))
    finding = examine(a_machine(tmp_path))["disk of the data folder"]
    assert finding.verdict == verdict
    assert "Make room" in finding.cure


def test_a_foreign_folder_or_one_of_another_format_is_found(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "letter.txt").touch()
    assert examine(a_machine(foreign))["data folder"].verdict == "fail"
    ours = a_machine(tmp_path / "ours")
    folder = open_folder(ours)
    assert "format 2" in examine(ours)["data folder"].found
    path = folder.root / "crossfade.json"
    path.write_text(path.read_text().replace('"format_version":2', '"format_version":99'))
    finding = examine(ours)["data folder"]
    assert (finding.verdict, "format 99" in finding.found) == ("fail", True)


def test_a_data_folder_that_is_a_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    finding = examine(a_machine(tmp_path / "data"))["data folder"]
    assert finding.verdict == "fail"
    assert "cannot be written" in finding.found
