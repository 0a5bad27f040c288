"""What is known before compute is spent: baselines."""
