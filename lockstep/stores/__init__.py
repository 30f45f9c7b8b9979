"""Feast plug-ins: offline store, online store, compute engine; the read plan."""

from lockstep.stores.quick_feast import leave_feast_unchecked

leave_feast_unchecked()
