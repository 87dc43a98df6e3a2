"""One run of the demo: the stack, an imported year, an audience, the screen and the proof."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.live import Live

from crossfade.cli.api import fetch_answer
from crossfade.cli.demo_screen import DemoScreen, DemoState
from crossfade.cli.demo_summary import DemoSummary, print_summary
from crossfade.cli.options import open_or_create_folder
from crossfade.cli.tables import open_console
from crossfade.cli.waiting import report_step
from crossfade.clock import SECOND_MS, floor_to, now_ms, parse_time
from crossfade.config import Settings
from crossfade.contract.ledger import open_ledger
from crossfade.errors import CrossfadeError, StackError
from crossfade.generator.kafka_sink import KafkaSink
from crossfade.generator.options import Report, SimulationOptions
from crossfade.generator.produce import Simulation
from crossfade.generator.scenario import read_scenario
from crossfade.ingest.delivery import Delivery
from crossfade.ingest.formats import ImportFormat
from crossfade.ingest.importing import import_files
from crossfade.ingest.readers import ImportOptions
from crossfade.ingest.sample import sample_year_path
from crossfade.ingest.sources import find_sources
from crossfade.ingest.tally import Tally
from crossfade.kafka.topics import SONG_PLAYS, read_end_offsets
from crossfade.lake.runs import read_newest_run
from crossfade.proof.reconcile import prove_lake
from crossfade.stack.hold import hold_folder
from crossfade.stack.launch import Stack, prepare_stack
from crossfade.stack.stop_request import StopRequest, stop_on_signals

_SCENARIO = "viral-song"
_LEDGER = "ledger"
_TICK_S = 0.5
_START_WITHIN_MS = 180 * SECOND_MS
_HANDOVER_WITHIN_MS = 180 * SECOND_MS


def run_demo(settings: Settings, *, total_ms: int, rate: int) -> bool:
    """Run the demo and return whether the proof holds; stop everything at the end."""
    folder = open_or_create_folder(settings)
    with stop_on_signals() as request, hold_folder(folder), ThreadPoolExecutor(4) as pool:
        stack = prepare_stack(folder, settings)
        state = DemoState(folder.time_rules.grain_ms, total_ms)
        screen = Live(console=Console(stderr=True), auto_refresh=False, transient=True)
        demo = _Demo(stack, request, pool, state, screen)
        try:
            summary = demo.run(rate)
        finally:
            demo.close()
    print_summary(open_console(), summary)
    return summary.proof.holds


@dataclass
class _Demo:
    """A running demo: its tasks in the background, and what is shown of them."""

    stack: Stack
    request: StopRequest
    pool: ThreadPoolExecutor
    state: DemoState
    live: Live
    end_audience: threading.Event = field(default_factory=threading.Event)
    stop: StopRequest = field(default_factory=StopRequest)
    running: list[Future[object]] = field(default_factory=list)
    audience: Future[object] | None = None
    """The simulation; its ledger is complete when it has ended."""
    _simulated: int = 0

    def run(self, rate: int) -> DemoSummary:
        """Do all steps in order, and draw the screen meanwhile."""
        began = time.monotonic()
        with self.live:
            self._start(self.stack.supervise, self.stop)
            self._show_until("starting Kafka", self._kafka_answers, _START_WITHIN_MS)
            self._start(self._import_year)
            self.audience = self._start(self._simulate, rate)
            self._show_until("starting Spark", lambda: bool(self.state.trending), _START_WITHIN_MS)
            first_window_s = time.monotonic() - began
            self.state.began_ms = now_ms()
            self._show_until("live", self._is_over, self.state.total_ms + _START_WITHIN_MS)
            self.end_audience.set()
            # The last window that certainly holds plays: batch does not publish an empty one.
            target = floor_to(now_ms() - SECOND_MS, self.state.grain_ms) + self.state.grain_ms
            self._show_until(
                "the audience has left; batch takes over the last windows",
                lambda: self.state.boundary >= target,
                _HANDOVER_WITHIN_MS,
            )
            return self._sum_up(first_window_s)

    def close(self) -> None:
        """Ask all tasks in the background to end, also after an error."""
        self.end_audience.set()
        self.stop.asked.set()

    def _sum_up(self, first_window_s: float) -> DemoSummary:
        self._begin("proving every number")
        self._draw()
        if self.audience is not None:
            self.audience.result()
        ask = self._ask
        countries = [row["country"] for row in ask("geography", limit=4)["rows"]]
        return DemoSummary(
            records=self.state.records,
            imported=self.state.imported,
            first_window_s=first_window_s,
            runs=self.state.runs[-1].run if self.state.runs else 0,
            week=ask("charts/songs", week="2019-06-28", limit=3)["rows"],
            month=ask("charts/songs", month="2019-06", limit=3)["rows"],
            artists=ask("charts/artists", month="2018-12", limit=3)["rows"],
            countries={
                country: ask("geography", country=country, limit=2)["rows"]
                for country in countries
                if country != "ZZ"
            },
            proof=prove_lake(
                self.stack.folder,
                self.stack.address,
                [open_ledger(self.stack.folder.root / _LEDGER)],
            ),
        )

    def _show_until(self, step: str, is_over: Callable[[], bool], within_ms: int) -> None:
        """Draw twice a second until a condition holds.

        Raises:
            StackError: it did not hold in time, or the user pressed Ctrl-C.
            CrossfadeError: a task in the background failed.
        """
        self._begin(step)
        deadline = now_ms() + within_ms
        while not is_over():
            self._raise_failure()
            if self.request.asked.is_set():
                what = "Stopped before the proof."
                raise StackError(what, "Nothing is left behind.")
            if now_ms() > deadline:
                what = f"Not done in {within_ms // SECOND_MS} s: {step}."
                raise StackError(what, f"See the logs in {self.stack.folder.logs} (--keep).")
            self._refresh()
            self._draw()
            time.sleep(_TICK_S)

    def _begin(self, step: str) -> None:
        self.state.step = step
        if not self.live.console.is_terminal:
            report_step(step)

    def _refresh(self) -> None:
        """Read what is shown: Kafka's offsets, the newest run, the API's trending and boundary."""
        state = self.state
        before, state.now_ms = state.now_ms, now_ms()
        if not self._kafka_answers():
            return
        records = sum(read_end_offsets(self.stack.address, SONG_PLAYS).values())
        simulated = records - state.imported
        if before and state.imported:
            new = simulated - self._simulated
            state.rates.append(max(0.0, new * SECOND_MS / max(1, state.now_ms - before)))
        self._simulated, state.records = simulated, records
        run = read_newest_run(self.stack.folder.lake)
        if run is not None and (not state.runs or state.runs[-1].run != run.run):
            state.runs.append(run)
        try:
            answer = self._ask("trending", limit=10)
        except CrossfadeError:
            return
        state.trending = answer["rows"]
        state.complete, state.why = answer["complete"], answer["why"]
        if (boundary := answer["boundary"]) is not None:
            state.boundary = parse_time(boundary)

    def _import_year(self) -> None:
        folder = self.stack.folder
        with (
            find_sources([str(sample_year_path())], ImportFormat.SPOTIFY) as sources,
            Tally(folder.lake, None) as tally,
        ):
            import_files(
                sources,
                ImportOptions(user_id="listener"),
                Delivery(self.stack.address),
                tally,
                clock_slack_ms=folder.time_rules.clock_slack_ms,
            )
        self.state.imported = tally.report.accepted

    def _simulate(self, rate: int) -> None:
        scenario = read_scenario(_SCENARIO)
        options = SimulationOptions(rate=float(rate), report=Report.START, scenario=scenario)
        simulation = Simulation(options, is_file=False, ledger=self.stack.folder.root / _LEDGER)
        sink = KafkaSink(self.stack.address, receipts=simulation.ledger)
        self.state.scenario_at_ms = now_ms() + min(spike.at_ms for spike in scenario.spikes)
        self.state.scenario = scenario.title
        simulation.play(sink, until=self.end_audience)

    def _start(self, task: Callable[..., object], *arguments: object) -> Future[object]:
        self.running.append(self.pool.submit(task, *arguments))
        return self.running[-1]

    def _raise_failure(self) -> None:
        for task in self.running:
            if task.done():
                task.result()

    def _kafka_answers(self) -> bool:
        states = {child.name: child.state for child in self.stack.supervisor.state()}
        return states.get("broker") == "running"

    def _is_over(self) -> bool:
        return now_ms() - self.state.began_ms >= self.state.total_ms

    def _ask(self, path: str, **params: str | int) -> dict[str, Any]:
        return fetch_answer(self.stack.api, path, **params)

    def _draw(self) -> None:
        if self.live.console.is_terminal:
            self.live.update(DemoScreen(self.state), refresh=True)
