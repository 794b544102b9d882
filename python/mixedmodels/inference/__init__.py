"""Tests, degrees of freedom, intervals, profiles and the bootstrap."""
