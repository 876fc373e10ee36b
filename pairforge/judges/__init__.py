"""Judges: what scores answers. One file a judge."""
