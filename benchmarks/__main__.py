"""``python -m benchmarks [NAME ...]``: every benchmark, or those named; figures as ratios within one run."""

import importlib
import pkgutil
import sys

import benchmarks


def main(names: list[str]) -> None:
    known = [module.name for module in pkgutil.iter_modules(benchmarks.__path__) if module.name != "__main__"]
    unknown = sorted(set(names) - set(known))
    if unknown:
        sys.exit(f"benchmarks: no {', '.join(unknown)}; there are {', '.join(known)}")
    for name in names or known:
        print(f"\n{name}")
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main(sys.argv[1:])
