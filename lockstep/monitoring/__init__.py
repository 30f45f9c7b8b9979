"""What the platform says of itself: freshness of views, state of tables, models and the ledger."""
