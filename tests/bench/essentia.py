"""essentia's MusicExtractor on one file, in a process of its own: `PYTHON tests/bench/essentia.py FILE`.

Nothing else is imported, so that PYTHON may be that of another environment. Prints one JSON object: CPU seconds with
its own decoding, without the import, and the most memory that the process had, in MiB.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    # This file's folder comes first in the path, and this file has the package's name.
    sys.path.pop(0)
    import essentia
    from essentia import standard

    essentia.log.warningActive = essentia.log.infoActive = False
    extractor = standard.MusicExtractor()
    start = time.process_time()
    extractor(sys.argv[1])
    seconds = time.process_time() - start
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024
    print(json.dumps({"seconds": seconds, "peak_mib": peak}))
