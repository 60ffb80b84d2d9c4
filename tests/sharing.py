"""Run several commands one after the other in each of the processes that `torchrun` starts.

Their arguments are in the file of JSON that the command line names: a list of lists. As many calls of `torchrun` would
give the same results, but take longer to start. The processes join once, because they cannot join again.
"""

import json
import sys
from contextlib import nullcontext
from pathlib import Path

from direction_finder import torchrun
from direction_finder.commands import main

if __name__ == "__main__":
    with torchrun.together():
        torchrun.together = nullcontext
        for words in json.loads(Path(sys.argv[1]).read_text()):
            main.main(words, standalone_mode=False)
