"""The process that parses reports: a JSON line `[sender, content in base64]` in, a line `[status, why]` out.

The kernel ends this process when a report exceeds its CPU limit: even inside a regular expression, and even
without a parent. The limit is CPU, not time, so that a busy host does not make an honest report hostile.
"""

import json
import signal
import sys
from base64 import b64decode

from mailer.bounce import read_report


def main(cpu_seconds: float) -> None:
    """Answer requests until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the worker, which closes our input
    for line in sys.stdin.buffer:
        sender, content = json.loads(line)
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
        report = read_report(b64decode(content), sender)
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(json.dumps([report.status, report.why]), flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]))
