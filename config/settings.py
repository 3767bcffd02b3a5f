"""The settings of engine and worker: `callengine.toml`, the environment, and systemd's credentials.

What an operator may write is the fields below; their descriptions are the documentation, printed by
`callengine settings --example`. The environment wins over a credential, a credential over the file.
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

from config.complaint import PREFIX, complaint, how_to_set, unknown_variables
from config.countries import EUROPE
from config.credentials import credentials_folder
from config.listed import split
from config.mail import Mail
from config.objects import Objects
from dialplan.model import Model

DEFAULT_FILE = Path("/etc/callengine/callengine.toml")
Port = Annotated[int, Field(ge=0, le=65535)]


class SettingsError(Exception):
    """The settings cannot be used. `errors`: one line each, with its place and its remedy."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


def _check_trunk(text: str) -> str:
    if not re.fullmatch(r"PJSIP/\{number\}@[A-Za-z0-9_-]+(\{n\})?", text, re.ASCII):
        raise ValueError(
            "write PJSIP/{number}@ and the name of the endpoint in pjsip.conf: PJSIP/{number}@trunk{n}"
        )
    return text


def _check_url(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s/@?#]+", text.rstrip("/"), re.ASCII):
        raise ValueError("write scheme, host and port, without user or path: http://127.0.0.1:8088")
    return text.rstrip("/")


def _check_country(code: str) -> str:
    if not re.fullmatch("[A-Z]{2}", code, re.ASCII):
        raise ValueError(f"{code} is not a country; write two capitals (ISO 3166-1): BE")
    return code


class Ari(Model):
    """How engine and Asterisk reach one another."""

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
    events_host: str = Field("127.0.0.1", description="Where the engine waits for Asterisk's WebSocket")
    events_port: Port = Field(8089, description="Its port (websocket_client.conf: uri)")
    events_user: str = Field(
        "asterisk", description="What Asterisk logs in with there (websocket_client.conf: username)"
    )
    events_password: SecretStr = Field(
        SecretStr(""), description="And its password; better as a credential, see above"
    )


class Asterisk(Model):
    """What the engine has to know of Asterisk's own configuration."""

    etc_dir: Path | None = Field(
        None,
        examples=["/etc/asterisk"],
        description="Asterisk's configuration folder, for fallback.conf and music.conf. Unset: no files",
    )
    recordings: Path = Field(
        Path("/var/spool/asterisk/recording"),
        description="Where Asterisk writes what it records; the worker has to be allowed to delete there",
    )
    cel: Path = Field(
        Path("/var/log/asterisk/cel-custom/Master.csv"),
        description="What cel_custom.conf writes: call records come from it. The engine rotates it",
    )
    trunk: Annotated[str, AfterValidator(_check_trunk)] = Field(
        "PJSIP/{number}@trunk",
        examples=["PJSIP/{number}@trunk{n}"],
        description="How a destination is dialled; {n} is 0 to 9, for ten endpoints as in our pjsip.conf",
    )


class Journal(Model):
    """The journal of calls on the local disk."""

    segment_bytes: int = Field(64 * 2**20, ge=2**16, le=2**30, description="Size of one preallocated segment")
    keep_hours: int = Field(72, ge=1, le=24 * 30, description="Segments are kept this long after draining")


class Http(Model):
    """Where /metrics, /live and /ready are served. There is no login: keep it on loopback."""

    host: str = Field("127.0.0.1", description="Address")
    engine_port: Port = Field(9460, description="Port of the engine; 0 takes a free one")
    worker_port: Port = Field(9461, description="Port of the worker; 0 takes a free one")


class Limits(Model):
    """Bounds on every call, whatever its route says."""

    max_call_minutes: float = Field(240, gt=0, le=720, description="A call that lasts longer is ended")
    same_caller: int = Field(
        10,
        ge=1,
        le=1000,
        description="Calls of one caller that may ring at one number at once; one more is a loop, and busy",
    )


class Destinations(Model):
    """Where calls may be sent."""

    countries: Annotated[
        frozenset[Annotated[str, AfterValidator(_check_country)]], NoDecode, BeforeValidator(split)
    ] = Field(EUROPE, min_length=1, description="Countries (ISO 3166-1) that a destination may be in")


class Log(Model):
    """Logging, one JSON object a line to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="debug, info, warning or error"
    )


class Settings(BaseSettings):
    """Everything that engine and worker are told from outside. Read once, at start."""

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
        description="This host's name in call records. Unset: the host name",
    )
    routing: Path = Field(
        Path("/etc/callengine/routing"), description="The routing folder: owners, numbers, prompts"
    )
    state: Path = Field(
        Path("/var/lib/callengine"), description="The journal and whatever else survives a restart"
    )
    history_days: int = Field(
        90,
        ge=1,
        le=3653,
        description="How long a routing version is kept after it was last in force, for `callengine explain "
        "--call`; longer while a call that began under it lives",
    )
    database: SecretStr = Field(
        SecretStr("postgresql:///callengine"),
        description="PostgreSQL: postgresql://USER:PASSWORD@HOST/NAME; better as a credential, see above",
    )
    master_key: SecretStr = Field(
        SecretStr(""),
        description="What the keys of voicemail and recordings are wrapped with, and return addresses of "
        "mails are signed with, as `callengine settings --new-key` makes it; better as a credential, see "
        "above. Several, parted by a comma: the first one wraps and signs, the others still open what they "
        "have wrapped",
    )
    key_rotation_minutes: int = Field(
        15,
        ge=0,
        le=45,
        description="How long a destroyed key may be readable in PostgreSQL's files: then the key that all "
        "others are wrapped with is replaced, and overwritten. 0: at once",
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
    limits: Limits = Limits()
    destinations: Destinations = Destinations()
    log: Log = Log()

    @property
    def journal_dir(self) -> Path:
        return self.state / "journal"

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
        """Raise SettingsError unless each of these, as `ari.password`, has a value: few commands need all."""
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
        """The file's values come as arguments, and are last: environment and credentials win over them."""
        return env_settings, NestedSecretsSettingsSource(file_secret_settings), init_settings


def load_settings(path: Path | None = None) -> Settings:
    """The settings, from `path`, else the file CALLENGINE_SETTINGS names, else the default file if it exists.

    Raises SettingsError with every error at once.
    """
    path = path or file_of_environment()
    credentials = credentials_folder(path or DEFAULT_FILE)
    written = _read(path) if path else {}
    unknown = list(unknown_variables(Settings))
    try:
        settings = Settings(**written, _secrets_dir=credentials)
    except ValidationError as wrong:
        errors = wrong.errors(include_input=False, include_url=False)
        raise SettingsError(
            [*unknown, *(complaint(error, path, credentials, Settings) for error in errors)]
        ) from None
    except UnreadableError as wrong:
        raise SettingsError([*unknown, f"environment or credentials: {wrong}"]) from None
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
    except tomllib.TOMLDecodeError as wrong:
        raise SettingsError([f"{path}: this is not TOML: {wrong}"]) from None
    except UnicodeDecodeError:
        raise SettingsError([f"{path}: this is not UTF-8 text"]) from None
    except OSError as wrong:
        raise SettingsError(
            [f"{path}: {wrong.strerror}; callengine settings --example prints a file to begin with"]
        ) from None
