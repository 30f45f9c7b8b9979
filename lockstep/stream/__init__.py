"""Live: rows come as records of a stream, steps leave while they are fresh."""
