"""What the wheel holds: the packages, and with them the examples that `wattledger demo` reads."""

from setuptools import find_packages, setup

PACKAGES = (
    "tariffs",
    "ledger",
    "ingest",
    "projections",
    "roaming_ocpi",
    "deploy",
    "wattledger_client",
)

setup(
    packages=[
        *find_packages(include=[name + ending for name in PACKAGES for ending in ("", ".*")]),
        "deploy.examples",
    ],
    # In the checkout the examples stand where people look for them; pyproject.toml cannot say that
    # beside a search for packages, which is why this file is there.
    package_dir={"deploy.examples": "examples"},
)
