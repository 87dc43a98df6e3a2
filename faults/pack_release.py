"""Makes the small folder of this release that later ones must open; run it once for a release.

    .venv/bin/python -m faults.pack_release

It writes `faults/old_release/VERSION.tar.xz`: a stack's folder as `make_template` makes it,
but of few plays, with Kafka's own data in it and records that nothing has read yet.
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
    """Run a small stack, stop it, pack its folder, and give the archive."""
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
    """Leave out whose machine it was."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


if __name__ == "__main__":
    made = pack_release()
    sys.stdout.write(f"{made}: {made.stat().st_size:,} bytes\n")
