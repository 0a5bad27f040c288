"""Projections of the ledger for people: MLflow, figures, report, terminal."""
