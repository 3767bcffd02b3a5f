"""Settings: what wins, what is refused, and how it is said."""

import os
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from cli.commands.settings import command
from config.settings import Settings, SettingsError, load_settings
from storage.key_wrapper import KeyWrapper
from storage.stores import objects_of

SECRET = "b3tt3r-n0t-sh0wn"


@pytest.fixture(autouse=True)
def a_bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable and no file of this machine has a say."""
    for name in list(os.environ):
        if name.startswith("CALLENGINE_") or name == "CREDENTIALS_DIRECTORY":
            monkeypatch.delenv(name)
    monkeypatch.setattr("config.settings.DEFAULT_FILE", tmp_path / "absent.toml")


def written(folder: Path, text: str) -> Path:
    path = folder / "callengine.toml"
    path.write_text(text, "utf-8")
    return path


def complaints(path: Path | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    return caught.value.errors


def test_without_any_file_the_defaults_hold() -> None:
    settings = load_settings()
    assert settings.ari.url == "http://127.0.0.1:8088"
    assert settings.journal_dir == Path("/var/lib/callengine/journal")


def test_environment_wins_over_credential_wins_over_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, '[ari]\nuser = "file"\npassword = "file"\nevents_password = "file"\n')
    (tmp_path / "credentials").mkdir()
    for name in ("ari__password", "ari__events_password"):
        (tmp_path / "credentials" / name).write_text("credential\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    monkeypatch.setenv("CALLENGINE_ARI__EVENTS_PASSWORD", "environment")
    ari = load_settings(path).ari
    assert ari.user == "file"
    assert ari.password.get_secret_value() == "credential"
    assert ari.events_password.get_secret_value() == "environment"


def test_the_password_of_a_carrier_is_a_credential_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "trunk_passwords__beta").write_text("trombone\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    settings = load_settings()
    assert settings.trunk_passwords["beta"].get_secret_value() == "trombone"
    assert "trombone" not in repr(settings)


def test_roots_commands_read_the_credentials_beside_the_settings_file(tmp_path: Path) -> None:
    path = written(tmp_path, 'node = "here"\n')
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "database").write_text("postgresql://db/calls\n")
    assert load_settings(path).database.get_secret_value() == "postgresql://db/calls"


def test_so_do_commands_without_a_settings_file(tmp_path: Path) -> None:
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "database").write_text("postgresql://db/calls")
    assert load_settings().database.get_secret_value() == "postgresql://db/calls"


def test_the_folder_of_systemd_wins_over_the_one_beside_the_settings_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, 'node = "here"\n')
    for name in ("credentials", "systemd"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "database").write_text(f"postgresql://{name}/calls")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "systemd"))
    assert load_settings(path).database.get_secret_value() == "postgresql://systemd/calls"


def test_a_user_who_may_not_read_the_credentials_sees_the_rest_and_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, 'node = "here"\n')
    (tmp_path / "credentials").mkdir()
    access = os.access  # root may read everything
    monkeypatch.setattr(
        "os.access", lambda place, mode: Path(place).name != "credentials" and access(place, mode)
    )
    shown = CliRunner().invoke(command, ["--settings", str(path)])
    assert shown.exit_code == 0
    assert 'node = "here"' in shown.stdout
    assert f"{tmp_path}/credentials is readable by root only; run this as root" in shown.stderr


def test_credentials_of_other_services_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tls-key").write_text("x")
    (tmp_path / "database").write_text("postgresql://db/calls")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert load_settings().database.get_secret_value() == "postgresql://db/calls"


def test_the_file_may_be_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLENGINE_SETTINGS", str(written(tmp_path, 'node = "here"')))
    assert load_settings().node == "here"


@pytest.mark.parametrize("value", ["BE NL", "BE, NL", '["BE", "NL"]'])
def test_countries_may_be_listed_in_a_variable(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLENGINE_DESTINATIONS__COUNTRIES", value)
    assert load_settings().destinations.countries == {"BE", "NL"}


def test_all_errors_are_told_at_once_each_with_its_place_and_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(
        tmp_path,
        'nod = "x"\n[ari]\nurl = "ftp://x"\npasword = "b3tt3r-n0t-sh0wn"\n'
        '[asterisk]\ntrunk = "SIP/x"\n[destinations]\ncountries = ["BE", "be"]\n',
    )
    monkeypatch.setenv("CALLENGINE_DATABSE", SECRET)
    monkeypatch.setenv("CALLENGINE_LOG__LEVEL", "loud")
    assert sorted(complaints(path)) == sorted(
        [
            "environment CALLENGINE_DATABSE: there is no such setting; did you mean CALLENGINE_DATABASE?",
            "environment CALLENGINE_LOG__LEVEL: Input should be 'debug', 'info', 'warning' or 'error'",
            f"{path}: nod: there is no such setting; did you mean node?",
            f"{path}: ari.pasword: there is no such setting; did you mean ari.password?",
            f"{path}: ari.url: write scheme, host and port, without user or path: http://127.0.0.1:8088",
            f"{path}: asterisk.trunk: write PJSIP/{{number}}@ and the name of the endpoint in pjsip.conf: "
            "PJSIP/{number}@trunk{n}",
            f"{path}: destinations.countries: be is not a country; write two capitals (ISO 3166-1): BE",
        ]
    )


def test_a_setting_nothing_resembles_lists_what_there_is(tmp_path: Path) -> None:
    path = written(tmp_path, "[log]\ncolour = true\n")
    assert complaints(path) == [f"{path}: log.colour: there is no such setting; there are: log.level"]


def test_a_file_that_is_not_toml_says_where_it_breaks(tmp_path: Path) -> None:
    path = written(tmp_path, 'node = "x"\nari = [\n')
    (only,) = complaints(path)
    assert only.startswith(f"{path}: this is not TOML: ")


def test_a_file_that_is_not_there_names_the_remedy(tmp_path: Path) -> None:
    (only,) = complaints(tmp_path / "none.toml")
    assert only.endswith(
        "none.toml: No such file or directory; callengine settings --example prints a file to start from"
    )


def test_a_section_that_cannot_be_read_from_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLENGINE_ARI", "{not json")
    (only,) = complaints()
    assert '"ari"' in only


@pytest.mark.parametrize("variable", ["CALLENGINE_ARI__PASSWORD", "CALLENGINE_DATABASE"])
def test_no_secret_shows_in_a_representation(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, SECRET)
    settings = load_settings()
    assert SECRET not in f"{settings!r} {settings} {settings.ari!r} {settings.model_dump_json()}"


def test_no_refused_value_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLENGINE_ARI__PASSWORDD", SECRET)
    monkeypatch.setenv("CALLENGINE_HTTP__ENGINE_PORT", SECRET)
    assert len(complaints()) == 2
    assert SECRET not in "".join(complaints())


@pytest.mark.parametrize(("section", "name"), [("", "node"), ("ari", "user")])
def test_settings_do_not_change_afterwards(section: str, name: str) -> None:
    settings = load_settings()
    with pytest.raises(ValidationError):
        setattr(getattr(settings, section) if section else settings, name, "other")


def test_what_a_command_requires_is_told_with_the_places_to_put_it() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings().require("node", "ari.password", "asterisk.etc_dir")
    assert caught.value.errors == [
        "ari.password is not set: give it as credential ari__password, "
        "in the environment as CALLENGINE_ARI__PASSWORD, or in the settings file",
        "asterisk.etc_dir is not set: give it as credential asterisk__etc_dir, "
        "in the environment as CALLENGINE_ASTERISK__ETC_DIR, or in the settings file",
    ]


def test_the_example_holds_every_setting_and_its_default(tmp_path: Path) -> None:
    example = CliRunner().invoke(command, ["--example"]).output
    assert tomllib.loads(example) == {name: {} for name in tomllib.loads(example)}, (
        "all of it is commented out"
    )
    uncommented = "\n".join(
        line.removeprefix("# ") if " = " in line else line for line in example.splitlines()
    )
    settings = load_settings(written(tmp_path, uncommented))
    with_example = ("node", "keep_records_days", "asterisk", "objects", "mail", "portal")
    examples = {name: getattr(settings, name) for name in with_example}
    assert settings == load_settings().model_copy(update=examples)
    assert set(tomllib.loads(uncommented)) == set(Settings.model_fields)


def test_the_command_shows_what_is_in_force_but_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLENGINE_ARI__PASSWORD", SECRET)
    shown = CliRunner().invoke(command, ["--settings", str(written(tmp_path, 'node = "here"'))])
    assert shown.exit_code == 0
    assert 'node = "here"\n' in shown.output
    assert "ari.password = ********\nari.app" in shown.output
    assert "ari.events_password = (not set)" in shown.output
    assert SECRET not in shown.output


def test_the_command_tells_every_error_and_fails(tmp_path: Path) -> None:
    shown = CliRunner().invoke(command, ["--settings", str(written(tmp_path, "a = 1\nb = 2\n"))])
    assert shown.exit_code == 1
    assert shown.output.count("there is no such setting") == 2


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ('directory = "/srv/objects"\nbucket = "sounds"', "a directory or a bucket, not both"),
        ('bucket = "sounds"', "a bucket needs access_key and secret_key"),
        ('bucket = "Sounds!"', "objects.bucket"),
        ('endpoint = "s3.example"', "write scheme, host and port"),
    ],
)
def test_a_place_for_objects_that_is_none_is_refused(tmp_path: Path, wrong: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        load_settings(written(tmp_path, f"[objects]\n{wrong}\n"))


def test_only_who_stores_objects_needs_the_secret_key_of_the_bucket(tmp_path: Path) -> None:
    """The engine's unit has no such credential, and reads the same file."""
    settings = load_settings(written(tmp_path, '[objects]\nbucket = "sounds"\naccess_key = "us"\n'))
    with pytest.raises(SettingsError, match="a bucket needs access_key and secret_key"):
        objects_of(settings)


def test_objects_lie_in_the_state_folder_unless_told_otherwise(tmp_path: Path) -> None:
    assert load_settings(written(tmp_path, 'state = "/srv"')).objects_dir == Path("/srv/objects")
    settings = load_settings(written(tmp_path, 'objects.directory = "/mnt/objects"'))
    assert settings.objects_dir == Path("/mnt/objects")


def test_a_new_master_key_is_one_that_can_be_used() -> None:
    KeyWrapper(CliRunner().invoke(command, ["--new-key"]).output)
