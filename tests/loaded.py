"""What a child has at birth: see `tests.children`."""

from tests.children import load_everything

load_everything()
