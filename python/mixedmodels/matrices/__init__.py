"""Formula + table → y, X, Z: frames, factors, codings, and the spec that new data are read by."""
