"""Start cases: a file of the lake is damaged, gone or torn."""

from pathlib import Path

import pyarrow.parquet as pq

from faults.case import Case, Outcome
from faults.damage import empty, flip_byte, remove_sum, tear_off
from faults.lake_image import Image, live_files, newest_run, published_image, take_image, version_of
from faults.outcomes import also, both, refused, settle
from faults.place import Place
from faults.template import on_copy

_BRONZE, _SILVER, _RUN = "bronze/song_plays", "silver/plays", "gold/run"


def _new_bronze_flipped(place: Place) -> Outcome:
    """Flip a byte of a record that batch has not taken in yet."""
    before = _archive_all(place)
    path = _new_bronze(place)
    injected = _flip_in_column(place, path, "value")
    return _batch_names(place, path, injected, before)


def _new_bronze_gone(place: Place) -> Outcome:
    before = _archive_all(place)
    path = _new_bronze(place)
    path.unlink()
    remove_sum(path)
    return _batch_names(place, path, 1, before)


def _silver_flipped(place: Place) -> Outcome:
    """Flip a byte of a play's id in a file that the next run must read."""
    before = _archive_all(place)
    month = max(path.parent for path in live_files(place.data, _SILVER))
    files = [path for path in live_files(place.data, _SILVER) if path.parent == month]
    path = max(files, key=lambda one: one.stat().st_size)
    whole = path.read_bytes()
    # A disk that changes a byte leaves the file of checksums beside it as it is.
    injected = _flip_in_column(place, path, "event_id", keep_sum=True)
    outcome = _batch_names(place, path, injected, {**before, **_image_of(place, path)})
    path.write_bytes(whole)
    return both([outcome, settle(place, injected=injected, said="exact once it was put back")])


def _old_bronze_flipped(place: Place) -> Outcome:
    """Flip a byte of a record that batch took in long ago: the proof must find it."""
    path = max(live_files(place.data, _BRONZE), key=lambda one: one.stat().st_size)
    injected = _flip_in_column(place, path, "value")
    place.kafka()
    proof = place.run("reconcile", "--json")
    said = proof.last_line or "the proof does not hold"
    names_it = path.name in proof.said + proof.answer.read_text("utf-8", "replace")
    wrong = int(proof.exit_code == 0) + int(not names_it)
    return Outcome(injected=injected, wrong=wrong, said=f"reconcile: {said}")


def _archive_all(place: Place) -> Image:
    place.catch_up("archive")
    return take_image(place.data, "silver", "gold")


def _new_bronze(place: Place) -> Path:
    """Return the largest file of bronze that the newest run does not cover."""
    _, pins = newest_run(place.data)
    known = set(live_files(place.data, _BRONZE, pins[_BRONZE]))
    new = [path for path in live_files(place.data, _BRONZE) if path not in known]
    return max(new, key=lambda path: path.stat().st_size)


def _flip_in_column(place: Place, path: Path, column: str, *, keep_sum: bool = False) -> int:
    """Flip a byte in the middle of a column's data; give 1 if the file differs then."""
    group = pq.ParquetFile(path).metadata.row_group(0)
    [chunk] = [
        group.column(number)
        for number in range(group.num_columns)
        if group.column(number).path_in_schema == column
    ]
    first = chunk.dictionary_page_offset if chunk.has_dictionary_page else chunk.data_page_offset
    size = path.stat().st_size
    middle = first + chunk.total_compressed_size // 2
    whole = path.read_bytes()
    within = ((middle - 1) / size, (middle + 2) / size)
    flip_byte(path, place.dice, within=within, keep_sum=keep_sum)
    return int(path.read_bytes() != whole)


def _image_of(place: Place, path: Path) -> Image:
    name = str(path.relative_to(place.data / "datalake"))
    return {name: take_image(place.data)[name]}


def _batch_names(place: Place, path: Path, injected: int, before: Image) -> Outcome:
    """Run batch: it must stop, name the file, and publish nothing."""
    run = newest_run(place.data)
    stopped = place.run("batch", "--once")
    outcome = refused(place, stopped, path.name, injected=injected, before=None)
    is_same = newest_run(place.data) == run
    outcome = also(outcome, is_so=is_same, otherwise="a run was published")
    published = {k: v for k, v in take_image(place.data, "silver", "gold").items() if k in before}
    return also(outcome, is_so=published == dict(before), otherwise="published files changed")


def _publication_empty(place: Place) -> Outcome:
    """Empty the commit that published the newest run: it was never published, or is named."""
    run, _ = newest_run(place.data)
    version = version_of(place.data, _RUN)
    empty(place.data / "datalake" / _RUN / "_delta_log" / f"{version:020}.json")
    asked = place.run("chart", "songs", "--all-time", "--json")
    reader = Outcome(injected=1, wrong=int("Traceback" in asked.said), said=asked.last_line[:200])
    outcome = settle(place, injected=1, said="published anew")
    again, _ = newest_run(place.data)
    outcome = also(outcome, is_so=again >= run, otherwise=f"run {run} did not come back")
    return both([reader, outcome])


def _publication_torn(place: Place) -> Outcome:
    """Tear the row of the newest run: no reader may see half of it, and batch must name it."""
    image = published_image(place.data)
    newest = max(live_files(place.data, _RUN), key=lambda path: path.stat().st_mtime)
    whole = newest.read_bytes()
    tear_off(newest, 0.5)
    injected = int(newest.read_bytes() != whole)
    before = take_image(place.data, "silver", "gold")
    place.kafka()
    asked = place.run("chart", "songs", "--all-time", "--json")
    stopped = place.run("batch", "--once")
    outcomes = [
        refused(place, one, "gold/run", injected=injected, before=None) for one in (asked, stopped)
    ]
    is_same = take_image(place.data, "silver", "gold") == before
    outcomes[1] = also(outcomes[1], is_so=is_same, otherwise="batch wrote")
    newest.write_bytes(whole)
    is_back = published_image(place.data) == image
    outcomes[0] = also(outcomes[0], is_so=is_back, otherwise="published files changed")
    return both([*outcomes, settle(place, injected=injected, said="exact once it was put back")])


CASES = (
    Case("F54-commit", "torn publication: an empty commit", "start", on_copy(_publication_empty)),
    Case("F54-row", "torn publication: half a row", "start", on_copy(_publication_torn)),
    Case("F56-bronze", "byte flipped in bronze", "start", on_copy(_new_bronze_flipped)),
    Case("F56-bronze-old", "byte flipped in old bronze", "start", on_copy(_old_bronze_flipped)),
    Case("F56-silver", "byte flipped in silver", "start", on_copy(_silver_flipped)),
    Case("F57-bronze", "a file of bronze gone", "start", on_copy(_new_bronze_gone)),
)
