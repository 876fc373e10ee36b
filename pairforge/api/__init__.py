"""The functions behind the commands, one file each. `pairforge/__init__.py` lists them and imports them when used."""
