"""Windows once more, in SQL over raw events: the oracle beside both stores."""
