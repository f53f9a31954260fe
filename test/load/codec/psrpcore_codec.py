"""Reads CLIXML with psrpcore, beside the jobs of main.ts (PYTHONPATH=<psrpcore>/src).

Takes one JSON object per line: {"load": NAME, "file": PATH} with one document per line, then {"run": NAME}, which is
answered by the CPU milliseconds that it took.
"""

import json
import sys
import time
import xml.etree.ElementTree as ET

from psrpcore.types._serializer import deserialize


def main() -> None:
    loaded: dict = {}
    for line in sys.stdin:
        job = json.loads(line)
        if "load" in job:
            with open(job["file"], "rb") as file:
                loaded[job["load"]] = file.read().split(b"\n")
            print(json.dumps({"documents": len(loaded[job["load"]])}), flush=True)
            continue
        started = time.process_time()
        for document in loaded[job["run"]]:
            deserialize(ET.fromstring(document), None)
        print(json.dumps({"ms": (time.process_time() - started) * 1000}), flush=True)


main()
