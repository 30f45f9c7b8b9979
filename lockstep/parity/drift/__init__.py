"""Whether what is served is still like what the model was trained on."""
