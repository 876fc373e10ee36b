"""The report of a run: one HTML page with figures and tables, which executes nothing and asks for nothing."""
