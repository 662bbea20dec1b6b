"""What the property tests draw from: digests that are equal, nearly equal or unrelated."""

from __future__ import annotations

from hypothesis import strategies as st

from pure_log import event_digests, flip_bit

# Few, so that equal and nearly equal digests are met all the time.
_SEEDS = event_digests(8)

digests = st.one_of(
    st.sampled_from(_SEEDS),
    st.builds(flip_bit, st.sampled_from(_SEEDS), st.integers(0, 255)),
    st.builds(flip_bit, st.sampled_from(_SEEDS), st.sampled_from([230, 231, 232, 233])),
    st.binary(min_size=32, max_size=32),
)
groups = st.lists(digests, min_size=1, max_size=6)
logs = st.lists(groups, min_size=1, max_size=8)
maps = st.dictionaries(digests, st.integers(0, 2**64 - 2), max_size=24)
