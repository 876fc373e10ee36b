"""The options of every command, each declared once: a dataclass field with its default and its help.

A function of the api takes these fields as its keyword arguments, the command line makes its options from them
(`cli/commands.py`), and `docs/options.md` lists them; `declaration.py` has what a declaration is. Options that several
commands share are in a class of their own; its `heading` is what `--help` puts above them.
"""
