"""Jar downloads by the Apache Ivy inside pyspark, so that no host name stands in our code."""

import os
import re
import subprocess
from collections.abc import Generator, Sequence
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies
from xml.sax.saxutils import quoteattr

from crossfade.errors import MachineError
from crossfade.stack.environment import inherited_environment
from crossfade.stack.jar_lock import Jar
from crossfade.stack.java import common_options, find_java, home_option
from crossfade.stack.python_path import require_own_packages

_DONE = re.compile(r"\[SUCCESSFUL \] (\S+)#(\S+);(\S+)!")
_PROBLEM = re.compile(r"(Server access error|UnknownHost|[Cc]onnect|[Tt]imed out|not found|FAILED)")
_TIMEOUT_MS = 60_000
_CURE = (
    "Check the network and repeat the command, which goes on where it stopped. Behind a proxy set "
    "https_proxy; or set CROSSFADE_MAVEN_MIRROR to a Maven repository that you can reach."
)

_SETTINGS = """<ivysettings>
  <property name="ivy.checksums" value=""/>
  <settings defaultResolver="repository"/>
  <caches defaultCacheDir={folder} artifactPattern="files/[artifact]-[revision].[ext]"/>
  <timeout-constraints>
    <timeout-constraint name="timeout" connectionTimeout="{timeout_ms}"
                        readTimeout="{timeout_ms}"/>
  </timeout-constraints>
  <resolvers>
    <ibiblio name="repository" m2compatible="true" usepoms="false"
             timeoutConstraint="timeout"{root}/>
  </resolvers>
</ivysettings>
"""
_MODULE = """<ivy-module version="2.0">
  <info organisation="crossfade" module="jars"/>
  <configurations><conf name="broker"/><conf name="spark"/></configurations>
  <dependencies>
{dependencies}
  </dependencies>
</ivy-module>
"""
_DEPENDENCY = """    <dependency org="{jar.organisation}" name="{jar.module}" rev="{jar.revision}" \
conf="{jar.jar_set}->default" transitive="false"><artifact name="{jar.module}" type="jar" \
ext="jar"/></dependency>"""


def pyspark_jars() -> Path:
    """Return the folder of the jars inside pyspark, without importing pyspark.

    Raises:
        MachineError: pyspark or its jars are not installed, or PYTHONPATH has another pyspark.
    """
    require_own_packages()
    spec = find_spec("pyspark")
    folder = Path(spec.origin).parent / "jars" if spec and spec.origin else None
    if folder is None or not folder.is_dir():
        what = "pyspark is not installed with its jars."
        raise MachineError(what, "Run scripts/setup, or pip install crossfade again.")
    return folder


def download_jars(
    jars: Sequence[Jar], folder: Path, mirror: str, *, timeout_ms: int = _TIMEOUT_MS
) -> Generator[tuple[Jar, Path], None, None]:
    """Download jars into a folder; yield each jar and its path when it is complete.

    The caller checks the hashes, and removes what Ivy leaves in the folder.

    Args:
        jars: what to download.
        folder: an existing folder that is used for nothing else.
        mirror: root of a Maven repository; empty: the one that Ivy uses by default.
        timeout_ms: how long a server may be silent.

    Raises:
        MachineError: a jar cannot be downloaded; names Ivy's reason.
    """
    root = f" root={quoteattr(mirror)}" if mirror else ""
    settings, module, options = (folder / n for n in ("settings.xml", "ivy.xml", "java.options"))
    chosen = {"folder": quoteattr(str(folder)), "root": root, "timeout_ms": timeout_ms}
    settings.write_text(_SETTINGS.format(**chosen), "utf-8")
    dependencies = "\n".join(_DEPENDENCY.format(jar=jar) for jar in jars)
    module.write_text(_MODULE.format(dependencies=dependencies), "utf-8")
    options.touch(mode=0o600)
    options.write_text("\n".join(proxy_options()), "utf-8")
    command = [
        *(str(find_java().executable), "-Xmx128m", f"@{options}"),
        *(*common_options(folder), home_option(folder)),
        *("-jar", str(_ivy_jar()), "-settings", str(settings), "-ivy", str(module)),
    ]
    waiting = {(jar.organisation, jar.module, jar.revision): jar for jar in jars}
    reasons = []
    with subprocess.Popen(
        command,
        env=inherited_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as ivy:
        try:
            for line in ivy.stdout or ():
                if done := _DONE.search(line):
                    jar = waiting.pop((done[1], done[2], done[3]))
                    yield jar, folder / "files" / f"{jar.module}-{jar.revision}.jar"
                elif _PROBLEM.search(line):
                    reasons.append(line.strip())
            if ivy.wait() or waiting:
                raise _not_fetched(next(iter(waiting.values()), jars[0]), len(waiting), reasons)
        finally:
            ivy.kill()


def proxy_options() -> list[str]:
    """Return Java's options for http_proxy, https_proxy and no_proxy.

    Raises:
        MachineError: an address of a proxy is not one.
    """
    proxies = getproxies()
    options = []
    for scheme in ("http", "https"):
        text = proxies.get(scheme, "")
        address = urlsplit(text if "://" in text else f"//{text}")
        if not address.hostname:
            continue
        try:
            port = address.port or 80
        except ValueError:
            what = f"{scheme}_proxy is {text}, whose port is not a number."
            raise MachineError(what, "Correct it, such as http://proxy.example:3128.") from None
        options += [f"-D{scheme}.proxyHost={address.hostname}", f"-D{scheme}.proxyPort={port}"]
        if address.username:
            options += [
                f'"-Dhttp.proxyUser={_quoted(address.username)}"',
                f'"-Dhttp.proxyPassword={_quoted(address.password or "")}"',
                "-Djdk.http.auth.tunneling.disabledSchemes=",
            ]
    if options and (direct := os.environ.get("no_proxy") or os.environ.get("NO_PROXY")):
        hosts = [host.strip() for host in direct.split(",") if host.strip()]
        names = [f"*{host}" if host.startswith(".") else host for host in hosts]
        options.append(f'"-Dhttp.nonProxyHosts={"|".join(names)}"')
    return options


def _quoted(text: str) -> str:
    return unquote(text).replace("\\", "\\\\").replace('"', '\\"')


def _ivy_jar() -> Path:
    jars = sorted(pyspark_jars().glob("ivy-*.jar"))
    if not jars:
        what = f"pyspark ships no Ivy in {pyspark_jars()}."
        raise MachineError(what, "Run scripts/setup again.")
    return jars[-1]


def _not_fetched(jar: Jar, missing: int, reasons: list[str]) -> MachineError:
    reason = f": {reasons[0]}" if reasons else ""
    return MachineError(f"Cannot fetch {missing} jars, {jar.coordinates} first{reason}.", _CURE)
