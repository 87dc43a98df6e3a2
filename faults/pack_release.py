"""Make the small data folder of this release that later releases must open; run once a release.

    .venv/bin/python -m faults.pack_release

It writes `faults/old_release/VERSION.tar.xz`: a stack's folder as `make_template` makes it, but
with few plays. It includes Kafka's data and records that no process has read yet.
"""

import sys
import tarfile
import tempfile
from pathlib import Path

import crossfade
from faults.cases_release import RELEASES
from faults.template import Size, make_template

_SMALL = Size(rate=40, seconds=3, past=12, unread=60, songs=5_001, listeners=20_000)
_SEED = 4


def pack_release() -> Path:
    """Run a small stack, stop it, pack its folder, and return the archive's path."""
    archive = RELEASES / f"{crossfade.__version__}.tar.xz"
    RELEASES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "release"
        make_template(folder, _SEED, _SMALL)
        with tarfile.open(archive, "w:xz", preset=9) as packed:
            for path in sorted(folder.iterdir()):
                packed.add(path, path.name, filter=_anonymous)
    return archive


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Remove the owner's ids and names."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


if __name__ == "__main__":
    made = pack_release()
    sys.stdout.write(f"{made}: {made.stat().st_size:,} bytes\n")
