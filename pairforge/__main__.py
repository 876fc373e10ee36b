"""python -m pairforge"""

from .cli import main

main(prog_name="pairforge")
