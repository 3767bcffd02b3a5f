"""The checks, in the order in which they are reported."""

from cli.doctor import carriers, clock, files, mail, network, processes, stored, telephony, units
from cli.doctor.examination import Check

CHECKS = (
    Check("units", units.units, "units run and start with the host", installed=True),
    Check("versions", units.versions, "the running Asterisk is the installed one", installed=True),
    Check("credentials", files.credentials, "passwords are there, for root alone", installed=True),
    Check("folders", files.folders, "folders are there, and closed to others", installed=True),
    Check("disk", files.disk, "there is room for calls"),
    Check("spool", files.spool, "no plain audio stays"),
    Check("cel", files.cel, "CEL is rotated"),
    Check("clock", clock.clock, "the clock is synchronised"),
    Check("engine", processes.engine, "the engine is ready"),
    Check("worker", processes.worker, "the worker is ready"),
    Check("metrics", processes.metrics, "nothing waits, nothing is lost, the backup is recent"),
    Check("routing", processes.routing, "the routing folder has no error"),
    Check("database", stored.database, "the database is reachable"),
    Check("schema", stored.schema, "the schema is that of this version"),
    Check("roles", stored.roles, "the worker's role has its rights, and no more", installed=True),
    Check("keys", stored.keys, "the master key opens every key"),
    Check("store", stored.store, "the object store stores and deletes", seconds=20),
    Check("audit", units.audit, "the nightly audit is on, and found nothing", installed=True),
    Check("asterisk", telephony.asterisk, "Asterisk is fit for calls"),
    Check("alive", telephony.alive, "the dialplan knows that the engine lives"),
    Check("fallback", telephony.fallback, "Asterisk has the fallbacks of the routing"),
    Check("limits", telephony.limits, "no load average refuses calls"),
    Check(
        "descriptors",
        telephony.descriptors,
        "Asterisk may open as many files as its calls need",
        installed=True,
    ),
    Check("priority", units.priority, "Asterisk has real-time priority", installed=True),
    Check("trunk", telephony.trunk, "the carrier answers", installed=True),
    Check("carriers", carriers.carriers, "Asterisk has what the carriers' files need"),
    Check(
        "registrations", carriers.registrations, "carriers have accepted our registrations", installed=True
    ),
    Check("certificates", carriers.certificates, "certificates of SIP over TLS are valid"),
    Check("ports", network.strangers, "only SIP and RTP are open to strangers", installed=True),
    Check("sender", mail.sender, "mails have a sender, and bounces arrive"),
    Check("mx", mail.mx, "the sender's domain accepts mail", installed=True),
    Check("spf", mail.spf, "the sender's domain has SPF", installed=True),
    Check("reverse", mail.reverse, "the host's address has its name", installed=True),
    Check("smarthost", mail.smarthost, "the smarthost takes mail over TLS", seconds=20),
)
