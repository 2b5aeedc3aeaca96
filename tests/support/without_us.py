"""What a process runs first that must not see the packages of this repository, as a Space does not."""

WITHOUT_US = """
import json, sys
from importlib.machinery import PathFinder

class WithoutUs(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name in ("quals", "trainer_ext") else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = WithoutUs
try:
    import quals
except ModuleNotFoundError:
    pass
else:
    raise SystemExit("the package can be imported")
"""
