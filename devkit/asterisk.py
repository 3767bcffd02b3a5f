"""Configure, start and stop an Asterisk for dev, demo and tests."""

import os
import re
import resource
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import Self

from devkit.asterisk_tree import AsteriskTrouble, Tree
from devkit.children import spawn, stop, tail
from devkit.ports import reserve_ports
from devkit.priority import put_first

TEMPLATES = Path(__file__).parents[1] / "asterisk" / "etc"
APP = "engine"
ARI_USER = "engine"
EVENTS_USER = "asterisk"
SOCKET_PATH_LIMIT = 108  # bytes of sockaddr_un.sun_path, the closing zero among them
PORTS_PER_CALL = 4  # two legs, each with RTP and RTCP
SPARE_PORTS = 128  # a call takes two before the dialplan can refuse it; without them it gets 488, not 503


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The addresses of a running Asterisk, and where it expects the engine.

    `sip`, `events_address`: HOST:PORT. `ari_url`: http://HOST:PORT/ari. `etc`: the folder of fallback.conf.
    The engine listens on `events_address` and checks `events_user` and `events_password`.
    """

    sip: str
    ari_url: str
    ari_password: str = field(repr=False)
    events_address: str
    events_password: str = field(repr=False)
    rtp_ports: range
    etc: Path
    recordings: Path
    log: Path
    ari_user: str = ARI_USER
    events_user: str = EVENTS_USER
    app: str = APP

    @property
    def cel(self) -> Path:
        """The CEL file that cel_custom.conf names."""
        return self.log.with_name("cel-custom") / "Master.csv"

    @property
    def ari_port(self) -> int:
        return int(self.ari_url.removesuffix("/ari").rpartition(":")[2])


@dataclass(frozen=True, slots=True)
class Options:
    """How to run an Asterisk.

    `carrier`: HOST:PORT for outgoing legs; calls from HOST are the carrier's.
    `cap`: concurrent calls on the trunk; each block of 1,024 ports is enough for 223.
    `number_cap`: concurrent calls to one number; 0 means nine tenths of `cap`.
    `qualify_seconds`: 0 for a carrier that does not answer OPTIONS.
    `events_address`, `sip`: HOST:PORT where engine and Asterisk listen; a free port if not given.
    `values`: of further blanks of the templates, such as TLS_ADDRESS.
    """

    carrier: str
    cap: int = 200
    number_cap: int = 0
    qualify_seconds: int = 0
    node: str = "dev"
    events_address: str | None = None
    sip: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)


class Asterisk:
    """A running Asterisk. The kernel kills it if the thread that started it ends."""

    def __init__(
        self, endpoint: Endpoint, tree: Tree, process: "subprocess.Popen[bytes]", held: ExitStack
    ) -> None:
        self.endpoint = endpoint
        self._tree = tree
        self._process = process
        self._held = held

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        return self._process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def wait_until_ready(self, seconds: float = 40) -> None:
        """Wait until ARI answers (0.2-0.5 s), else raise AsteriskTrouble with the end of the log."""
        deadline = time.monotonic() + seconds
        while not _ari_answers(self.endpoint):
            if not self.is_running:
                raise AsteriskTrouble(f"Asterisk ended with {self._process.returncode}: {self._last_words()}")
            if time.monotonic() > deadline:
                raise AsteriskTrouble(f"ARI does not answer after {seconds:.0f} s: {self._last_words()}")
            time.sleep(0.02)
        put_first(self.pid)

    def cli(self, command: str) -> str:
        """The output of Asterisk's console for `command`."""
        line = [*self._tree.command, "-C", str(self.endpoint.etc / "asterisk.conf"), "-rx", command]
        return subprocess.run(line, check=True, capture_output=True, text=True, timeout=30).stdout

    def restart(self) -> None:
        """Start it again at the same addresses after it has ended; call wait_until_ready() before use."""
        self._process = launch(self._tree, self.endpoint)

    def stop(self) -> None:
        """Stop Asterisk (0.7-0.9 s) and release its ports; harmless if it has ended already."""
        stop(self._process)
        self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _last_words(self) -> str:
        logs = (self.endpoint.log, self.endpoint.log.with_name("console"))
        return "\n".join(filter(None, map(tail, logs))) or "its logs are empty"


def start_asterisk(state: Path, options: Options, tree: Tree | None = None) -> Asterisk:
    """Start an Asterisk with all its files below `state`; call wait_until_ready() before the first request.

    Call this from a thread that outlives Asterisk: the kernel kills it when that thread ends.
    """
    tree = tree or Tree.find()
    with ExitStack() as held:
        endpoint = held.enter_context(_endpoint(state, options))
        run = held.enter_context(_run_folder(state))
        _lay_out(state, endpoint, _values(state, run, options, tree, endpoint))
        return Asterisk(endpoint, tree, launch(tree, endpoint), held.pop_all())


def launch(tree: Tree, endpoint: Endpoint, folder: Path | None = None) -> "subprocess.Popen[bytes]":
    """Start the process. `folder`: its working directory, where the kernel leaves its core."""
    command = [*tree.command, "-f", "-C", str(endpoint.etc / "asterisk.conf")]
    return spawn(command, endpoint.log.with_name("console"), folder=folder, farewell=signal.SIGKILL)


@contextmanager
def _endpoint(state: Path, options: Options) -> Iterator[Endpoint]:
    host = _address_towards(options.carrier.rpartition(":")[0])
    with reserve_ports(3 + options.cap * PORTS_PER_CALL + SPARE_PORTS) as (sip, ari, events, *rtp):
        yield Endpoint(
            sip=options.sip or f"{host}:{sip}",
            ari_url=f"http://127.0.0.1:{ari}/ari",
            ari_password=secrets.token_urlsafe(24),
            events_address=options.events_address or f"127.0.0.1:{events}",
            events_password=secrets.token_urlsafe(24),
            rtp_ports=range(rtp[0], rtp[-1] + 1),
            etc=state / "etc",
            recordings=state / "spool" / "recording",
            log=state / "log" / "messages",
        )


def _address_towards(host: str) -> str:
    """This machine's address as seen by `host`; connecting a datagram socket sends no packet."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 9))
        except OSError as error:
            raise AsteriskTrouble(f"the carrier's address {host!r} cannot be reached: {error}") from error
        return str(probe.getsockname()[0])


@contextmanager
def _run_folder(state: Path) -> Iterator[Path]:
    """A folder for the control socket, whose path must be short: below `state`, else a temporary folder."""
    run = state / "run"
    if len(bytes(run / "asterisk.ctl")) < SOCKET_PATH_LIMIT:
        yield run
        return
    run = Path(tempfile.mkdtemp(prefix="callengine-", dir=os.environ.get("XDG_RUNTIME_DIR")))
    try:
        yield run
    finally:
        shutil.rmtree(run, ignore_errors=True)


def _values(state: Path, run: Path, options: Options, tree: Tree, endpoint: Endpoint) -> dict[str, object]:
    return {
        "STATE": state,
        "ETC": endpoint.etc,
        "RUN": run,
        "TREE_DIRECTORIES": tree.directories(),
        "NODE": options.node,
        "MAX_CALLS": options.cap * 2,
        "MAX_FILES": min(max(options.cap * 12, 16_384), resource.getrlimit(resource.RLIMIT_NOFILE)[1]),
        "MAX_LOAD": 0,  # a developer's busy machine must not refuse calls
        "ARI_PORT": endpoint.ari_port,
        "ARI_PASSWORD": endpoint.ari_password,
        "EVENTS_ADDRESS": endpoint.events_address,
        "EVENTS_PASSWORD": endpoint.events_password,
        "SIP_ADDRESS": endpoint.sip,
        "CARRIER": options.carrier,
        "CARRIER_ADDRESS": socket.gethostbyname(options.carrier.rpartition(":")[0]),
        "QUALIFY_SECONDS": options.qualify_seconds,
        "TRUNK_CAP": options.cap,
        "NUMBER_CAP": options.number_cap or options.cap * 9 // 10,
        "BUSY_CAP": options.cap * 9 // 10,
        "FEW_CALLS": max(options.cap // 50, 2),
        "SAME_CALLER": 10,
        "RTP_START": endpoint.rtp_ports.start,
        "RTP_END": endpoint.rtp_ports.stop - 1,
        "EXTERNAL_ADDRESS": "",
        "LOCAL_NET": "127.0.0.0/8",
        **options.values,
    }


def _lay_out(state: Path, endpoint: Endpoint, values: dict[str, object]) -> None:
    """Make the folders and render the templates, readable only by this user: they contain passwords."""
    state.mkdir(parents=True, exist_ok=True)
    for name in ("etc", "var", "db", "log", "run", "spool"):
        (state / name).mkdir(mode=0o700, exist_ok=True)
    endpoint.recordings.mkdir(exist_ok=True)
    (state / "log" / "cel-custom").mkdir(0o700, exist_ok=True)  # without it cel_custom writes nothing
    for template in TEMPLATES.glob("*.conf"):
        if is_wanted(text := template.read_text(), values):
            (endpoint.etc / template.name).write_text(render(text, values))


def is_wanted(template: str, values: Mapping[str, object]) -> bool:
    """Whether this is not the template of a transport that nobody wants: one whose address has no value."""
    address = re.search(r"^bind = @([A-Z0-9]+_ADDRESS)@$", template, re.MULTILINE)
    return address is None or address[1] in values


def render(template: str, values: dict[str, object]) -> str:
    """Replace @NAME@, but not ${NAME}, which is Asterisk's. Raises KeyError for a name without a value."""
    return re.sub(r"@([A-Z0-9_]+)@", lambda name: str(values[name[1]]), template)


def _ari_answers(endpoint: Endpoint) -> bool:
    """Whether ARI answers 200. While modules load it answers 404 with HTML, then 503."""
    login = b64encode(f"{endpoint.ari_user}:{endpoint.ari_password}".encode()).decode()
    connection = HTTPConnection("127.0.0.1", endpoint.ari_port, timeout=2)
    with suppress(OSError, HTTPException):
        connection.request("GET", "/ari/asterisk/info", headers={"Authorization": f"Basic {login}"})
        status = connection.getresponse().status
        connection.close()
        return status == HTTPStatus.OK
    connection.close()
    return False
