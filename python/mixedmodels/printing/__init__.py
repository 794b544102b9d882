"""How results look, in text, HTML, markdown and LaTeX, and as whose frames; computes nothing."""
