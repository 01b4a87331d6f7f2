"""Sweeps over flags of the command, with Optuna; see docs/ablations.md."""
