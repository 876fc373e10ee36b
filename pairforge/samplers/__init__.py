"""Samplers: where answers come from. One file a sampler."""
