"""Shares of variance: ICC, R² and the parts they are made of."""
