"""The trust commands as people use them: two screens, a stick, typed digits; wrong files get clear words and change nothing."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest

from edge.identity import vault
from edge.identity.identity import Identity, lock_of
from edge.store.store import Store
from hardware.clock import ManualClock
from sync.events import BY_NAME
from tui.cli import main

PLACE = ("--lat", "30.15", "--lon", "119.1", "--start", "2026-07-20T05:00:00+08:00")
CONFIG = """
[station]
id = "{id}"
role = "agent"
node = {node}
data = "{id}"
[keys]
file = "{id}.keys"
unlock = "{id}.unlock"
"""


class Desk:
    """One person's folder and screen."""

    def __init__(self, folder: Path, name: str, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self.folder, self.name, self._capsys, self._patch = folder, name, capsys, patch
        self.keys, self.unlock = folder / f"{name}.keys", folder / f"{name}.unlock"

    def __call__(self, *words: str, keys: bool = True, typed: str = "", status: int = 0) -> str:
        """Run a command; what it printed, errors included."""
        more = ("-k", str(self.keys), "-u", str(self.unlock)) if keys else ()
        self._patch.setattr("sys.stdin", io.StringIO(typed))
        got = main(["--lang", "en", *words, *more])
        out = self._capsys.readouterr()
        assert got == status, out.out + out.err
        return out.out + out.err

    def identity(self) -> Identity:
        return Identity.open(self.keys, lock_of(self.keys, self.unlock))

    def config(self) -> str:
        file = self.folder / f"{self.name}.toml"
        file.write_text(CONFIG.format(id=self.name, node=self.identity().node), encoding="utf-8")
        return str(file)


@pytest.fixture
def desks(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, Desk]:
    made = {name: Desk(tmp_path, name, capsys, monkeypatch) for name in ("ROOT", "V1", "X")}
    made["ROOT"]("incident", "create", "青溪", "--name", "ROOT", *PLACE)
    return made


def stick(tmp_path: Path, name: str = "stick") -> str:
    folder = tmp_path / name
    folder.mkdir(exist_ok=True)
    return str(folder)


def digits(text: str) -> str:
    found = re.search(r"type in: ([\d ]{14})", text)
    assert found is not None, text
    return found[1]


def enrol(root: Desk, new: Desk, usb: str, *more: str) -> None:
    root("invite", new.name, "-o", usb, *more)
    shown = digits(new("join", usb, "-o", usb))
    root("accept", usb, "-o", usb, typed=shown + "\n")
    assert new.name in new("join", usb)


def test_a_node_is_let_in_by_a_stick(desks: dict[str, Desk], tmp_path: Path) -> None:
    root, new = desks["ROOT"], desks["V1"]
    enrol(
        root,
        new,
        stick(tmp_path),
        "--role",
        "command",
        "--range",
        "50",
    )
    assert new.identity().certificate.count == 50
    rows = json.loads(root("roster", "show", "--json"))
    assert [(row["name"], row["role"], row["state"]) for row in rows["nodes"]] == [
        ("ROOT", "command", "valid"),
        ("V1", "command", "valid"),
    ]
    assert "← here" in root("roster", "show", "-c", root.config(), keys=False)
    text = "".join(path.read_bytes().decode("latin-1") for path in (tmp_path / "stick").iterdir())
    assert root.identity().secrets.private.decode("latin-1") not in text


def test_a_node_is_let_in_by_codes_on_two_screens(desks: dict[str, Desk]) -> None:
    root, new = desks["ROOT"], desks["V1"]
    scanned = "\n".join(re.findall(r"SD1\S*:.*", root("invite", "V1")))
    asked = new("join", "-", typed=scanned)
    scanned = "\n".join(re.findall(r"SD1\S*:.*", asked))
    granted = root("accept", "-", typed=f"{scanned}\n{digits(asked)}\n")
    new("join", "-", typed="\n".join(re.findall(r"SD1\S*:.*", granted)))
    assert new.identity().enrolled


def test_wrong_digits_let_nobody_in(desks: dict[str, Desk], tmp_path: Path) -> None:
    root, new, usb = desks["ROOT"], desks["V1"], stick(tmp_path)
    root("invite", "V1", "-o", usb)
    assert [row["state"] for row in json.loads(root("roster", "show", "--json"))["nodes"]] == ["valid", "invited"]
    assert "invited" in root("roster", "show")
    shown = digits(new("join", usb, "-o", usb))
    before = root.keys.read_bytes()
    assert "digits differ" in root("accept", usb, "--code", shown[:-1] + str((int(shown[-1]) + 1) % 10), status=1)
    assert root.keys.read_bytes() == before and not list((tmp_path / "stick").glob("*.sdgrant"))


def test_a_stick_with_someone_elses_incident(desks: dict[str, Desk], tmp_path: Path) -> None:
    root, other, new, usb = desks["ROOT"], desks["X"], desks["V1"], stick(tmp_path)
    other("incident", "create", "别处", "--name", "X", *PLACE)
    other("invite", "V9", "-o", usb)
    root("invite", "V1", "-o", stick(tmp_path, "mine"))
    assert "several" in (root("invite", "V2", "-o", usb) and new("join", usb, status=1))
    (tmp_path / "stick" / "V2.sdinvite").unlink()
    assert "别处" in new("join", usb, "-o", usb)
    assert "request for this incident" in root("accept", usb, status=1)
    before = new.keys.read_bytes()
    assert "nothing was changed" in new("join", stick(tmp_path, "mine"), status=1)
    assert new.keys.read_bytes() == before
    assert "stick holds no grant / invite" in new("join", stick(tmp_path, "empty" + "stick"), status=1)


def test_damaged_and_wrong_files(desks: dict[str, Desk], tmp_path: Path) -> None:
    root, new, usb = desks["ROOT"], desks["V1"], stick(tmp_path)
    root("invite", "V1", "-o", usb)
    file = tmp_path / "stick" / "V1.sdinvite"
    whole = file.read_bytes()
    for wrong in (whole[:100], whole[:30] + b"x" + whole[31:], whole + b"x", b"", bytes(100)):
        file.write_bytes(wrong)
        new("join", str(file), status=1)
        assert not new.keys.exists()
    assert "No such file" in new("join", str(tmp_path / "none"), status=1)
    assert "holds no request" in root("accept", str(file), status=1)
    assert "never overwritten" in root("incident", "create", "又一个", "--name", "ROOT", *PLACE, status=2)
    assert root.identity().charter.title == "青溪"


def test_nothing_that_is_handed_out_takes_the_place_of_a_file(desks: dict[str, Desk], tmp_path: Path) -> None:
    root, new, usb = desks["ROOT"], desks["V1"], stick(tmp_path)
    before = root.keys.read_bytes()
    assert "not overwritten" in root("invite", "V1", "-o", str(root.keys), status=1)
    assert root.keys.read_bytes() == before
    for _ in range(2):
        root("invite", "V1", "-o", usb)
    assert len({path.read_bytes() for path in (tmp_path / "stick").iterdir()}) == 2
    file = str(tmp_path / "stick" / "V1-2.sdinvite")
    assert digits(new("join", file, "-o", usb)) == digits(new("join", file, "-o", usb))
    assert len(list((tmp_path / "stick").glob("*.sdrequest"))) == 1
    assert "not let in yet" in new("roster", "show", status=1)


def test_one_stick_carries_the_grants_of_many(desks: dict[str, Desk], tmp_path: Path) -> None:
    root, usb, shared = desks["ROOT"], stick(tmp_path), tmp_path / "shared"
    shared.mkdir()
    for each in (desks["V1"], desks["X"]):
        root("invite", each.name, "-o", usb)
        request = tmp_path / each.name
        shown = digits(each("join", f"{usb}/{each.name}.sdinvite", "-o", str(request)))
        root("accept", str(request), "-o", str(shared), "--code", shown)
    whole = (shared / "X.sdgrant").read_bytes()
    (shared / "X.sdgrant").write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert "damaged" in desks["X"]("join", str(shared), status=1)
    assert "node 2" in desks["V1"]("join", str(shared))
    (tmp_path / "cut").write_bytes(whole[:100])
    assert "incomplete" in desks["X"]("join", str(tmp_path / "cut"), status=1)
    (shared / "X.sdgrant").write_bytes(whole)
    assert "node 3" in desks["X"]("join", str(shared))


def test_a_name_that_two_nodes_have_revokes_neither(desks: dict[str, Desk], tmp_path: Path) -> None:
    root = desks["ROOT"]
    for each in ("V1", "X"):
        request = str(tmp_path / f"{each}.request")
        root("invite", "V1", "-o", str(tmp_path / f"{each}.invite"))
        shown = digits(desks[each]("join", str(tmp_path / f"{each}.invite"), "-o", request))
        root("accept", request, "--code", shown, "-o", str(tmp_path / f"{each}.grant"))
    config = root.config()
    assert "nodes 2, 3" in root("revoke", "V1", "-c", config, keys=False, status=1)
    root("revoke", "2", "-c", config, keys=False)
    assert "revoked V1" in root("revoke", "V1", "-c", config, keys=False)
    assert root.identity().keyring(0).revoked.keys() == {2, 3}


def test_revoking_by_name_beside_a_store(desks: dict[str, Desk], tmp_path: Path) -> None:
    root, captured, usb = desks["ROOT"], desks["X"], stick(tmp_path)
    enrol(root, captured, usb)
    config = root.config()
    (tmp_path / "ROOT").mkdir()
    store = Store.open(tmp_path / "ROOT" / "sanduan.db", 1, clock=lambda boot: ManualClock(1.0, None, boot), ballast=0)
    store.write_event(BY_NAME["message"].number, "", {0: "x"}).result()
    store.close()
    assert "revoked X; keys changed to epoch 2" in root("revoke", "X", "-c", config, keys=False)
    assert "epoch 3" in root("revoke", "-c", config, keys=False)
    assert "nobody is not on the roster" in root("revoke", "nobody", "-c", config, keys=False, status=1)
    assert "cannot be revoked" in root("revoke", "ROOT", "-c", config, keys=False, status=1)
    rows = json.loads(root("roster", "show", "--json"))["nodes"]
    assert [row["state"] for row in rows] == ["valid", "revoked"]
    assert len(root.identity().unsent()) == 4


def test_wipe_destroys_the_keys_first(desks: dict[str, Desk], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = desks["ROOT"]
    config = root.config()
    (tmp_path / "ROOT").mkdir()
    data = tmp_path / "ROOT" / "sanduan.db"
    data.write_bytes(b"positions")
    assert "nothing was changed" in root("wipe", "-c", config, keys=False, typed="no\n", status=1)
    assert root.keys.exists() and data.exists()
    order: list[Path] = []
    destroy = vault.destroy
    monkeypatch.setattr(vault, "destroy", lambda path: (order.append(path), destroy(path))[1])
    root("wipe", "-c", config, keys=False, typed="ROOT\n")
    assert order[0] == root.keys and order[-1] == data
    assert not root.keys.exists() and not root.unlock.exists() and not data.exists()


def test_a_passphrase_typed_at_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "p.keys")
    words = ["--lang", "en", "incident", "create", "青溪", "--name", "P", *PLACE, "-k", path]
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert main(words) == 1 and "needs a terminal" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", type("Tty", (io.StringIO,), {"isatty": lambda self: True})())
    typed = iter(["一二三四五六七八", "一二三四五六七九", "一二三四五六七八", "一二三四五六七八"])
    asked: list[str] = []
    monkeypatch.setattr("tui.trust.getpass", lambda prompt: (asked.append(prompt), next(typed))[1])
    assert main(words) == 1 and "differ" in capsys.readouterr().err and not Path(path).exists()
    assert main(words) == 0 and "at least 8 characters" in asked[0]
    shown = capsys.readouterr()
    assert "一二三四" not in shown.out + shown.err + Path(path).read_text()
    assert Identity.open(Path(path), vault.passphrase_lock("一二三四五六七八", vault.locked_by(Path(path))[1])).enrolled
