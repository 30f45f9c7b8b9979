"""What is measured, against whom, and the last dated results."""
