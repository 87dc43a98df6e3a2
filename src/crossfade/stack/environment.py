"""The environment of the processes that we start: without what is meant for other programs.

A shell often has variables of another Spark, Hadoop or Java. They would change what ours read, load
or compute, or keep them from starting. Java's options can be given in JDK_JAVA_OPTIONS.
"""

import os
import re
from collections.abc import Mapping

_FOREIGN = re.compile(
    "(_?PY|_)?SPARK_.*|(HADOOP|YARN|HIVE|LOG4J|DELTA)_.*"
    # Spark reads these of a YARN container or of spark-submit.
    "|CONTAINER_ID|LOCAL_DIRS|MASTER|DEPLOY_MODE"
    # They override our options of Java, which JDK_JAVA_OPTIONS does not.
    "|CLASSPATH|JAVA_TOOL_OPTIONS|_JAVA_OPTIONS"
    # Spark is started by scripts of bash, which obeys these.
    "|BASH_ENV|SHELLOPTS|BASHOPTS|CDPATH"
    # pyspark refuses to work with it.
    "|ARROW_PRE_0_15_IPC_FORMAT"
)
_OF_A_CLUSTER = (
    *("HADOOP_CONF_DIR", "YARN_CONF_DIR", "SPARK_CONF_DIR"),
    *("HADOOP_USER_NAME", "HADOOP_TOKEN_FILE_LOCATION"),
)
_OURS = {
    # Under a plain C locale, Java cannot open paths outside ASCII.
    "LC_ALL": "C.UTF-8",
    # Without it, `python -m` imports modules of the working directory before all others.
    "PYTHONSAFEPATH": "1",
}


def list_foreign_variables() -> list[str]:
    """Return the names of the variables that no process of ours inherits."""
    return sorted(name for name in os.environ if _FOREIGN.fullmatch(name))


def inherited_environment() -> dict[str, str]:
    """Return this process's environment as the processes that it starts inherit it."""
    inherited = {name: text for name, text in os.environ.items() if not _FOREIGN.fullmatch(name)}
    return inherited | _OURS


def is_local(master: str) -> bool:
    """Check whether a Spark master stands for threads of the driver's own process."""
    return not master or master.startswith("local")


def cluster_variables(master: str) -> dict[str, str]:
    """Return the variables with which a driver finds the cluster that `master` names."""
    if is_local(master):
        return {}
    return {name: os.environ[name] for name in _OF_A_CLUSTER if name in os.environ}


def clean_environment(variables: Mapping[str, str]) -> None:
    """Change this process's environment to the inherited one and some variables.

    pyspark reads it, and passes it on to Java and to the Python workers.
    """
    for name in list_foreign_variables():
        del os.environ[name]
    os.environ.update(_OURS | dict(variables))
