"""Training generators on pictures: what comes before directions are searched."""
