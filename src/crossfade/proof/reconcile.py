"""The whole proof of a data folder: files, conservation, charts, hand-overs and ledgers."""

from collections.abc import Sequence

from crossfade.clock import DAY_MS, floor_to
from crossfade.contract.ledger import Ledger
from crossfade.folder import DataFolder
from crossfade.kafka.address import KafkaAddress
from crossfade.lake.findings import Reconciliation, Verdict, leave_out
from crossfade.lake.runs import require_run
from crossfade.proof.chart_entries import check_charts
from crossfade.proof.file_check import check_data_files
from crossfade.proof.handover_check import check_handovers
from crossfade.proof.judgement import check_judgement
from crossfade.proof.kafka_copy import SAME_BYTES, check_kafka_copy
from crossfade.proof.ledger_check import check_ledgers
from crossfade.proof.listener_estimates import check_listeners
from crossfade.proof.pinned import open_pinned_lake
from crossfade.proof.positions import check_beginning, check_positions
from crossfade.proof.totals import check_song_names, check_totals


def prove_lake(
    folder: DataFolder, address: KafkaAddress | None, ledgers: Sequence[Ledger] = ()
) -> Reconciliation:
    """Check every law at the newest run's pins, without using any number that a run wrote.

    If a data file is damaged, only the damage is reported: no other number can be right then.

    Args:
        folder: the data folder.
        address: where Kafka is; if None, the checks that need Kafka are reported as not done.
        ledgers: lists of what simulations sent; lake and charts are compared with them.

    Raises:
        LakeError: nothing was published yet, or a ledger's files cannot be read.
        BrokerError: Kafka became unreachable during the proof.
    """
    run = require_run(folder.lake)
    files = check_data_files(folder, run)
    if any(one.verdict is Verdict.UNEXPLAINED for one in files):
        others = leave_out("every other law", "all", "A data file is damaged: restore it first.")
        return Reconciliation(run.run, run.boundary, (*files, others))
    with open_pinned_lake(folder, run) as pinned:
        findings = [*files, check_beginning(pinned), *check_positions(pinned)]
        if address is None:
            findings.append(leave_out(SAME_BYTES, "all", "No stack runs, so Kafka was not read."))
        else:
            findings += check_kafka_copy(pinned, address)
        findings += check_judgement(pinned)
        findings += check_totals(pinned)
        findings.append(check_song_names(pinned))
        findings.append(check_listeners(pinned))
        findings += check_charts(pinned, closed_until=floor_to(run.boundary, DAY_MS))
        findings += check_handovers(pinned, address)
        findings += check_ledgers(pinned, ledgers)
    return Reconciliation(run.run, run.boundary, tuple(findings))
