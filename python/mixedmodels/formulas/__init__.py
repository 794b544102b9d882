"""The formula language: text → terms and expressions, evaluated safely on the caller's columns."""
