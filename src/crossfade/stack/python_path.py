"""A check that PYTHONPATH does not replace installed packages, such as pyspark by an older one."""

import os
import pkgutil
import sys
import sysconfig
from pathlib import Path

from crossfade.errors import MachineError


def require_own_packages() -> None:
    """Check that no folder of PYTHONPATH has a package that is also installed with Crossfade.

    Such a folder comes first. Other folders, such as a checkout's, change nothing and are kept.

    Raises:
        MachineError: names the package and the folder.
    """
    installed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    folders = [
        folder
        for folder in filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
        if not any(Path(folder).absolute() == Path(own) for own in installed)
    ]
    if not folders:
        return
    own = {module.name for module in pkgutil.iter_modules(installed)} | sys.stdlib_module_names
    for folder in folders:
        shadowing = sorted(own & {module.name for module in pkgutil.iter_modules([folder])})
        if shadowing:
            named = "pyspark" if "pyspark" in shadowing else shadowing[0]
            what = f"PYTHONPATH has {folder}, whose {named} comes before the installed one."
            raise MachineError(what, "Take that folder out of PYTHONPATH (unset PYTHONPATH).")
