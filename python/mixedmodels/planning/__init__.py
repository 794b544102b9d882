"""Studies before they are run: planned designs and power by simulation."""
