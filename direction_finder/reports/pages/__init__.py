"""Write pages: one HTML file for a run, and one for all runs."""
