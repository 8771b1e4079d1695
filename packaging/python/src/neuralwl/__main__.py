"""``python -m neuralwl ...`` is ``nwl ...``, also where its folder is not in PATH."""

import os
import sys

from .program import find_program

if __name__ == "__main__":
    program = str(find_program())
    os.execv(program, [program, *sys.argv[1:]])
