"""Prediction and simulation at given rows: means, intervals, new responses."""
