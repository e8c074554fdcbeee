"""Run the fuzzer: ``python -m tests.fuzz [SECONDS]``, 60 by default; half an hour before a release."""

from __future__ import annotations

import logging
import sys

from tests.fuzz.decoders import DECODERS
from tests.fuzz.run import fuzz


def main() -> None:
    """Divide the time among the decoders, and say how many inputs each has got."""
    logging.getLogger("sessile").setLevel(logging.CRITICAL)  # It has much to say of such input.
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    for name in DECODERS:
        print(f"{name}: {fuzz(name, seconds / len(DECODERS))} inputs", flush=True)


main()
