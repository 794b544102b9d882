"""Estimated marginal means, their contrasts and their reference grid."""
