"""Measure generators and directions; one metric per file."""
