"""Trust kept up to date while a node runs: what blocks tell of roster, revocations, keys and proofs is taken in, and told.

`step` is called again and again on the thread that owns log and keyring. It only ever looks at blocks that are committed, so
a crash between any two lines loses nothing: the next start looks at them all again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any, Final, TypeAlias

from edge.identity.identity import Identity
from edge.store.log import StoreLog
from edge.store.review import Found, Review
from edge.store.store import Fresh, Store
from edge.supervisor import Reporter
from hardware.clock import ClockQuality
from hardware.driver import Health
from hardware.errors import ConfigError, DecodeError, SealError, StoreError
from sync.ids import BlockId, Content, Header, KeyClass, Lane, Source
from sync.seal.contract import Opened
from sync.seal.keyring import Keyring
from sync.trust import proofs
from sync.trust.book import Book, Item, Learned, body_of, incarnation_item, items_of
from sync.trust.proofs import DUE_S, LISTED, Proof

log = logging.getLogger(__name__)

Caller: TypeAlias = Callable[..., Awaitable[Any]]
EVERY_S: Final = 2.0  # the identity's file is looked at, and lists of hashes fall due
LISTED_LANES: Final = (Lane.TRACK, Lane.HISTORY, Lane.BULK)  # flash and command carry their signatures inside
EARLY: Final = 1 << 16  # proofs remembered that came before their blocks
TELLING: Final = (Content.TRUST, Content.SIGNATURE, Content.HASHES)
URGENT: Final = (Item.REVOCATION,)


class Steward:
    """One running node's trust. Its keyring, roster and revocations are the identity's and the log's own."""

    def __init__(self, identity: Identity, keyring: Keyring, store: Store, log: StoreLog) -> None:
        self.identity, self.keyring = identity, keyring
        self.book: Book = identity.book(keyring)
        self.problems: list[str] = []
        self._store, self._log, self._review = store, log, Review(store)
        self._told = self._seen = 0
        self._early: OrderedDict[BlockId, Callable[[bytes], None]] = OrderedDict()
        self._stamp, self._gone = 0, False
        self._unlisted_since: dict[Lane, float] = {}
        self._declare()

    def close(self) -> None:
        """Let the reading connection go."""
        self._review.close()

    async def run(self, call: Caller, moved: Callable[[], None], reporter: Reporter) -> None:
        """Step again and again on the node's thread until cancelled; `moved` is called when there is something to send."""
        loop, came = asyncio.get_running_loop(), asyncio.Event()

        def told(fresh: Fresh) -> None:
            if fresh.blocks:
                loop.call_soon_threadsafe(came.set)

        self._store.watch(told)
        while True:
            came.clear()
            try:
                if await call(self.step):
                    moved()
                why = "; ".join(self.problems)
            except (
                StoreError,
                ConfigError,
            ) as error:  # another program has the file for a moment, or it is not ours any more
                why = str(error)
            reporter.health(Health.DEGRADED if why else Health.UP, why)
            with suppress(TimeoutError):
                async with asyncio.timeout(EVERY_S):
                    await came.wait()

    def step(self) -> bool:
        """Do everything that is due; whether trust changed or something is to be sent. StoreError, ConfigError."""
        self._follow_file()
        learned = self._hear()
        if learned.revoked:
            self._judge()
        changed = learned.changed or learned.revoked
        while learned.admitted or learned.keys or learned.revoked:
            learned = self._open_again()
        if changed:
            self.identity.save()
        changed = self._publish() or changed
        for lane in LISTED_LANES:
            changed = self._list(lane) or changed
        self.problems = self._look()
        return changed

    # what came

    def _hear(self) -> Learned:
        """Take in what blocks tell that came since the last step."""
        everything = Learned()
        for found in self._since():
            if found.content in TELLING and (opened := self._open(found)) is not None:
                self._tell(opened, everything)
            elif found.id in self._early and (block := self._review.block(found.id)) is not None:
                self._early.pop(found.id)(block)
        return everything

    def _since(self) -> Iterator[Found]:
        """At first only what tells, from the beginning; later every block, for a proof may wait for it."""
        contents = TELLING if not self._seen else None
        while found := self._review.after(self._told, contents):
            yield from found
            self._told = found[-1].row
        self._seen = 1

    def _open(self, found: Found) -> Opened | None:
        block = self._review.block(found.id)
        try:
            if block is None or not self.keyring.readable(Header.decode(block)[0]):
                return None
            return self.keyring.open(block, found.id.incarnation)
        except (SealError, DecodeError):
            return None

    def _tell(self, opened: Opened, everything: Learned) -> None:
        try:
            self._handlers[Content(opened.body[0])](self, opened, everything)
        except (DecodeError, SealError) as error:
            log.info("block %s: %s", opened.id, error)

    def _trust(self, opened: Opened, everything: Learned) -> None:
        learned = self.book.apply(items_of(opened.body[1:]), opened.id.origin)
        for why in learned.refused:
            log.info("block %s: %s", opened.id, why)
        for epoch, keys in learned.keys:
            self.identity.keep(epoch, keys)
        everything.take(learned)

    def _hashes(self, opened: Opened, everything: Learned) -> None:
        for proof in proofs.read_hashes(opened, self.keyring):
            block = self._review.block(proof.id)
            if block is not None:
                self._match(proof, block)
            else:
                self._await(proof.id, lambda block, proof=proof: self._match(proof, block))  # type: ignore[misc]

    def _signature(self, opened: Opened, everything: Learned) -> None:
        block_id = proofs.signed_id(opened)
        block = self._review.block(block_id)
        if block is None:
            self._await(block_id, lambda block: self._sign(opened, block))
        else:
            self._sign(opened, block)

    _handlers: Final = {Content.TRUST: _trust, Content.HASHES: _hashes, Content.SIGNATURE: _signature}

    def _await(self, block_id: BlockId, arrived: Callable[[bytes], None]) -> None:
        self._early[block_id] = arrived
        while len(self._early) > EARLY:
            self._early.popitem(last=False)

    def _match(self, proof: Proof, block: bytes) -> None:
        if proofs.holds(proof, self.keyring, block):
            self._review.prove([proof.id], proof.level)
        else:
            log.warning("block %s is not the one that its origin signed for: set aside", proof.id)
            self._review.contradict(proof.id)

    def _sign(self, opened: Opened, block: bytes) -> None:
        try:
            level = proofs.read_signature(opened, self.keyring, block)
        except SealError as error:
            log.info("block %s: %s", opened.id, error)
        else:
            self._review.prove([proofs.signed_id(opened)], level)

    # what follows

    def _judge(self) -> None:
        """Quarantine what revocations take back."""
        for origin, last in self.keyring.revoked.items():
            count = self._review.distrust(origin, last)
            if count:
                log.warning("%d blocks of revoked node %d are set aside", count, origin)

    def _open_again(self) -> Learned:
        """Adopt what opens now of the blocks kept without a key, or under a doubt that is gone."""
        everything, row = Learned(), 0
        while found := self._review.doubtful(row):
            row = found[-1].row
            opened = [(each.row, block) for each in found if (block := self._open(each)) is not None and block.level]
            if opened:
                self._review.adopt(opened)
            for _, block in opened:
                if block.body and block.body[0] in TELLING:
                    self._tell(block, everything)
        everything.revoked = False
        return everything

    # what goes out

    def _follow_file(self) -> None:
        """A command beside this program may have let nodes in or revoked some."""
        try:
            stamp = self.identity.path.stat().st_mtime_ns
        except OSError:
            stamp = 0
        if stamp in (0, self._stamp):
            self._gone = not stamp
            return
        self._stamp = stamp
        self.identity.reload()
        before = dict(self.keyring.revoked)
        self.book.refresh()
        for epoch, held in self.identity.epochs().items():
            for keys in held:
                if not self.keyring.holds(epoch, keys):
                    self.keyring.add_epoch(epoch, keys)
        if self.keyring.revoked != before:
            self._judge()
        self._open_again()

    def _publish(self) -> bool:
        """Authored items that no block carries yet travel in one: revocations as flash, the rest as command."""
        unsent = self.identity.unsent()
        for lane, items in (
            (Lane.FLASH, [item for item in unsent if item[0] in URGENT]),
            (Lane.COMMAND, [item for item in unsent if item[0] not in URGENT]),
        ):
            if items:
                self._log.put(lane, Content.TRUST, body_of(items), KeyClass.TRUST)
                for item in items:
                    self.identity.mark_sent(item)
        if unsent:
            self.identity.save()
        return bool(unsent)

    def _declare(self) -> None:
        """A new life names the one before it, under this node's signature."""
        life = self._store.life
        if life.predecessor is not None and self._review.told("declared life") != life.incarnation:
            self.identity.author(incarnation_item(self.keyring, life.predecessor))
            self._review.tell("declared life", life.incarnation)

    def _look(self) -> list[str]:
        """What people have to know: certificates end by a clock that can be trusted, and by no other."""
        stamp, found = self._store.clock.stamp(), []
        if stamp.wall_ms is not None and stamp.quality >= ClockQuality.NTP:
            ended = self.book.date(stamp.wall_ms // 60_000)
            found += [f"certificate of {name} is over (证书已过期)" for name in ended]
        found += [f"two keys claim roster index {index} (编号冲突)" for index in self.identity.roster.conflicts]
        if self._gone:
            found.append(f"{self.identity.path} is gone (身份文件不在了)")
        if self.keyring.origin in self.keyring.revoked:
            found.append("this node is revoked (本节点已被吊销)")
        return found

    def _list(self, lane: Lane) -> bool:
        """Sign for own history: a list of hashes when enough blocks or the oldest of them is due."""
        source = Source(*self._store.place, lane)
        name = f"listed {source.incarnation}.{int(lane)}"
        run = self._review.run(lane, self._review.told(name), LISTED)
        if all(each.content == Content.HASHES for each in run):
            self._unlisted_since.pop(lane, None)
            return False
        now = self._store.clock.mono()
        since = self._unlisted_since.setdefault(lane, now)
        if len(run) < LISTED and now - since < DUE_S:
            return False
        self._unlisted_since.pop(lane)
        blocks = [self._review.block(each.id) or b"" for each in run]
        body = proofs.hashes_body(self.keyring, source, run[0].id.number, blocks)
        self._log.put(lane, Content.HASHES, body[1:])
        self._review.tell(name, run[-1].id.number + 1)
        return True
