"""``python -m bench.footprint COMMAND …``: one command of engage-sync, then two lines on stderr.

The first is JSON: when each of its events happened first, by the clock that all processes of the host share. The last is
the peak of its memory in KiB.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from sync import telemetry
from sync.cli import main


def peak() -> int:
    """The most resident memory this process ever had, in KiB."""
    status = Path("/proc/self/status")
    if status.exists():
        # Not ru_maxrss: that counts what the process was before it became this program.
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)


if __name__ == "__main__":
    reached: dict[str, float] = {}
    telemetry.listen(lambda name, _: reached.setdefault(name, time.monotonic()) and None)
    code = main(sys.argv[1:])
    print(json.dumps(reached), file=sys.stderr)
    print(peak(), file=sys.stderr)
    sys.exit(code)
