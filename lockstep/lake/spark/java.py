"""The Java that Spark would start."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from lockstep.lake.spark.errors import SparkError

_OLDEST = 17
_VERSION = re.compile(r'version "(?:1\.)?(\d+)[^"]*"')


def check_java() -> None:
    """Returns if the Java of JAVA_HOME, else of PATH, can run Spark.

    Raises:
        SparkError: there is none, or it is older than 17.
    """
    java = _java()
    if java is None:
        raise SparkError.no_java()
    answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    found = _VERSION.search(answer.stderr)
    if found is None or int(found[1]) < _OLDEST:
        version = found[0] if found else f"not a Java ({answer.stderr.strip()[:100]})"
        raise SparkError.old_java(java, version)


def _java() -> Path | None:
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    return Path(found) if found else None
