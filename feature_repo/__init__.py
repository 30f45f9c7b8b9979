"""What the features are, as Feast objects."""

import lockstep.stores  # noqa: F401 - makes the import of Feast quick, which comes after
