"""Random options of the fraud generator, and what is simulated with them."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st

from lockstep.jobs.generate.fraud import Options, simulate

few = settings(max_examples=40)
sizes = st.builds(
    Options,
    customers=st.integers(1, 25),
    terminals=st.integers(1, 60),
    days=st.integers(1, 45),
    seed=st.integers(0, 10_000),
    radius=st.sampled_from([3.0, 15.0, 150.0]),
    cities=st.integers(1, 3),
)
simulations = sizes.map(simulate)
