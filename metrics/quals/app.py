"""The start of the metric's Space, which runs this file as a script; ``quals app`` serves the same page."""

import sys
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path

if __name__ == "__main__":
    # The folder is not a package there, and beside this file lies quals.py: make the folder the package quals.
    spec = ModuleSpec("quals", None, is_package=True)
    spec.submodule_search_locations = [str(Path(__file__).resolve().parent)]
    sys.modules["quals"] = module_from_spec(spec)
    from quals.page import launch

    launch()
