"""Leverage, influence, checks, quantile residuals, and the comparison of optimisers."""
