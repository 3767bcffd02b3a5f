"""`make setup`: what its tools leave in the folder for temporary files goes with the script."""

import os
import shutil
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "make-venv.sh"
# In place of a Python: it makes an environment whose uv leaves a lock, as the real one does when it builds.
PYTHON = """\
#!/bin/sh
case "$*" in
  *stdlib*) echo "$FAKE" ;;
  *venv*) mkdir -p .venv/bin && cp "$0" .venv/bin/python && cp "$FAKE/uv" .venv/bin/uv ;;
esac
"""
UV = """\
#!/bin/sh
echo "$@" >> "$FAKE/calls"
touch "${TMPDIR:-/tmp}/uv-setuptools-0123456789abcdef.lock"
"""


def test_make_setup_leaves_nothing_in_the_folder_for_temporary_files(tmp_path: Path) -> None:
    clone, fake, scratch = (tmp_path / name for name in ("clone", "fake", "tmp"))
    for folder in (clone / "scripts", fake / "ensurepip" / "_bundled", scratch):
        folder.mkdir(parents=True)
    shutil.copy(SCRIPT, clone / "scripts")
    (clone / "requirements-dev.txt").write_text("one==1\n")
    (fake / "ensurepip" / "_bundled" / "pip-1-py3-none-any.whl").touch()
    for name, text in (("python", PYTHON), ("uv", UV)):
        (fake / name).write_text(text)
        (fake / name).chmod(0o755)
    environment = os.environ | {"PYTHON": str(fake / "python"), "FAKE": str(fake), "TMPDIR": str(scratch)}
    subprocess.run([clone / "scripts" / SCRIPT.name], env=environment, check=True, capture_output=True)
    assert "--editable ." in (fake / "calls").read_text()
    assert list(scratch.iterdir()) == []
