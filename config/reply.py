"""The answer of a process that `config.child` has started."""

import os
import pickle
import sys


def reply(answer: object) -> None:
    """Write the answer to standard output. The parent may have been killed, and then needs none."""
    try:
        pickle.dump(answer, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os._exit(1)  # at its end the interpreter would write again, and report an error
