"""Generators and directions in, numbers out; one measure a file."""
