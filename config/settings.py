"""The settings of engine and worker: `callengine.toml`, the environment, and systemd's credentials.

The fields below are what an operator may write; their descriptions are the documentation, printed by
`callengine settings --example`. The environment overrides a credential, a credential overrides the file.
"""

import os
import re
import socket
import tomllib
from functools import reduce
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    NestedSecretsSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import SettingsError as UnreadableError

from config.asterisk import Asterisk
from config.complaint import PREFIX, complaint, how_to_set, unknown_variables
from config.countries import EUROPE
from config.credentials import credentials_folder
from config.limits import Limits
from config.listed import split
from config.mail import Mail
from config.objects import Objects
from config.portal import Portal
from dialplan.model import Model

DEFAULT_FILE = Path("/etc/callengine/callengine.toml")
Port = Annotated[int, Field(ge=0, le=65535)]


class SettingsError(Exception):
    """The settings cannot be used. `errors`: one line each, with place and remedy."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


def _check_url(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s/@?#]+", text.rstrip("/"), re.ASCII):
        raise ValueError("write scheme, host and port, without user or path: http://127.0.0.1:8088")
    return text.rstrip("/")


def _check_country(code: str) -> str:
    if not re.fullmatch("[A-Z]{2}", code, re.ASCII):
        raise ValueError(f"{code} is not a country; write two capitals (ISO 3166-1): BE")
    return code


class Ari(Model):
    """How engine and Asterisk reach each other."""

    url: Annotated[str, AfterValidator(_check_url)] = Field(
        "http://127.0.0.1:8088", description="Asterisk's HTTP server (http.conf: bindaddr, bindport)"
    )
    user: str = Field("engine", description="The ARI user (ari.conf)")
    password: SecretStr = Field(
        SecretStr(""), description="That user's password; better as a credential, see above"
    )
    app: str = Field(
        "engine", pattern="^[a-z0-9_-]+$", description="The application that the dialplan's Stasis() names"
    )
    events_host: str = Field(
        "127.0.0.1", description="Address where the engine waits for Asterisk's WebSocket"
    )
    events_port: Port = Field(8089, description="Its port (websocket_client.conf: uri)")
    events_user: str = Field(
        "asterisk", description="Login of Asterisk there (websocket_client.conf: username)"
    )
    events_password: SecretStr = Field(
        SecretStr(""), description="Its password; better as a credential, see above"
    )


class Journal(Model):
    """The journal of calls on the local disk."""

    segment_bytes: int = Field(64 * 2**20, ge=2**16, le=2**30, description="Size of one preallocated segment")
    keep_hours: int = Field(72, ge=1, le=24 * 30, description="How long segments are kept after draining")


class Http(Model):
    """Where /metrics, /live and /ready are served, without a login: use loopback."""

    host: str = Field("127.0.0.1", description="Address")
    engine_port: Port = Field(9460, description="Port of the engine; 0 takes a free one")
    worker_port: Port = Field(9461, description="Port of the worker; 0 takes a free one")
    portal_port: Port = Field(9463, description="Port of the portal; 0 takes a free one")


class Destinations(Model):
    """Where calls may be sent."""

    countries: Annotated[
        frozenset[Annotated[str, AfterValidator(_check_country)]], NoDecode, BeforeValidator(split)
    ] = Field(EUROPE, min_length=1, description="Countries (ISO 3166-1) of destinations")


class Log(Model):
    """Logging, one JSON object a line to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="debug, info, warning or error"
    )


class Settings(BaseSettings):
    """The settings of engine, worker and portal, read once at start."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        secrets_prefix="",
        secrets_nested_delimiter="__",
        secrets_dir_missing="error",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,  # a refused password must not be printed
    )

    node: str = Field(
        default_factory=socket.gethostname,
        examples=["engine1"],
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="Name of this host in call records. Unset: the host name",
    )
    routing: Path = Field(
        Path("/etc/callengine/routing"), description="Routing folder: owners, numbers, prompts"
    )
    state: Path = Field(
        Path("/var/lib/callengine"),
        description="Folder of the journal, and of everything else that survives a restart",
    )
    history_days: int = Field(
        90,
        ge=1,
        le=3653,
        description="How long a routing version is kept after it was last in force, for `callengine explain "
        "--call`; longer while a call that began under it lives",
    )
    keep_records_days: int | None = Field(
        None,
        ge=30,
        le=3653,
        examples=[400],
        description="How long call records are kept, of owners without `keep_records`. Unset: for ever",
    )
    database: SecretStr = Field(
        SecretStr("postgresql:///callengine"),
        description="PostgreSQL: postgresql://USER:PASSWORD@HOST/NAME; better as a credential, see above",
    )
    master_key: SecretStr = Field(
        SecretStr(""),
        description="Key that wraps the keys of voicemail and recordings, and signs return addresses of "
        "mails; `callengine settings --new-key` generates one; better as a credential, see above. With "
        "several, separated by commas, the first wraps and signs; the others still unwrap what they wrapped",
    )
    key_rotation_minutes: int = Field(
        15,
        ge=0,
        le=45,
        description="How long a destroyed key may be readable in PostgreSQL's files: then the key that wraps "
        "all others is replaced, and overwritten. 0: at once",
    )
    trunk_passwords: dict[str, SecretStr] = Field(
        {},
        description="Passwords of carriers, by the names of their files; better as credentials: "
        "trunk_passwords__NAME",
    )
    country: str = Field(
        "",
        pattern="^([1-9][0-9]{0,2})?$",
        description="Country code of numbers dialled in national form: with 32, 0800... is +32800...",
    )
    ari: Ari = Ari()
    asterisk: Asterisk = Asterisk()
    journal: Journal = Journal()
    objects: Objects = Objects()
    mail: Mail = Mail()
    http: Http = Http()
    portal: Portal = Portal()
    limits: Limits = Limits()
    destinations: Destinations = Destinations()
    log: Log = Log()

    @property
    def journal_dir(self) -> Path:
        return self.state / "journal"

    @property
    def spool_marked(self) -> Path:
        return self.state / "spool-marked"

    @property
    def objects_marked(self) -> Path:
        return self.state / "objects-marked"

    @property
    def trusted_clock(self) -> Path:
        return self.state / "trusted-clock.json"

    @property
    def objects_dir(self) -> Path:
        return self.objects.directory or self.state / "objects"

    @property
    def prompts_dir(self) -> Path:
        return self.state / "prompts"

    @property
    def routing_versions(self) -> Path:
        return self.state / "routing-versions"

    def require(self, *names: str) -> None:
        """Raise SettingsError unless each of these, such as `ari.password`, has a value."""
        if absent := [name for name in names if not reduce(getattr, name.split("."), self)]:
            raise SettingsError([f"{name} is not set: {how_to_set(name)}" for name in absent])

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The values of the file are arguments, and last: environment and credentials override them."""
        return env_settings, NestedSecretsSettingsSource(file_secret_settings), init_settings


def load_settings(path: Path | None = None) -> Settings:
    """Read the settings from `path`, else from the file in CALLENGINE_SETTINGS, else from the default file.

    Raises SettingsError with all errors at once.
    """
    path = path or file_of_environment()
    credentials = credentials_folder(path or DEFAULT_FILE)
    written = _read(path) if path else {}
    unknown = list(unknown_variables(Settings))
    try:
        settings = Settings(**written, _secrets_dir=credentials)
    except ValidationError as error:
        errors = error.errors(include_input=False, include_url=False)
        lines = [complaint(one, path, credentials, Settings) for one in errors]
        raise SettingsError([*unknown, *lines]) from None
    except UnreadableError as error:
        raise SettingsError([*unknown, f"environment or credentials: {error}"]) from None
    if unknown:
        raise SettingsError(unknown)
    return settings


def file_of_environment() -> Path | None:
    """The settings file where none is given; None where there is none."""
    if named := os.environ.get("CALLENGINE_SETTINGS"):
        return Path(named)
    return DEFAULT_FILE if DEFAULT_FILE.exists() else None


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError([f"{path}: this is not TOML: {error}"]) from None
    except UnicodeDecodeError:
        raise SettingsError([f"{path}: this is not UTF-8 text"]) from None
    except OSError as error:
        raise SettingsError(
            [f"{path}: {error.strerror}; callengine settings --example prints a file to start from"]
        ) from None
