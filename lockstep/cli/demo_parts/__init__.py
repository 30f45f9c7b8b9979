"""The pieces of `lockstep demo`: commands as typed, a running API, the proof."""
