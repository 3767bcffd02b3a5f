"""The worker's metrics: draining, recordings, messages."""

from process.metrics import Metrics


class WorkerMetrics(Metrics):
    """What the worker tells of draining, of sounds, and of messages."""

    def __init__(self) -> None:
        super().__init__()
        self.drain_backlog_bytes = self.gauge("drain_backlog_bytes", "Journal not yet in PostgreSQL")
        self.journal_damaged = self.gauge(
            "journal_damaged", "Places of the journal, not yet drained at the start, that could not be read"
        )
        self.dead_letters = self.gauge(
            "dead_letters", "Calls that could not become a record, or not a whole one, of all nodes"
        )
        self.reconcile_differences = self.gauge(
            "reconcile_differences", "Calls of the last two hours of which CEL, journal and records differ"
        )
        self.sounds = self.gauge("sounds", "Messages and recordings in being, by their state", ["state"])
        self.destructions_overdue = self.gauge(
            "destructions_overdue", "Sounds that should have been destroyed a minute ago or more"
        )
        self.key_residue_seconds = self.gauge(
            "key_residue_seconds",
            "How long the oldest destroyed key has been waiting for its epoch key to be overwritten",
        )
        self.messages = self.gauge("messages", "Messages that are not destroyed, by their state", ["state"])
        self.mails = self.counter("mails", "Attempts to hand a mail over, by what came of them", ["result"])
        for result in ("accepted", "deferred", "refused", "unbuildable"):
            self.mails.labels(result)
