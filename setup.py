"""What pyproject.toml cannot say: setuptools packs what an earlier build left in build/, and pip builds here.

Without this, modules and migrations that were removed from the product would be installed again.
"""

from pathlib import Path
from shutil import rmtree

from setuptools import setup

rmtree(Path(__file__).with_name("build"), ignore_errors=True)
setup()
