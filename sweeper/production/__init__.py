"""Training a chosen config, and using the model it gave."""
