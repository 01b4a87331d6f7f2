"""Keras models whose `fit` trains them, and callbacks for it."""
