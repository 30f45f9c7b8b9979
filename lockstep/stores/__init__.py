"""Feast plug-ins: offline store, online store, compute engine; the read plan."""
