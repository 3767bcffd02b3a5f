"""All steps of a quickstart, and of its --undo, in their order."""

import asyncio
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

from cli.commands.migrate import apply
from cli.quickstart import first_call, host
from cli.quickstart.contents import files_of, owner_url
from cli.quickstart.made import NAME, Made
from cli.quickstart.wish import LOCAL, Passwords, QuickstartError, Wish
from config.settings import DEFAULT_FILE, load_settings
from storage.objects import ObjectsTrouble, making
from storage.objects.s3 import Bucket

FOLDER = DEFAULT_FILE.parent
ASTERISK = Path("/etc/asterisk")
ROLES = ("callengine_worker", "callengine_reader", "callengine_portal")  # an absent one gets no rights
DATA = tuple(
    map(Path, ("/var/lib/callengine", "/var/log/asterisk/cel-custom", "/var/spool/asterisk/recording"))
)

type Say = Callable[[str], None]


def plan(wish: Wish) -> list[str]:
    """What `set_up` would do, line by line; passwords are not shown."""
    files = files_of(wish, Passwords.new())
    written = [f"write {path}\n{content.shown}" for path, content in files.items()]
    roles = "create the roles callengine_owner, _worker, _portal, _reader, and the database callengine"
    database = roles if wish.database == LOCAL else "use the database of --database, with one role"
    bucket = [f"make the bucket {wish.bucket}"] if wish.bucket else []
    rest = [
        *bucket,
        "create the schema",
        f"write {ASTERISK}/*.conf",
        f"enable and start {', '.join(host.UNITS)}",
    ]
    return [*written, database, *rest, f"call {wish.number}, and wait for its record"]


def set_up(wish: Wish, say: Say) -> None:
    """Do it. What fails leaves what was made so far, for --undo. Raises QuickstartError."""
    refuse_existing(wish)
    passwords = Passwords.new()
    made = Made(FOLDER / NAME, wish.number)
    say("writing settings, credentials, routing")
    made.write(files_of(wish, passwords))
    if wish.database == LOCAL:
        say("creating roles and database")
        made.database = True
        made.save()
        host.create_database(passwords)
    make_bucket(wish, made, say)
    asyncio.run(apply(owner_url(wish, passwords), *ROLES))
    say("writing Asterisk's configuration")
    host.lay_out(FOLDER / "asterisk.values")
    say("starting Asterisk, engine and worker")
    made.units = True
    made.save()
    host.start_units()
    say(f"calling {wish.number}")
    result = asyncio.run(first_call.call(load_settings(), wish.number, wish.sip))
    if not result.answered:
        raise QuickstartError(f"the test call ended as {result.outcome}; callengine doctor says why")
    say(f"the test call was answered: {result.outcome}")


def make_bucket(wish: Wish, made: Made, say: Say) -> None:
    """Make the bucket of the wish, if there is one. Raises QuickstartError, also if it exists."""
    if (bucket := wish.s3) is None:
        return
    say(f"making the bucket {bucket.name}")
    try:
        unknown = making.make_bucket(bucket)
    except ObjectsTrouble as trouble:
        raise QuickstartError(f"bucket {bucket.name}: {trouble}; quickstart makes a new one") from None
    made.bucket = {"name": bucket.name, "endpoint": bucket.endpoint, "region": bucket.region}
    made.bucket["access_key"] = bucket.access_key
    made.save()
    for rule in unknown:
        say(f"this store does not know the rule: {rule}")


def remove_bucket(made: Made) -> None:
    """Raises QuickstartError."""
    secret = (FOLDER / "credentials" / "objects__secret_key").read_text("utf-8").strip()
    try:
        making.remove_bucket(Bucket(secret_key=secret, **made.bucket))
    except ObjectsTrouble as trouble:
        raise QuickstartError(f"bucket {made.bucket['name']}: {trouble}") from None


def refuse_existing(wish: Wish) -> None:
    """Raise QuickstartError if anything is there that would be replaced, or removed by --undo."""
    if (FOLDER / NAME).exists():
        raise QuickstartError(f"{FOLDER / NAME} exists: run callengine quickstart --undo first")
    for path in [*files_of(wish, Passwords.new()), *ASTERISK.glob("*.conf"), *data()]:
        if path.exists() and not is_untouched(path):
            raise QuickstartError(f"{path} exists: this host has been set up before; nothing was changed")
    if wish.database == LOCAL:
        host.refuse_existing_database()


def is_untouched(path: Path) -> bool:
    """Whether this is the settings file as the package has it: comments only."""
    return path == FOLDER / "callengine.toml" and tomllib.loads(path.read_text("utf-8")) == {}


def data() -> list[Path]:
    """What engine, worker and Asterisk have written."""
    return [entry for folder in DATA for entry in folder.glob("*")]


def undo(say: Say) -> None:
    """Remove what a quickstart has made, last first. Raises QuickstartError, also for a host in use."""
    made = Made.at(FOLDER)
    if made.database and (count := others(made)):
        raise QuickstartError(
            f"{count} calls to other numbers are recorded: the host is in use; nothing was removed"
        )
    if made.units:
        say("stopping the units")
        host.stop_units()
    if made.database:
        say("dropping database and roles")
        host.drop_database()
    if made.bucket:
        say(f"removing the bucket {made.bucket['name']}")
        remove_bucket(made)
        made.bucket = {}
        made.save()
    say("removing files")
    for file in ASTERISK.glob("*.conf*"):
        file.unlink()
    for entry in data():
        remove(entry)
    made.unwrite()
    made.file.unlink()


def others(made: Made) -> int:
    """Calls to other numbers; none if there is no schema yet."""
    try:
        return host.other_calls(made.number)
    except QuickstartError:
        return 0


def remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)
    else:
        entry.unlink()
