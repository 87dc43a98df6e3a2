"""Kafka and Spark in surroundings meant for other programs, or for no program at all."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from crossfade.config import load_settings
from support import nameless_user

_ALL_MODULES = (
    *("java.compiler", "java.desktop", "java.logging", "java.management", "java.naming"),
    *("java.rmi", "java.security.jgss", "java.security.sasl", "java.sql", "java.xml"),
    *("jdk.incubator.vector", "jdk.management", "jdk.security.auth", "jdk.unsupported"),
)
_PROBE = """
import json, sys
from pathlib import Path
from crossfade.processing.decode import WORKERS
from crossfade.processing.spark import build_session, end_java

folder = Path(sys.argv[1])
spark = build_session(
    "probe", cache=Path(sys.argv[2]), memory="1g", scratch=folder / "spark", settings=WORKERS
)
table = str(folder / "table")
spark.range(10).write.format("delta").save(table)
rows = spark.read.format("delta").load(table)
java = spark.sparkContext._jvm.java
print(json.dumps({
    "plays": rows.mapInArrow(lambda batches: batches, "id BIGINT").count(),
    "language": java.util.Locale.getDefault().toString(),
    "charset": java.nio.charset.Charset.defaultCharset().toString(),
    "home": java.lang.System.getProperty("user.home"),
    "files": __import__("resource").getrlimit(7)[0],
}))
spark.stop()
end_java()
"""
A_PLAY = {
    "event_id": "a-play-of-nobody",
    "user_id": "nobody",
    "song_id": "a-song",
    "title": "Title",
    "artist": "Artist",
    "event_time": 1_767_268_800_000,
    "schema_version": 1,
    "ms_played": 60_000,
}


@pytest.fixture
def open_place() -> Iterator[Path]:
    """Yield a temporary folder that every user can reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="crossfade-test-") as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


@pytest.fixture
def elsewhere(open_place: Path) -> Path:
    """Return a folder with another Spark, its configuration, and modules that end Python."""
    folder = open_place / "elsewhere"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "spark-submit").write_text("#!/bin/sh\nexit 3\n")
    (folder / "bin" / "spark-submit").chmod(0o755)
    (folder / "spark-env.sh").write_text("exit 4\n")
    (folder / "spark-defaults.conf").write_text("spark.sql.session.timeZone Asia/Tokyo\n")
    name, value = "<name>fs.defaultFS</name>", "<value>hdfs://nowhere:1</value>"
    site = f"<configuration><property>{name}{value}</property></configuration>"
    (folder / "core-site.xml").write_text(site)
    (folder / "bash-env").write_text("echo from the environment; exit 5\n")
    for module in ("pandas", "queue", "pyspark"):
        (folder / f"{module}.py").write_text("raise SystemExit('a module of the work folder')\n")
    return folder


@pytest.fixture
def no_exec_disk(open_place: Path) -> Iterator[Path]:
    """Yield a folder from which nothing can be executed, if this user may make one."""
    place = open_place / "noexec"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2g,mode=777,noexec", "none", str(place)]
    is_mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    yield place
    if is_mounted:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def surroundings(elsewhere: Path, open_place: Path) -> dict[str, str]:
    cache = open_place / "cache"
    cache.mkdir()
    cache.chmod(0o777)
    (cache / "jars").symlink_to(load_settings().cache / "jars")
    other = str(elsewhere)
    given = os.environ.get("JDK_JAVA_OPTIONS", "")
    small_runtime = f"--limit-modules={','.join(_ALL_MODULES)}"
    return {
        "PATH": os.environ["PATH"],
        "HOME": "/",
        "CROSSFADE_CACHE": str(cache),
        "JDK_JAVA_OPTIONS": f"{given} {small_runtime} -Duser.language=tr -Dfile.encoding=ASCII",
        "JAVA_TOOL_OPTIONS": "-Duser.language=tr -Xmx8m",
        "_JAVA_OPTIONS": "-Xmx8m",
        **dict.fromkeys(("SPARK_HOME", "SPARK_CONF_DIR", "HADOOP_CONF_DIR", "HADOOP_HOME"), other),
        **dict.fromkeys(("CLASSPATH", "SPARK_LOCAL_DIRS", "YARN_CONF_DIR", "CDPATH"), other),
        **dict.fromkeys(("PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON", "JAVA_HOME"), "/nowhere"),
        "PYSPARK_SUBMIT_ARGS": "--master yarn pyspark-shell",
        "PYSPARK_GATEWAY_PORT": "1",
        "PYSPARK_GATEWAY_SECRET": "secret",
        "SPARK_MASTER": "spark://nowhere:7077",
        "SPARK_REMOTE": "sc://nowhere",
        "SPARK_API_MODE": "connect",
        "MASTER": "yarn",
        "CONTAINER_ID": "container",
        "BASH_ENV": f"{other}/bash-env",
        "LOG4J_CONFIGURATION_FILE": "/nowhere",
        "ARROW_PRE_0_15_IPC_FORMAT": "1",
        "LANG": "tr_TR.UTF-8",
        "LC_ALL": "tr_TR",
        "TMPDIR": "/nowhere",
        "PYTHONIOENCODING": "ascii",
        **dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:1"),
        "all_proxy": "socks5://127.0.0.1:1",
    }


def run(
    surroundings: dict[str, str], folder: Path, *words: str
) -> subprocess.CompletedProcess[str]:
    """Run Python with few open files, and as a user without a name if this user may."""
    become = [sys.executable, nameless_user.__file__] if os.getuid() == 0 else []
    few_files = ["sh", "-c", 'ulimit -S -n 256; exec "$@"', "sh"]
    return subprocess.run(
        [*few_files, *become, sys.executable, *words],
        cwd=folder,
        env=surroundings,
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )


@pytest.mark.spark
@pytest.mark.timeout(500)
def test_spark_works_in_surroundings_meant_for_others(
    surroundings: dict[str, str], elsewhere: Path, no_exec_disk: Path
) -> None:
    words = ("-P", "-c", _PROBE, str(no_exec_disk), surroundings["CROSSFADE_CACHE"])
    done = run(surroundings, elsewhere, *words)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["plays"], found["language"], found["charset"]) == (10, "en_US", "UTF-8")
    assert found["home"].startswith((str(no_exec_disk), surroundings["CROSSFADE_CACHE"]))
    assert found["files"] > 256


@pytest.mark.spark
@pytest.mark.kafka
@pytest.mark.timeout(900)
def test_a_play_is_imported_and_counted_in_surroundings_meant_for_others(
    surroundings: dict[str, str], elsewhere: Path, no_exec_disk: Path
) -> None:
    plays = no_exec_disk / "plays.jsonl"
    plays.write_text(json.dumps(A_PLAY) + "\n")
    data = ("--data", str(no_exec_disk / "data"))
    crossfade = ("-P", "-m", "crossfade")
    free_ports = {"CROSSFADE_PORT": "0", "CROSSFADE_KAFKA_PORT": "0", "COLUMNS": "300"}
    for words in (["doctor"], ["import", "jsonl", str(plays)], ["batch", "--once"]):
        done = run(surroundings | free_ports, elsewhere, *crossfade, *words, *data)
        assert done.returncode == 0, done.stdout + done.stderr
    chart = ("chart", "songs", "--all-time", "--json")
    answer = run(surroundings, elsewhere, *crossfade, *chart, *data)
    assert [row["title"] for row in json.loads(answer.stdout)["rows"]] == ["Title"]


def test_a_command_reaches_the_api_past_a_proxy(
    surroundings: dict[str, str], elsewhere: Path
) -> None:
    code = (
        "import http.server, threading\n"
        "class Answer(http.server.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        body = b'{}'\n"
        "        self.send_response(200)\n"
        "        self.send_header('Content-Length', str(len(body)))\n"
        "        self.end_headers()\n"
        "        self.wfile.write(body)\n"
        "server = http.server.HTTPServer(('127.0.0.1', 0), Answer)\n"
        "threading.Thread(target=server.serve_forever, daemon=True).start()\n"
        "from crossfade.cli.api import fetch_answer\n"
        "from crossfade.stack.launch import is_answering\n"
        "api = f'http://127.0.0.1:{server.server_port}'\n"
        "print(fetch_answer(api, 'status'), is_answering(api))\n"
    )
    done = run(surroundings, elsewhere, "-P", "-c", code)
    assert done.stdout == "{} True\n", done.stderr


def test_without_a_cache_that_can_be_written_the_cure_is_named(
    surroundings: dict[str, str], elsewhere: Path, open_place: Path
) -> None:
    if os.getuid():
        pytest.skip("only root may become a user without a name")
    variables = surroundings | {"CROSSFADE_PORT": "0", "CROSSFADE_KAFKA_PORT": "0"}
    del variables["CROSSFADE_CACHE"]
    doctor = ("-P", "-m", "crossfade", "doctor", "--json", "--data", str(open_place / "data"))
    found = run(variables, elsewhere, *doctor)
    jars = next(one for one in json.loads(found.stdout) if one["check"] == "jars")
    assert jars["verdict"] == "fail"
    assert "CROSSFADE_CACHE or XDG_CACHE_HOME" in jars["cure"]
    fetched = run(variables, elsewhere, "-P", "-m", "crossfade", "jars", "fetch")
    assert fetched.returncode == 1
    assert fetched.stderr.count("\n") == 1
    assert "Cannot write the cache of jars /.cache/crossfade" in fetched.stderr
    assert "CROSSFADE_CACHE or XDG_CACHE_HOME" in fetched.stderr
