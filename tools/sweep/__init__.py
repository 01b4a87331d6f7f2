"""Sweeps over flags of the command, by Optuna; see docs/ablations.md."""
