"""The report of a run of the fault suite, as a Markdown page and as JSON."""

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from faults.case import Outcome

_SCRATCH = "SCRATCH"


@dataclass(slots=True)
class Row:
    """All outcomes of one case in a run."""

    id: str
    title: str
    outcomes: list[Outcome] = field(default_factory=list)
    failure: str = ""
    not_run: str = ""
    """Why this machine cannot run the case; such a row neither holds nor fails."""

    def summary(self) -> Outcome:
        """Add up the outcomes; of the healing times take the longest."""
        healed = [one.healed_s for one in self.outcomes if one.healed_s is not None]
        return Outcome(
            injected=sum(one.injected for one in self.outcomes),
            lost=sum(one.lost for one in self.outcomes),
            repeated=sum(one.repeated for one in self.outcomes),
            wrong=sum(one.wrong for one in self.outcomes),
            healed_s=max(healed, default=None),
            seen=self._seen(),
        )

    @property
    def holds(self) -> bool:
        """Check whether every outcome holds and nothing else went wrong."""
        return not self.failure and bool(self.outcomes) and all(o.holds for o in self.outcomes)

    @property
    def verdict(self) -> str:
        """Return `holds`, `FAILS` or `not run`."""
        if self.not_run and not self.failure:
            return "not run"
        return "holds" if self.holds else "FAILS"

    def _seen(self) -> str:
        words = [one.seen for one in self.outcomes if one.seen]
        bad = [one.seen for one in self.outcomes if one.seen and not one.holds]
        return self.failure or self.not_run or next(iter([*bad, *words]), "")


@dataclass(slots=True)
class Section:
    """A part of the run: its rows, notes and tables."""

    title: str
    rows: dict[str, Row] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    tables: list[tuple[Sequence[str], Sequence[Sequence[str]]]] = field(default_factory=list)

    def row(self, case_id: str, title: str) -> Row:
        """Return the row of a case; create it if necessary."""
        return self.rows.setdefault(case_id, Row(case_id, title))


@dataclass(slots=True)
class Report:
    """The report of a whole run."""

    command: str
    seed: int
    began: str
    sections: list[Section] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Check whether at least one row was run, and none fails."""
        verdicts = {row.verdict for section in self.sections for row in section.rows.values()}
        return "holds" in verdicts and "FAILS" not in verdicts

    def section(self, title: str) -> Section:
        """Add a section to the report; it is kept even if the run breaks off."""
        self.sections.append(Section(title))
        return self.sections[-1]

    def write(self, path: Path, scratch: Path) -> None:
        """Write the page and the JSON beside it, without the path of the run's scratch folder."""
        path.parent.mkdir(parents=True, exist_ok=True)
        for file, text in (
            (path, self.to_markdown()),
            (path.with_suffix(".json"), self.to_json()),
        ):
            file.write_text(text.replace(str(scratch), _SCRATCH), "utf-8")

    def to_markdown(self) -> str:
        """Return the report as a Markdown page."""
        memory = psutil.virtual_memory().total / 2**30
        lines = [
            "# Fault report",
            "",
            f"`{self.command}`, seed {self.seed}, started {self.began}; "
            f"{psutil.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}, "
            f"Python {platform.python_version()}.",
            "",
            f"**{'Everything holds.' if self.holds else 'Something does not hold: see below.'}** "
            "The oracle counts lost, repeated and wrong records. `recovered in` is the longest "
            "time until everything worked again without manual action. A dash means that no "
            "recovery was needed, or that continuing would be wrong: then the stack refuses to "
            "continue, with the error in the last column. "
            f"Run one case again: `scripts/faults --seed {self.seed} --case ID`.",
        ]
        for section in self.sections:
            lines += ["", f"## {section.title}", ""]
            lines += [f"{note}\n" for note in section.notes]
            if section.rows:
                head = ("case", "what happens", "injected", "lost", "repeated", "wrong")
                rows = [_cells(row) for row in section.rows.values()]
                lines += _table([*head, "recovered in", "verdict", "seen"], rows)
            for head, rows in section.tables:
                lines += ["", *_table(head, rows)]
        return "\n".join(lines) + "\n"

    def to_json(self) -> str:
        """Return the report as JSON."""
        return json.dumps(asdict(self) | {"holds": self.holds}, indent=1) + "\n"


def _cells(row: Row) -> list[str]:
    whole = row.summary()
    healed = "-" if whole.healed_s is None else f"{whole.healed_s:.0f} s"
    counts = (whole.injected, whole.lost, whole.repeated, whole.wrong)
    verdict = "**FAILS**" if row.verdict == "FAILS" else row.verdict
    return [row.id, row.title, *map(str, counts), healed, verdict, _one_line(whole.seen)]


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")[:300]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]
