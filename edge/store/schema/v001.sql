-- Version 1. Tables are STRICT; integers are as measured (value x 10^exponent of the profile's column), times in ms.
-- Times: boot counts the openings of the measuring store, mono_ms runs within one boot, wall_ms is UTC or NULL (a claim
-- of quality clock: 0 none, 1 RTC, 2 NTP, 3 GNSS). Lanes: 0 flash, 1 command, 2 picture, 3 track, 4 history, 5 bulk.

CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value ANY
) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('commits', 0), ('boot', 0), ('lamport', 0), ('readable_from', 1);

-- Every incarnation this store has had; the last one is the current one.
CREATE TABLE life (
    id INTEGER PRIMARY KEY,
    incarnation INTEGER NOT NULL,
    predecessor INTEGER,
    reason TEXT NOT NULL,
    boot INTEGER NOT NULL
) STRICT;

-- The next unused number of each of this store's own number spaces; moved in the transaction that uses the number.
CREATE TABLE counter (
    incarnation INTEGER NOT NULL,
    name TEXT NOT NULL,
    next INTEGER NOT NULL,
    PRIMARY KEY (incarnation, name)
) STRICT, WITHOUT ROWID;

-- What was learned about a boot's clock: wall time = mono_ms + offset_ms, by the best source heard so far.
CREATE TABLE boot (
    origin INTEGER NOT NULL,
    incarnation INTEGER NOT NULL,
    boot INTEGER NOT NULL,
    offset_ms INTEGER NOT NULL,
    clock INTEGER NOT NULL,
    PRIMARY KEY (origin, incarnation, boot)
) STRICT, WITHOUT ROWID;

-- fields: JSON array of [kind number, decimal exponent, predictor number].
CREATE TABLE profile (
    id INTEGER PRIMARY KEY,
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    fields TEXT NOT NULL,
    private INTEGER NOT NULL,
    UNIQUE (number, fields)
) STRICT;

-- Names of the measured kinds, for people and views; written from hardware/kinds.py at every opening.
CREATE TABLE kind (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    unit TEXT NOT NULL,
    zh TEXT NOT NULL,
    en TEXT NOT NULL
) STRICT;

CREATE TABLE event_kind (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    zh TEXT NOT NULL,
    en TEXT NOT NULL,
    fields TEXT NOT NULL
) STRICT;

-- A stream is one (subject, source, profile) of an origin; subject and source are NULL until its descriptor has come.
-- block: the block that carries this node's own descriptor, NULL while it waits.
CREATE TABLE stream (
    id INTEGER PRIMARY KEY,
    origin INTEGER NOT NULL,
    incarnation INTEGER NOT NULL,
    number INTEGER NOT NULL,
    subject TEXT,
    source TEXT,
    profile INTEGER NOT NULL REFERENCES profile (id),
    block INTEGER,
    UNIQUE (origin, incarnation, number)
) STRICT;
CREATE INDEX stream_subject ON stream (subject);

-- vals: JSON array of integers or null; quals: JSON array of quality numbers, NULL when every value is good.
-- vital: 1 when it travels under the key of those who may see vital signs.
-- block: the block it travels in, NULL while it waits to be sealed. level: 0 quarantine, 1 guest, 2 member, 3 origin, 4 command.
CREATE TABLE observation (
    id INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL REFERENCES stream (id),
    boot INTEGER NOT NULL,
    mono_ms INTEGER NOT NULL,
    wall_ms INTEGER,
    clock INTEGER NOT NULL,
    vals TEXT NOT NULL,
    quals TEXT,
    lane INTEGER NOT NULL,
    vital INTEGER NOT NULL,
    block INTEGER,
    level INTEGER NOT NULL,
    received_ms INTEGER
) STRICT;
CREATE INDEX observation_stream ON observation (stream, boot, mono_ms);
CREATE INDEX observation_waiting ON observation (lane, vital, id) WHERE block IS NULL;

-- One packet of a radio heard by several nodes is one observation; heard counts the copies.
CREATE TABLE radio_packet (
    radio TEXT NOT NULL,
    packet INTEGER NOT NULL,
    profile INTEGER NOT NULL,
    heard INTEGER NOT NULL,
    observation INTEGER NOT NULL,
    PRIMARY KEY (radio, packet, profile)
) STRICT, WITHOUT ROWID;

-- The newest value by subject and kind. at_boot, at_ms: when it was measured, on this store's own monotonic clock.
-- truth: 0 exact, 1 bounded, 2 live (of a picture); bound_m: metres within which a place is true, 0 when exact.
CREATE TABLE latest (
    subject TEXT NOT NULL,
    kind INTEGER NOT NULL,
    value INTEGER,
    exponent INTEGER NOT NULL,
    quality INTEGER NOT NULL,
    source TEXT NOT NULL,
    at_boot INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    wall_ms INTEGER,
    clock INTEGER NOT NULL,
    level INTEGER NOT NULL,
    truth INTEGER NOT NULL,
    bound_m INTEGER NOT NULL,
    PRIMARY KEY (subject, kind)
) STRICT, WITHOUT ROWID;

-- The newest scene picture of each node; vals: JSON object by name of sync/codec/scene.py. at_boot, at_ms: as in latest.
CREATE TABLE scene (
    origin INTEGER PRIMARY KEY,
    vals TEXT NOT NULL,
    at_boot INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    level INTEGER NOT NULL
) STRICT;

-- Bounded tracks of a node's streams (their numbers): points is a JSON array of [ms UTC, 1e-7 degrees north, east], between
-- which every fix is within bound_m metres at its own time.
CREATE TABLE span (
    id INTEGER PRIMARY KEY,
    origin INTEGER NOT NULL,
    incarnation INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    bound_m INTEGER NOT NULL,
    points TEXT NOT NULL,
    block INTEGER,
    level INTEGER NOT NULL,
    UNIQUE (origin, incarnation, stream, first_ms, last_ms, bound_m)
) STRICT;

-- body: JSON object with the event kind's integer keys; bytes stand as {"base64": ...}. recipients, parents: JSON arrays.
CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    origin INTEGER NOT NULL,
    incarnation INTEGER NOT NULL,
    number INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    actor TEXT NOT NULL,
    lamport INTEGER NOT NULL,
    boot INTEGER NOT NULL,
    mono_ms INTEGER NOT NULL,
    wall_ms INTEGER,
    clock INTEGER NOT NULL,
    body TEXT NOT NULL,
    parents TEXT NOT NULL,
    recipients TEXT NOT NULL,
    valid_s INTEGER,
    lane INTEGER NOT NULL,
    block INTEGER,
    level INTEGER NOT NULL,
    at_boot INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    received_ms INTEGER,
    UNIQUE (origin, incarnation, number)
) STRICT;
CREATE INDEX event_waiting ON event (lane, id) WHERE block IS NULL;
CREATE INDEX event_kind_order ON event (kind, lamport, origin, number);

-- One id means one byte string for ever. held: whether its bytes are still in payload; the row stays as the fact that it
-- was had. state: own, unpacked, pending (waits to be unpacked), kept (not for rows and events), unreadable, sealed (not
-- for this node), conflict, foreign (of an incident before this one). first_row, last_row: span of its observations' ids.
-- age_ms: its age when it came; at_boot, at_ms: when it came (of an own block: its oldest row), on this store's own clock.
CREATE TABLE block (
    id INTEGER PRIMARY KEY,
    origin INTEGER NOT NULL,
    incarnation INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    number INTEGER NOT NULL,
    state TEXT NOT NULL,
    held INTEGER NOT NULL,
    content INTEGER,
    level INTEGER NOT NULL,
    size INTEGER NOT NULL,
    hash BLOB NOT NULL,
    rows INTEGER NOT NULL,
    first_row INTEGER,
    last_row INTEGER,
    via TEXT NOT NULL,
    age_ms INTEGER NOT NULL,
    at_boot INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    UNIQUE (origin, incarnation, lane, number)
) STRICT;
CREATE INDEX block_rows ON block (last_row) WHERE last_row IS NOT NULL;
CREATE INDEX block_held ON block (origin, incarnation, lane, number) WHERE held;

CREATE TABLE payload (
    block INTEGER PRIMARY KEY REFERENCES block (id),
    bytes BLOB NOT NULL
) STRICT;

-- Blocks that wait to become rows and events. body: empty, what payload holds is opened for it; older stores kept it here.
CREATE TABLE unpacking (
    block INTEGER PRIMARY KEY REFERENCES block (id),
    body BLOB NOT NULL
) STRICT;

-- What a node is known to have committed; spans: JSON array of [first, last].
CREATE TABLE end_list (
    node INTEGER NOT NULL,
    origin INTEGER NOT NULL,
    incarnation INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    spans TEXT NOT NULL,
    PRIMARY KEY (node, origin, incarnation, lane)
) STRICT, WITHOUT ROWID;

-- What went out where: a hint for people and for sparing links, never a proof of delivery.
CREATE TABLE ledger (
    block INTEGER NOT NULL,
    bearer TEXT NOT NULL,
    times INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    at_boot INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (block, bearer)
) STRICT, WITHOUT ROWID;

CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY,
    origin INTEGER NOT NULL,
    incarnation INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    number INTEGER NOT NULL,
    hash BLOB NOT NULL,
    why TEXT NOT NULL,
    via TEXT NOT NULL,
    bytes BLOB NOT NULL,
    received_ms INTEGER,
    UNIQUE (origin, incarnation, lane, number, hash)
) STRICT;

-- Numbers that will never come, why (replaced, dropped) and how many rows they held; block: the block that says so.
CREATE TABLE hole (
    id INTEGER PRIMARY KEY,
    origin INTEGER NOT NULL,
    incarnation INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    reason TEXT NOT NULL,
    rows INTEGER NOT NULL,
    block INTEGER,
    UNIQUE (origin, incarnation, lane, first)
) STRICT;

-- For people: names, units, real values and local times.
CREATE VIEW v_observations AS
SELECT
    o.id,
    datetime(coalesce(o.wall_ms, o.mono_ms + b.offset_ms) / 1000.0, 'unixepoch', 'localtime') AS time,
    s.subject, s.source, coalesce(k.name, 'kind ' || json_extract(f.value, '$[0]')) AS kind, k.zh, k.en,
    round(json_extract(o.vals, '$[' || f.key || ']') * x.factor, x.decimals) AS value,
    k.unit,
    coalesce(json_extract(o.quals, '$[' || f.key || ']'), 0) AS quality,
    s.origin, o.level, o.lane, o.block
FROM observation o
JOIN stream s ON s.id = o.stream
JOIN profile p ON p.id = s.profile
JOIN json_each(p.fields) f
LEFT JOIN kind k ON k.number = json_extract(f.value, '$[0]')
LEFT JOIN v_factor x ON x.exponent = json_extract(f.value, '$[1]')
LEFT JOIN boot b ON b.origin = s.origin AND b.incarnation = s.incarnation AND b.boot = o.boot;

CREATE VIEW v_factor AS
SELECT column1 AS exponent, column2 AS factor, max(0, -column1) AS decimals FROM (VALUES
    (-9, 1e-9), (-8, 1e-8), (-7, 1e-7), (-6, 1e-6), (-5, 1e-5), (-4, 1e-4), (-3, 1e-3), (-2, 1e-2), (-1, 1e-1),
    (0, 1), (1, 10), (2, 100), (3, 1000), (4, 10000), (5, 100000), (6, 1000000));

CREATE VIEW v_latest AS
SELECT
    l.subject, coalesce(k.name, 'kind ' || l.kind) AS kind, k.zh, k.en,
    round(l.value * x.factor, x.decimals) AS value, k.unit, l.quality,
    datetime(coalesce(l.wall_ms, l.at_ms + b.offset_ms) / 1000.0, 'unixepoch', 'localtime') AS time, l.source, l.level,
    CASE l.truth WHEN 0 THEN 'exact' WHEN 1 THEN 'bounded' ELSE 'live' END AS class, l.bound_m
FROM latest l
LEFT JOIN kind k ON k.number = l.kind
LEFT JOIN v_factor x ON x.exponent = l.exponent
LEFT JOIN boot b ON b.origin = (SELECT value FROM meta WHERE name = 'origin') AND b.boot = l.at_boot;

CREATE VIEW v_events AS
SELECT
    e.id,
    datetime(coalesce(e.wall_ms, e.mono_ms + b.offset_ms) / 1000.0, 'unixepoch', 'localtime') AS time,
    coalesce(k.name, 'kind ' || e.kind) AS kind, k.zh, k.en, e.actor, e.body, k.fields AS body_fields,
    e.origin, e.number, e.lamport, e.recipients, e.valid_s, e.level, e.block
FROM event e
LEFT JOIN event_kind k ON k.number = e.kind
LEFT JOIN boot b ON b.origin = e.origin AND b.incarnation = e.incarnation AND b.boot = e.boot;

CREATE VIEW v_blocks AS
SELECT
    b.id, b.origin, b.incarnation, b.lane, b.number, b.state, b.rows, b.size, b.held, b.via,
    (SELECT group_concat(g.bearer) FROM ledger g WHERE g.block = b.id) AS sent_by
FROM block b;
