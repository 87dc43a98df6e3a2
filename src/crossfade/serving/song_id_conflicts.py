"""Song ids that different songs share, because two sources use the same ids."""

from collections import defaultdict

from crossfade.contract.identities import derive_song_id
from crossfade.lake.tables import GOLD_SONG_DAY
from crossfade.serving.answers import Answer
from crossfade.serving.snapshot import Snapshot, scan_sql

_EXAMPLES = 5


def find_song_id_conflicts(snapshot: Snapshot) -> Answer:
    """Count the song ids with plays of more than one title or artist, and name the first few.

    Names are compared as derived song ids are: case and white space make no difference.
    """
    files = [path for path, _ in snapshot.files[GOLD_SONG_DAY.name]]
    if not files:
        return {"count": 0, "examples": []}
    days = scan_sql(GOLD_SONG_DAY)
    with snapshot.cursor() as cursor:
        rows = cursor.execute(
            f"WITH suspects AS (SELECT song_id FROM {days} GROUP BY song_id "
            "HAVING min(title) < max(title) OR min(artist) < max(artist)) "
            f"SELECT DISTINCT song_id, artist, title FROM {days} "
            "SEMI JOIN suspects USING (song_id)",
            [files, files],
        ).fetchall()
    songs: dict[str, set[str]] = defaultdict(set)
    for song_id, artist, title in rows:
        songs[song_id].add(derive_song_id(artist, title))
    shared = sorted(song_id for song_id, names in songs.items() if len(names) > 1)
    return {"count": len(shared), "examples": shared[:_EXAMPLES]}
