"""What is known before compute is spent: baselines, and checks of the data, the model, the training and the space."""
