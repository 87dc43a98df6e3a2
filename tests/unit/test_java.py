from collections.abc import Sequence
from pathlib import Path

import pytest

from crossfade.errors import MachineError
from crossfade.stack.java import find_java

MODULES = ("java.compiler", "java.desktop", "java.logging", "java.management", "java.naming")
MODULES += ("java.rmi", "java.security.jgss", "java.security.sasl", "java.sql", "java.xml")
MODULES += ("jdk.incubator.vector", "jdk.management", "jdk.security.auth", "jdk.unsupported")


def a_java(
    folder: Path,
    version: str,
    *,
    exit_code: int = 0,
    modules: Sequence[str] = MODULES,
    prints: str = "Property settings:",
) -> Path:
    """Write a `java` that prints what the real one prints."""
    executable = folder / "bin" / "java"
    executable.parent.mkdir(parents=True)
    home = f"    java.home = {folder}"
    executable.write_text(
        "#!/bin/sh\n"
        f"printf '%s\\n' '{prints}' '{home}' 'openjdk version \"{version}\"' >&2\n"
        f"printf '%s@{version}\\n' {' '.join(modules)}\n"
        f"exit {exit_code}\n"
    )
    executable.chmod(0o755)
    return executable


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Return a machine without any Java."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.delenv("JDK_JAVA_OPTIONS", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    return monkeypatch


def test_java_home_comes_before_the_path(machine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    a_java(tmp_path / "21", "21.0.8")
    on_path = a_java(tmp_path / "17", "17.0.15")
    machine.setenv("PATH", str(on_path.parent))
    machine.setenv("JAVA_HOME", str(tmp_path / "21"))
    java = find_java()
    assert (java.version, java.home) == (21, tmp_path / "21")


def test_a_java_behind_symbolic_links_reports_its_real_home(
    machine: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real = a_java(tmp_path / "jvm", "17.0.15")
    link = tmp_path / "usr" / "java"
    link.parent.mkdir()
    link.symlink_to(real)
    machine.setenv("PATH", str(link.parent))
    assert (find_java().home, find_java().executable) == (tmp_path / "jvm", real)


def test_a_new_java_on_the_path_is_preferred_to_an_old_java_home(
    machine: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    a_java(tmp_path / "11", "11.0.2")
    machine.setenv("JAVA_HOME", str(tmp_path / "11"))
    machine.setenv("PATH", str(a_java(tmp_path / "25", "25").parent))
    assert find_java().version == 25


def test_a_missing_java_is_one_line_with_the_cure(machine: pytest.MonkeyPatch) -> None:
    with pytest.raises(MachineError) as refusal:
        find_java()
    line = str(refusal.value)
    assert "needs Java 17 or later; there is none" in line
    assert "apt install" in line
    assert "dnf install" in line
    assert "brew install" in line
    assert "JAVA_HOME" in line
    assert "\n" not in line


@pytest.mark.parametrize(("version", "shown"), [("11.0.2", "Java 11"), ("1.8.0_392", "Java 8")])
def test_a_java_that_is_too_old_is_named_with_the_cure(
    machine: pytest.MonkeyPatch, tmp_path: Path, version: str, shown: str
) -> None:
    old = a_java(tmp_path / "old", version)
    machine.setenv("PATH", str(old.parent))
    with pytest.raises(MachineError, match="apt install openjdk-17-jre-headless") as refusal:
        find_java()
    assert f"PATH has {shown} ({old})" in str(refusal.value)


def test_a_java_that_fails_to_start_is_not_used(
    machine: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stub = a_java(tmp_path / "stub", "17", exit_code=1)
    machine.setenv("PATH", str(stub.parent))
    machine.setenv("JAVA_HOME", str(tmp_path / "gone"))
    with pytest.raises(MachineError, match=r"JAVA_HOME has no working Java .*PATH has no working"):
        find_java()


@pytest.mark.parametrize("module", ["java.sql", "jdk.unsupported", "java.management"])
def test_a_runtime_without_a_module_that_spark_needs_is_named_with_it(
    machine: pytest.MonkeyPatch, tmp_path: Path, module: str
) -> None:
    small = a_java(tmp_path / "jre", "21.0.8", modules=[one for one in MODULES if one != module])
    machine.setenv("JAVA_HOME", str(tmp_path / "jre"))
    with pytest.raises(MachineError, match="apt install") as refusal:
        find_java()
    expected = f"JAVA_HOME has Java 21 without the module {module} ({small})"
    assert expected in str(refusal.value)


def test_options_with_which_java_does_not_start_are_named(
    machine: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    a_java(tmp_path / "jdk", "17", exit_code=1, prints="Unrecognized VM option NoSuch")
    machine.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    machine.setenv("JDK_JAVA_OPTIONS", "-XX:+NoSuch")
    with pytest.raises(MachineError) as refusal:
        find_java()
    assert "which prints 'Unrecognized VM option NoSuch'" in str(refusal.value)
    assert "JDK_JAVA_OPTIONS is -XX:+NoSuch" in str(refusal.value)


def test_options_meant_for_another_java_do_not_reach_ours(
    machine: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    executable = a_java(tmp_path / "jdk", "17")
    refuse = '[ -z "$JAVA_TOOL_OPTIONS$_JAVA_OPTIONS$CLASSPATH" ] || exit 1\n'
    executable.write_text(executable.read_text().replace("#!/bin/sh\n", f"#!/bin/sh\n{refuse}"))
    machine.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    for name in ("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH"):
        machine.setenv(name, "-agentpath:/nowhere")
    assert find_java().version == 17
