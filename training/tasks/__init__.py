"""What a model is asked: which of two classes, which of several, or how much of something."""
