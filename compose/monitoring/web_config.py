"""Writes what Prometheus and Alertmanager ask visitors for, from a password on standard input.

    python compose/monitoring/web_config.py < prometheus_password > prometheus_web_config.yml

The file holds a bcrypt hash and no password. It is made by the C library's own crypt(3); where that
knows no bcrypt, `htpasswd -nB lockstep` (apache2-utils) prints the same line.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import sys

USER = "lockstep"
_COST = 10
# bcrypt reads no further.
_MOST_BYTES = 72


def bcrypt(password: bytes) -> str:
    """The hash of `password` with a new salt.

    Raises:
        SystemExit: the password is empty or too long, or the C library knows no bcrypt.
    """
    if not 0 < len(password) <= _MOST_BYTES:
        sys.exit(f"the password has {len(password)} bytes, expected 1 to {_MOST_BYTES}")
    name = ctypes.util.find_library("crypt")
    library = ctypes.CDLL(name) if name else None
    if not hasattr(library, "crypt_gensalt"):
        sys.exit(f"the C library knows no bcrypt; run `htpasswd -nB {USER}` (apache2-utils)")
    library.crypt.restype = library.crypt_gensalt.restype = ctypes.c_char_p
    return library.crypt(password, library.crypt_gensalt(b"$2b$", _COST, None, 0)).decode()


if __name__ == "__main__":
    given = sys.stdin.buffer.read().rstrip(b"\r\n")
    sys.stdout.write(f"basic_auth_users:\n  {USER}: {bcrypt(given)}\n")
