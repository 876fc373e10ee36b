"""What runs the shards of a run: this process, an array of processes, or a Ray cluster."""
