"""The commands `crossfade jars` and `crossfade doctor`."""

import json
import subprocess
import sys
from pathlib import Path


def crossfade(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    import os

    command = [sys.executable, "-m", "crossfade", *words]
    return subprocess.run(
        command, env=os.environ | env, capture_output=True, text=True, check=False, timeout=60
    )


def test_the_locked_jars_are_listed_for_programs() -> None:
    rows = json.loads(crossfade("jars", "list", "--json").stdout)
    assert {"set", "coordinates", "bytes", "sha256"} == set(rows[0])
    assert any(row["coordinates"] == "org.apache.kafka:kafka_2.13:4.3.1" for row in rows)


def test_a_complete_cache_is_verified_and_nothing_is_downloaded() -> None:
    assert crossfade("jars", "verify").returncode == 0
    assert json.loads(crossfade("jars", "fetch", "--json").stdout)["fetched"] == 0


def test_verify_fails_in_one_line_when_jars_are_missing(tmp_path: Path) -> None:
    done = crossfade("jars", "verify", CROSSFADE_CACHE=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("Error: ")
    assert 'Run "crossfade jars fetch".' in done.stderr


def test_the_doctor_exits_1_and_prints_the_cure_when_a_check_fails(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    done = crossfade("doctor", "--json", "--data", str(tmp_path / "data"))
    assert done.returncode == 1
    findings = {finding["check"]: finding for finding in json.loads(done.stdout)}
    assert findings["data folder"]["verdict"] == "fail"
    assert "--data" in findings["data folder"]["cure"]


def test_the_doctor_passes_on_this_machine(tmp_path: Path) -> None:
    ports = {"CROSSFADE_KAFKA_PORT": "0", "CROSSFADE_PORT": "0"}
    done = crossfade("doctor", "--data", str(tmp_path / "data"), **ports)
    assert done.returncode == 0, done.stdout
    assert "Java" in done.stdout
