"""The fitted models: the fit itself, what every model has, and the thin methods of each theme."""
