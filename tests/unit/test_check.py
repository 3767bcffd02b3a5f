"""`callengine check`, as an operator meets it."""

from pathlib import Path

from click.testing import CliRunner, Result

from cli.commands.check import command
from tests.unit.folders import NUMBER, good_folder


def check(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(command, [str(folder), *options])


def test_a_good_folder_is_counted(tmp_path: Path) -> None:
    done = check(good_folder(tmp_path))
    assert (done.exit_code, done.output) == (
        0,
        "1 number, 1 owner, 1 prompt: all good (0 expected calls tried out)\n",
    )


def test_every_error_is_a_line_and_the_exit_status_is_1(tmp_path: Path) -> None:
    numbers = good_folder(tmp_path) / "numbers"
    (numbers / "main.yaml").write_text(NUMBER.replace("+3221112233", "112").replace("welcome", "welcom"))
    done = check(tmp_path)
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        f"{numbers}/main.yaml:5:5: route.announce: there is no prompt `welcom`; did you mean `welcome`?",
        f"{numbers}/main.yaml:6:5: route.ring: `112` is an emergency or short number, never a destination; "
        "write a full one: +3221112233",
    ]
    assert done.stderr == "2 errors: this routing folder would not go live\n"


def test_what_is_expected_is_tried_out(tmp_path: Path) -> None:
    number = good_folder(tmp_path) / "numbers" / "main.yaml"
    number.write_text(NUMBER + "expect:\n  - {at: 2026-11-24 10:00, rings: [+3221112233]}\n")
    assert "1 expected call tried out" in check(tmp_path).output
    number.write_text(NUMBER + "expect:\n  - {at: 2026-11-24 10:00, rings: []}\n")
    assert ":8:28: expect.rings: expected [], got [+3221112233]" in check(tmp_path).output


def test_the_countries_are_those_of_the_settings(tmp_path: Path) -> None:
    settings = tmp_path / "callengine.toml"
    settings.write_text('[destinations]\ncountries = ["NL"]\n')
    done = check(good_folder(tmp_path / "routing"), "--settings", str(settings))
    assert done.exit_code == 1
    assert "+3221112233 is in BE" in done.output


def test_wrong_settings_are_told_as_such(tmp_path: Path) -> None:
    done = check(good_folder(tmp_path), "--settings", str(tmp_path / "nowhere.toml"))
    assert done.exit_code == 1
    assert "nowhere.toml" in done.stderr


def test_the_domains_are_those_of_the_trunks_whose_files_are_right(tmp_path: Path) -> None:
    number = good_folder(tmp_path / "routing") / "numbers" / "main.yaml"
    number.write_text(NUMBER.replace("+3221112233", "sip:desk@pbx.acme.example"))
    trunk = tmp_path / "acme-pbx.yaml"
    settings = tmp_path / "callengine.toml"
    settings.write_text(f'[asterisk]\ntrunks = "{tmp_path}"\n')
    trunk.write_text("host: 192.0.2.7\nsip_domain: pbx.acme.example\n")
    assert "all good" in check(tmp_path / "routing", "--settings", str(settings)).output
    trunk.write_text("hots: 192.0.2.7\nsip_domain: pbx.acme.example\n")
    done = check(tmp_path / "routing", "--settings", str(settings))
    assert "pbx.acme.example is not an allowed domain" in done.stdout
    assert f"not counted: {trunk}:1:1: hots" in done.stderr
