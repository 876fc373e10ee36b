"""python -m pairforge"""

from .cli import main

if __name__ == "__main__":  # a process that multiprocessing starts reads this module, too
    main(prog_name="pairforge")
