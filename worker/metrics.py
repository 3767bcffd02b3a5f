"""The worker's metrics: draining, recordings, messages."""

from process.metrics import Metrics


class WorkerMetrics(Metrics):
    """The worker's metrics of draining, audio and messages."""

    def __init__(self) -> None:
        super().__init__()
        self.drain_backlog_bytes = self.gauge("drain_backlog_bytes", "Journal not yet in PostgreSQL")
        self.journal_damaged = self.gauge(
            "journal_damaged",
            "Positions in the journal, not yet drained at the start, that could not be read",
        )
        self.dead_letters = self.gauge(
            "dead_letters", "Calls of all nodes that could not become a record, or only an incomplete one"
        )
        self.reconcile_differences = self.gauge(
            "reconcile_differences", "Calls of the last two hours on which CEL, journal and records differ"
        )
        self.reconciled_age_seconds = self.gauge(
            "reconciled_age_seconds",
            "Age of the last comparison of CEL, journal and call records; infinite before the first",
        )
        self.sounds = self.gauge("sounds", "Stored messages and recordings, by state", ["state"])
        self.destructions_overdue = self.gauge(
            "destructions_overdue", "Messages and recordings whose destruction is overdue by a minute or more"
        )
        self.key_residue_seconds = self.gauge(
            "key_residue_seconds",
            "Age of the oldest destroyed key whose epoch key is not overwritten yet",
        )
        self.erasures = self.gauge("erasures", "Callers whose erasure is not finished")
        self.calls_to_anonymise = self.gauge(
            "calls_to_anonymise", "Calls older than their owner's `anonymise_after` that still have numbers"
        )
        self.records_to_destroy = self.gauge(
            "records_to_destroy", "Call records older than their retention that still exist"
        )
        self.backup_age_seconds = self.gauge(
            "backup_age_seconds", "Age of the newest complete backup; infinite while there is none"
        )
        self.messages = self.gauge("messages", "Messages that are not destroyed, by state", ["state"])
        self.mails = self.counter("mails", "Attempts to deliver a mail, by result", ["result"])
        for result in ("accepted", "deferred", "refused", "unbuildable"):
            self.mails.labels(result)
