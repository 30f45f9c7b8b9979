from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

def fill(
    answers: Sequence[Sequence[bytes | None]],
    t_us: Sequence[int],
    horizons: Sequence[int | None],
    layout: bytes,
    values: NDArray[np.float64],
    codes: NDArray[np.uint8],
    events: NDArray[np.int64],
) -> Sequence[int]: ...
def versions(
    answers: Sequence[Sequence[bytes | None]], out: NDArray[np.int64]
) -> Sequence[int]: ...
