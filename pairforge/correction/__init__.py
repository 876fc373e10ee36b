"""What makes of an answer the corrected one: whose name it is, which part of it counts, and what is put in its place."""
