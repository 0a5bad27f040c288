"""The study: samples configs, judges reports, does nothing else."""
