"""The page: pairs to look at, and answers to judge, in a browser; it is served to this machine alone unless told."""
