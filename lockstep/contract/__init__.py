"""What training and serving must share: statuses, the clock, model input, the predictor."""
