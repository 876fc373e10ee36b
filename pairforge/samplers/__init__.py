"""Samplers: the sources of answers."""
