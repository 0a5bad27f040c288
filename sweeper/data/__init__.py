"""Sources, splits and preprocessing: from a file to arrays, without torch."""
