"""A folder of fixtures becomes tests."""

import shutil
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Somebody's project with drivers, fixtures and nothing else."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    shutil.copytree(HERE / "drivers", pytester.path / "drivers")
    shutil.copytree(HERE / "sessions", pytester.path / "captures")
    pytester.makepyprojecttoml("""
        [tool.pytest.ini_options]
        gateway_fixtures = ["captures"]
        gateway_drivers = "drivers"
    """)
    return pytester


def run(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return project.runpytest_inprocess("-p", "gateway.testing.plugin", *arguments)


def test_every_fixture_is_tested_by_every_check(project: pytest.Pytester):
    result = run(project, "-v")
    result.assert_outcomes(passed=36)
    result.stdout.fnmatch_lines_random(
        ["captures/ear_temperature.toml::in-pieces PASSED*", "captures/cuff.toml::emits PASSED*"]
    )


def test_a_difference_is_a_failure_that_names_it(project: pytest.Pytester):
    fixture = project.path / "captures" / "height.toml"
    fixture.write_text(fixture.read_text(encoding="utf-8").replace("1.72", "1.73"), encoding="utf-8")
    result = run(project, "captures/height.toml::expected")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["reading 1: height: value is '1.72', expected '1.73'"])


def test_a_declared_unit_without_a_fixture_is_a_failure(project: pytest.Pytester):
    driver = project.path / "drivers" / "exemplar_kiosk.py"
    text = driver.read_text(encoding="utf-8").replace('("m",)', '("m", "cm")')
    driver.write_text(text, encoding="utf-8")
    result = run(project, "captures/height.toml::emits")
    result.stdout.fnmatch_lines(["height in cm: declared, in no fixture"])


def test_a_fixture_that_cannot_be_read_is_an_error_of_its_own(project: pytest.Pytester):
    (project.path / "captures" / "height.toml").write_text("[session]\n", encoding="utf-8")
    result = run(project)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*height.toml: session.driver: is missing; give a text in quotes"])


def test_files_outside_the_folder_are_left_alone(project: pytest.Pytester):
    (project.path / "other.toml").write_text("[session]\n", encoding="utf-8")
    assert "other.toml" not in run(project, "-v").stdout.str()
