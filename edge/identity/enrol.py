"""An incident is founded, nodes are let in, keys are changed: acts on identities at rest, with no network and no server."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from edge.identity.identity import KEY_FILE, Identity, Secrets
from edge.identity.vault import Lock, file_lock, make_key_file
from hardware.errors import SealError
from sync.records import Anchor
from sync.seal.contract import Role
from sync.seal.epochs import EpochKeys, transit_of
from sync.seal.keyring import Keyring
from sync.seal.suite import KEY, SUITE_1, Suite
from sync.trust import enrolment
from sync.trust.book import certificate_item, rekey_item, revocation_item
from sync.trust.certificate import INDEXES, Certificate, issue
from sync.trust.charter import INCIDENT, Charter
from sync.trust.enrolment import SALT, TOKEN, Grant, Invite, Request
from sync.trust.rekey import SALT as REKEY_SALT
from sync.trust.rekey import Master, rekey
from sync.trust.revocation import Last, Revoked

FIRST_EPOCH: Final = 1
PRIVATE: Final = 64
DAY_MINUTES: Final = 24 * 60
FAR: Final = 1 << 13  # of the index space, what a founding node leaves to other enrolling nodes


def found(
    path: Path, lock: Lock, title: str, name: str, anchor: Anchor, *, index: int = 1, suite: Suite = SUITE_1
) -> Identity:
    """A new incident, whose root is this node; it may give out every index. ConfigError where a file lies already."""
    private, incident, field, vital, trust = map(secrets.token_bytes, (PRIVATE, INCIDENT, KEY, KEY, KEY))
    device = suite.load(private)
    draft = Certificate(index, Role.COMMAND, name, device.public, index, 1, first=1, count=INDEXES - 1)
    root = issue(draft, incident, device)
    charter = Charter(incident, suite.number, title, anchor, root).signed(device)
    transit = transit_of(suite, incident, field)
    epochs: dict[int, list[list[bytes | None]]] = {FIRST_EPOCH: [[transit, field, vital, None]]}
    return Identity.make(path, lock, Secrets(charter.encode(), index, private, trust, 1, epochs), name)


def master(identity: Identity) -> Master:
    """The random keys of the epoch that seals; SealError where this node does not hold them."""
    epochs = identity.epochs()
    if epochs:
        epoch = max(epochs)
        keys = min(epochs[epoch], key=lambda held: held.transit)
        if keys.field is not None and keys.vital is not None:
            return Master(epoch, keys.field, keys.vital)
    raise SealError("this node does not hold the keys that it would have to give out (本节点没有可分发的密钥)")


def invite(identity: Identity, name: str, role: Role, *, index: int = 0, span: int = 0) -> Invite:
    """An invite for one node; its index (a free one when 0) is reserved from now on. span: how many indexes a command node may
    itself give out. SealError when this node may not."""
    own = identity.certificate
    if own.role is not Role.COMMAND or not own.count:
        raise SealError(f"{own.name} may not let nodes in (本节点无权准入)")
    if span and role is not Role.COMMAND:
        raise SealError("only a command node lets others in (只有指挥节点可准入他人)")
    index = index or _free(identity, 1)
    chain = tuple(identity.roster.chain(identity.node)[1:])
    made = Invite(identity.charter, chain, secrets.token_bytes(TOKEN), index, role, name)
    if not own.may_issue(index) or index in identity.roster or index in identity.secrets.invites:
        raise SealError(f"index {index} is taken, or not {own.name}'s to give (编号 {index} 不可用)")
    identity.secrets.invites[index] = _pending(made, span)
    identity.save()
    return made


def waiting(identity: Identity) -> list[Invite]:
    """Invites of this node that nobody came in by yet."""
    offers = (_pended(data)[0] for _, data in sorted(identity.secrets.invites.items()))
    return [offer for offer in offers if offer.index not in identity.roster]


def join(path: Path, lock: Lock, invited: Invite) -> tuple[Identity, Request]:
    """A new device answers an invite: a new identity that waits for its grant. SealError when the invite does not hold."""
    roster = invited.roster()
    private = secrets.token_bytes(PRIVATE)
    asked = enrolment.request(invited, invited.suite.load(private))
    certificates = [held.encode() for held in roster.everything()[1:]]
    kept = Secrets(
        invited.charter.encode(), invited.index, private, certificates=certificates, joining=[invited.encode(), asked.encode()]
    )  # fmt: skip
    return Identity.make(path, lock, kept, invited.name), asked


def invited(identity: Identity, asked: Request) -> Invite:
    """The invite of ours that a request answers; SealError when there is none."""
    for data in identity.secrets.invites.values():
        found, _ = _pended(data)
        if found.reference == asked.reference:
            asked.check(found)
            return found
    raise SealError("no invite of this node asked for this request (没有对应的邀请)")


def accept(identity: Identity, asked: Request, typed: str, *, minutes: int | None = None, days: int = 0) -> Grant:
    """Let the device in whose screen shows the digits `typed`; doing so twice gives the same certificate again.

    minutes: UTC minutes since 1970 by this machine's clock; days: validity from now, 0 for open. SealError when the digits are
    not those of the request, or the clock cannot be right.
    """
    if "".join(typed.split()) != enrolment.code(invited(identity, asked), asked).replace(" ", ""):
        raise SealError("the digits differ: not the device in front of you, or a typing error (校验码不符)")
    return let_in(identity, asked, _validity(identity, minutes, days))


def let_in(identity: Identity, asked: Request, validity: tuple[int, int] = (0, 0)) -> Grant:
    """As `accept`, where nobody can have come in between."""
    offer = invited(identity, asked)
    held = identity.roster.get(offer.index)
    if held is not None and held.public != asked.public:
        raise SealError(f"index {offer.index} was given to another device; invite anew (编号已被占用,请重新邀请)")
    certificate = held or _certify(identity, offer, asked, validity)
    ring = identity.keyring(0)
    ring.admit(certificate.index, certificate.peer)
    granted = enrolment.grant(
        asked, certificate, master(identity), identity.secrets.trust, ring, secrets.token_bytes(SALT)
    )
    identity.roster.add(certificate)
    identity.author(certificate_item(certificate))
    identity.save()
    return granted


def ours(identity: Identity, granted: Grant) -> bool:
    """Whether a grant answers what this device asked."""
    joining = identity.secrets.joining
    return bool(joining) and granted.answers(Request.decode(joining[1]), identity.suite)


def complete(identity: Identity, granted: Grant, minutes: int | None = None) -> None:
    """The device takes its grant; SealError when it is not its own, not as promised, or over by this machine's clock."""
    if identity.enrolled:
        raise SealError("let in already; nothing was changed (早已入网,未作改动)")
    offer, asked = Invite.decode(identity.secrets.joining[0]), Request.decode(identity.secrets.joining[1])
    certificate = granted.certificate
    if minutes is not None and certificate.ended(minutes):
        raise SealError(
            "the certificate is over by this machine's clock; one of the two clocks is wrong (时钟有误或证书已过期)"
        )
    ring = Keyring(identity.charter.incident, identity.node, 0, {}, device=identity.device, suite=identity.suite)
    for index, peer in identity.roster.peers().items():
        ring.admit(index, peer)
    keys, trust = enrolment.take(granted, offer, asked, ring)
    identity.roster.add(certificate)
    identity.keep(granted.epoch, keys)
    identity.secrets.trust = trust
    identity.secrets.joining = []
    identity.save()


def revoke(
    identity: Identity,
    nodes: Iterable[int],
    last: Mapping[int, Last],
    trust_past: bool = True,
    draw: Callable[[int], bytes] = secrets.token_bytes,
) -> list[str]:
    """Revoke nodes and change the keys of all that remain; with no node, only the keys change. The names of those revoked.

    last: by node, the last numbers of theirs to believe; trust_past: whether what they signed for others so far still counts.
    draw: gives so many random bytes; another only in simulations.
    """
    if identity.role is not Role.COMMAND:
        raise SealError("only a command node revokes (只有指挥节点可吊销)")
    own, entries, names = identity.revocations.latest(identity.node), {}, []
    for index in nodes:
        held = identity.roster.get(index)
        if held is None or index in (identity.node, identity.roster.root.index):
            raise SealError(f"node {index} is not on the roster, or cannot be revoked here (编号 {index} 不可吊销)")
        names.append(held.name)
        entries[index] = _revoked(identity, index, last.get(index, {}), trust_past)
    fresh = Master(master(identity).epoch + 1, draw(KEY), draw(KEY))
    if entries:
        rest = [entry for entry in own.entries if entry.index not in entries]
        merged = tuple(sorted((*rest, *entries.values()), key=lambda entry: entry.index))
        made = replace(own, version=own.version + 1, safe_epoch=fresh.epoch, entries=merged)
        made = made.signed(identity.charter.incident, identity.device)
        identity.revocations.add(made, identity.roster)
        identity.author(revocation_item(made))
    _change_keys(identity, fresh, draw(REKEY_SALT))
    identity.save()
    return names


def _change_keys(identity: Identity, fresh: Master, salt: bytes) -> None:
    ring = identity.keyring(0)
    book = identity.book(ring)
    identity.author(rekey_item(rekey(fresh, book.remaining(), ring, salt)))
    transit = transit_of(identity.suite, identity.charter.incident, fresh.field)
    identity.keep(fresh.epoch, EpochKeys(transit, fresh.field, fresh.vital))


def _revoked(identity: Identity, index: int, last: Last, trust_past: bool) -> Revoked:
    if not trust_past:
        return Revoked(index)
    issued = max((held.serial for held in identity.roster.everything() if held.issuer == index), default=0)
    return Revoked(index, last, identity.revocations.latest(index).version, issued)


def _certify(identity: Identity, offer: Invite, asked: Request, validity: tuple[int, int]) -> Certificate:
    _, span = _pended(identity.secrets.invites[offer.index])
    identity.secrets.serial += 1
    first = _free(identity, span) if span else 0
    draft = Certificate(
        offer.index,
        offer.role,
        offer.name,
        asked.public,
        identity.node,
        identity.secrets.serial,
        *validity,
        first,
        span,
    )
    return issue(draft, identity.charter.incident, identity.device)


def _validity(identity: Identity, minutes: int | None, days: int) -> tuple[int, int]:
    """Since and until, both 0 where the end is open."""
    if not days:
        return 0, 0
    if minutes is None or minutes < identity.anchor.start_ms // 60_000 - DAY_MINUTES:
        raise SealError(
            "this machine's clock is before the incident began: set it, or give no days (时钟早于事件开始,请校时或不设有效期)"
        )
    return minutes, minutes + days * DAY_MINUTES


def _free(identity: Identity, wanted: int) -> int:
    """A free run of indexes: single ones from the low end; runs for other enrolling nodes far above them."""
    return identity.roster.free(identity.certificate, wanted, FAR if wanted > 1 else 1, identity.secrets.invites)


def _pending(made: Invite, span: int) -> bytes:
    return span.to_bytes(2, "big") + made.encode()


def _pended(data: bytes) -> tuple[Invite, int]:
    return Invite.decode(data[2:]), int.from_bytes(data[:2], "big")


def create(folder: Path, roles: Mapping[int, Role], suite: Suite = SUITE_1, anchor: Anchor | None = None) -> list[Path]:
    """An incident with all its nodes at once, for exercises and tests: `file_of` each node, all opened by KEY_FILE beside them.

    The first command node is the root; all enrol as in the field, but nobody compares digits, and each knows all at once.
    ConfigError where files lie.
    """
    commands = [node for node, role in roles.items() if role is Role.COMMAND]
    if not commands:
        raise SealError("an incident needs a command node (至少需要一个指挥节点)")
    folder.mkdir(parents=True, exist_ok=True)
    key, first = make_key_file(folder / KEY_FILE), commands[0]
    where = anchor or Anchor(0, 0, 0)
    root = found(file_of(folder, first), file_lock(key), "demo", f"N{first}", where, index=first, suite=suite)
    identities = [root]
    for node in roles:
        if node != first:
            offer = invite(root, f"N{node}", roles[node], index=node)
            identity, asked = join(file_of(folder, node), file_lock(key), offer)
            complete(identity, let_in(root, asked))
            identities.append(identity)
    for identity in identities:
        identity.roster.merge(root.roster)
        identity.save()
    return [file_of(folder, node) for node in roles]


def file_of(folder: Path, node: int) -> Path:
    """Where `create` puts a node's identity."""
    return folder / f"node{node}.keys"
