"""The root of every error that Lockstep raises on purpose.

A leaf belongs to the package that raises it and gets named constructors that
write the message; this module holds only the root.
"""

from __future__ import annotations


class LockstepError(Exception):
    """A mistake that its reader can mend: what failed, what was got, what to do next.

    The command line prints it in one line and exits with 2; serving maps it to a
    problem document.

    >>> str(LockstepError("no such day", next_step="run `lockstep ingest fraud`"))
    'no such day; run `lockstep ingest fraud`'
    """

    def __init__(self, problem: str, *, next_step: str) -> None:
        self.problem = problem
        self.next_step = next_step
        super().__init__(f"{problem}; {next_step}")
