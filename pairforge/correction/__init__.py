"""What makes of an answer the corrected one: whose name it is, which part counts, and what is put in its place."""
