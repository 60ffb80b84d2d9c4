"""Train generators on images, in which directions can then be searched."""
