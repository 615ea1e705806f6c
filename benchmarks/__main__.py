"""``python -m benchmarks [NAME ...]``: every benchmark, or those named; figures as ratios within one run."""

import importlib
import pkgutil
import sys

import benchmarks


def main(names: list[str]) -> None:
    modules = pkgutil.iter_modules(benchmarks.__path__)
    known = [module.name for module in modules if not module.ispkg and module.name != "__main__"]
    unknown = sorted(set(names) - set(known))
    if unknown:
        sys.exit(f"benchmarks: no {', '.join(unknown)}; there are {', '.join(known)}")
    for name in names or known:
        print(f"\n{name}")
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main(sys.argv[1:])
