from typing import Any

import numpy as np
from numpy.typing import NDArray

def pack(
    null_is_high: NDArray[np.uint8],
    depths: NDArray[np.int32],
    splits: NDArray[np.void],
    leaves: NDArray[np.float64],
    scale: float,
    bias: float,
) -> Any: ...
def score(model: Any, rows: NDArray[np.float64], out: NDArray[np.float64]) -> None: ...
