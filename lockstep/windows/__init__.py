"""Windows as step functions of time: pure, no I/O, no Feast, no Redis, no clock."""
