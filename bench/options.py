"""The command line that every script has."""

from __future__ import annotations

import argparse
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    quick: bool

    def rounds(self, usual: int, *, quick: int = 2) -> int:
        return quick if self.quick else usual


def read_options(about: str) -> Options:
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--quick", action="store_true", help="a few rounds: shows that it runs, measures nothing")
    return Options(quick=parser.parse_args().quick)
