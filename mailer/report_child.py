"""The process that reads reports: one JSON line `[sender, content in base64]` in, one `[news, why]` out.

A report that costs more CPU than it may ends this process, by the kernel: also where no parent is left to end
it, and inside a regular expression. CPU, not time, so that a busy host makes no honest report a hostile one.
"""

import json
import signal
import sys
from base64 import b64decode

from mailer.bounce import read_report


def main(cpu_seconds: float) -> None:
    """Answer until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the worker, which closes our input
    for line in sys.stdin.buffer:
        sender, content = json.loads(line)
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
        report = read_report(b64decode(content), sender)
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(json.dumps([report.news, report.why]), flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]))
