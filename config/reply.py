"""The answer of a process that `config.child` has started."""

import os
import pickle
import sys
from typing import NoReturn


def reply(answer: object) -> NoReturn:
    """Write the answer to standard output, and end. The parent may have been killed, and then needs none.

    At an ordinary end the interpreter would take apart all that was read: 0.1 s for 10,000 numbers.
    """
    try:
        pickle.dump(answer, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        os._exit(1)
    os._exit(0)
