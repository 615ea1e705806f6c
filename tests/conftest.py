"""What every test may ask for."""

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from hypothesis import settings

pytest_plugins = ["gateway.testing.plugin", "pytester"]

settings.register_profile("gateway", deadline=None)  # no test may depend on how fast the machine is
settings.load_profile("gateway")


@pytest.fixture(scope="session")
def gateway_data() -> Path:
    """The folder of recorded EKGs and sample files, which lives beside the project, not in it."""
    folder = Path(os.environ.get("GATEWAY_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if folder.is_dir():
        return folder
    reason = f"no recorded data at {folder}; set GATEWAY_DATA to the folder that holds it"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@dataclass
class Certificates:
    """An authority of the test's own, and what it signs, as PEM files in a folder."""

    folder: Path
    authority: trustme.CA = field(default_factory=trustme.CA)

    @property
    def ca(self) -> Path:
        file = self.folder / "ca.pem"
        self.authority.cert_pem.write_to_path(str(file))
        return file

    def issue(self, name: str, *names: str, days: float = 365, authority: trustme.CA | None = None) -> Path:
        """A file with a key and a certificate for these names, good for so many days from now on."""
        now = datetime.now(UTC)
        file = self.folder / f"{name}.pem"
        (authority or self.authority).issue_cert(
            *names,
            common_name=name,
            not_before=now - timedelta(days=400),
            not_after=now + timedelta(days=days),
        ).private_key_and_cert_chain_pem.write_to_path(str(file))
        return file


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    folder = tmp_path / "certificates"
    folder.mkdir()
    return Certificates(folder)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """In CI nothing may be skipped: a check that did not run is not a check that passed."""
    skipped = terminalreporter.stats.get("skipped", [])
    if os.environ.get("CI") and skipped:
        terminalreporter.write_line(f"{len(skipped)} skipped, and CI runs everything: failed", red=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
