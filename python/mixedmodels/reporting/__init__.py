"""What is shown of a model: summaries, tables, reports, comparisons, and their formats."""
