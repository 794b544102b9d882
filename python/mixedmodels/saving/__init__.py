"""Models in files: the container, the records, and models without their rows."""
