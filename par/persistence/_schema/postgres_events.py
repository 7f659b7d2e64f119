r"""The tables of the audit in Postgres: events by month, the heads of their chains, and who may remove what.

The body of an event is kept as the very text that is hashed. ``jsonb`` could not keep it: it orders keys, rewrites
numbers, and takes neither ``\u0000`` nor half a surrogate pair, all of which models write. As a second, stored
column it would nearly double the table (29 MB instead of 18 for 30,000 events of 280 bytes, 109 instead of 59 for
events of 1.4 kB) and make writing no faster than indexes on the parsed text do. So ``readable(body)`` is the
``jsonb``: of indexes when an event is stored, and of the view ``audit`` when it is read. It cannot differ from what
is hashed, as a column could.
"""

from typing import Final

__all__ = ["POSTGRES"]

_SCOPE: Final = (
    # which scopes a login may use; a login without a row may use any that it names
    """
    CREATE TABLE login (
        role name NOT NULL,
        scope_name text NOT NULL,
        PRIMARY KEY (role, scope_name)
    )
    """,
    """
    CREATE FUNCTION current_scope() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER SET search_path = par, pg_temp
    RETURN (
        SELECT named.scope FROM (SELECT nullif(current_setting('par.scope', true), '') AS scope) AS named
        WHERE NOT EXISTS (SELECT FROM login WHERE role = session_user)
            OR EXISTS (SELECT FROM login WHERE role = session_user AND scope_name = named.scope)
    )
    """,
    "REVOKE EXECUTE ON FUNCTION current_scope() FROM PUBLIC",
    # position counts the events of a scope; its row is what writers of the scope wait for
    """
    CREATE TABLE ledger (
        scope text PRIMARY KEY,
        position bigint NOT NULL DEFAULT 0 CHECK (position >= 0),
        fingerprint bytea CHECK (length(fingerprint) = 32)
    ) WITH (fillfactor = 50)
    """,
)

_EVENT: Final = (
    # not STRICT, though it could be: then it would be called, and not become part of what calls it
    r"""
    CREATE FUNCTION readable(body text) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE
        WHEN strpos(body, '\u') = 0 THEN body::jsonb
        ELSE regexp_replace(body, '\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', '\\ufffd', 'g')::jsonb
    END
    """,
    """
    CREATE FUNCTION failed(kind text, body text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE kind
        WHEN 'tool_call_ended' THEN readable(body) ->> 'outcome' NOT IN ('done', 'handoff', 'needs_approval')
        WHEN 'model_attempted' THEN readable(body) ->> 'outcome' = 'failed'
        WHEN 'model_call_ended' THEN readable(body) ->> 'error' IS NOT NULL
        WHEN 'bash_completed' THEN
            readable(body) ->> 'error_code' IS NOT NULL OR readable(body) ->> 'exit_code' IS DISTINCT FROM '0'
        WHEN 'run_ended' THEN readable(body) ->> 'stop_reason' IN ('failed', 'max_steps', 'budget')
        ELSE false
    END
    """,
    """
    CREATE TABLE event (
        position bigint NOT NULL,
        format smallint NOT NULL CHECK (format IN (2, 3)),
        scope text NOT NULL,
        session text NOT NULL,
        seq bigint NOT NULL CHECK (seq >= 1),
        id text NOT NULL,
        at timestamptz NOT NULL,
        run text NOT NULL,
        parent text,
        step bigint NOT NULL CHECK (step >= 0),
        kind text NOT NULL,
        body text,
        salt bytea CHECK ((salt IS NULL) = (body IS NULL)),
        body_hash bytea NOT NULL CHECK (length(body_hash) = 32),
        previous bytea NOT NULL CHECK (length(previous) = 32),
        hash bytea NOT NULL CHECK (length(hash) = 32),
        PRIMARY KEY (scope, session, seq, at),
        UNIQUE (scope, id, at)
    ) PARTITION BY RANGE (at)
    """,
    "CREATE INDEX event_position ON event (scope, position)",
    "CREATE INDEX event_run ON event (scope, run, position)",
    "CREATE INDEX event_kind ON event (scope, kind, at)",
    "CREATE INDEX event_call ON event (scope, (readable(body) ->> 'call_id'))",
    """
    CREATE INDEX event_tool ON event (scope, (readable(body) ->> 'name'), at)
    WHERE kind IN ('tool_call_started', 'tool_call_ended')
    """,
    """
    CREATE INDEX event_op ON event (scope, (readable(body) ->> 'op'), at)
    WHERE kind IN ('bash_invoked', 'bash_completed')
    """,
    """
    CREATE INDEX event_approval ON event (scope, at)
    WHERE kind = 'bash_invoked' AND readable(body) ->> 'approved_by' IS NOT NULL
    """,
    "CREATE INDEX event_failed ON event (scope, at) WHERE failed(kind, body)",
    """
    CREATE TABLE head (
        scope text NOT NULL,
        session text NOT NULL,
        seq bigint NOT NULL CHECK (seq >= 1),
        hash bytea NOT NULL CHECK (length(hash) = 32),
        format smallint NOT NULL CHECK (format IN (2, 3)),
        at timestamptz NOT NULL,
        position bigint NOT NULL,
        PRIMARY KEY (scope, session)
    ) WITH (fillfactor = 70)
    """,
    "CREATE INDEX head_at ON head (scope, at)",
    # the contents as they can be asked for; whoever asks needs the right to read the table
    """
    CREATE VIEW audit WITH (security_invoker = true) AS
    SELECT scope, position, session, seq, id, at, run, parent, step, kind, readable(body) AS data, body, hash FROM event
    """,
)

_PARTITION: Final = (
    # Rules of the table do not hold for a partition that is named directly, so it has its own. Attaching takes a
    # lock that neither readers nor writers wait for; making it as a partition would.
    """
    CREATE FUNCTION make_partition(month date) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = par, pg_temp AS $$
    DECLARE
        first date := date_trunc('month', month);
        name text := 'event_' || to_char(first, 'YYYY_MM');
    BEGIN
        IF to_regclass('par.' || name) IS NOT NULL THEN
            RETURN false;
        END IF;
        PERFORM pg_advisory_xact_lock(x'50415232'::bigint);
        -- not by name: waiting for this lock does not make the server forget that there was no such name
        IF EXISTS (SELECT FROM pg_class WHERE relname = name AND relnamespace = 'par'::regnamespace) THEN
            RETURN false;
        END IF;
        EXECUTE format('CREATE TABLE %I (LIKE event INCLUDING CONSTRAINTS INCLUDING DEFAULTS)', name);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY own_scope ON %I USING (scope = (SELECT current_scope()))
             WITH CHECK (scope = (SELECT current_scope()))', name);
        EXECUTE format(
            'CREATE TRIGGER event_is_never_emptied BEFORE TRUNCATE ON %I EXECUTE FUNCTION refuse()', name);
        EXECUTE format(
            'ALTER TABLE event ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name,
            first || ' 00:00:00+00', (first + interval '1 month')::date || ' 00:00:00+00');
        RETURN true;
    END $$
    """,
    "REVOKE EXECUTE ON FUNCTION make_partition(date) FROM PUBLIC",
)

_GUARDS: Final = (
    # Rows live within one transaction: that which removes something, and says so in the session par.audit
    """
    CREATE TABLE permit (
        what text NOT NULL CHECK (what IN ('redact', 'expire')),
        scope text NOT NULL,
        session text NOT NULL CHECK (session <> 'par.audit'),
        seq bigint NOT NULL,
        event text NOT NULL,
        PRIMARY KEY (what, scope, session, seq)
    )
    """,
    """
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the audit is append-only' USING ERRCODE = 'restrict_violation';
    END $$
    """,
    """
    CREATE FUNCTION check_permit() RETURNS trigger LANGUAGE plpgsql SET search_path = par, pg_temp AS $$
    BEGIN
        IF NOT EXISTS (
            SELECT FROM event WHERE scope = new.scope AND id = new.event AND session = 'par.audit'
            AND kind = CASE new.what WHEN 'redact' THEN 'records_redacted' ELSE 'records_expired' END
        ) THEN
            RAISE EXCEPTION 'the audit is append-only' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN new;
    END $$
    """,
    "CREATE TRIGGER permit_is_told BEFORE INSERT ON permit FOR EACH ROW EXECUTE FUNCTION check_permit()",
    "CREATE TRIGGER permit_is_never_changed BEFORE UPDATE ON permit FOR EACH ROW EXECUTE FUNCTION refuse()",
    """
    CREATE FUNCTION check_permit_is_gone() RETURNS trigger LANGUAGE plpgsql SET search_path = par, pg_temp AS $$
    BEGIN
        IF EXISTS (SELECT FROM permit WHERE (what, scope, session, seq) = (new.what, new.scope, new.session, new.seq)) THEN
            RAISE EXCEPTION 'a permit ends with its transaction' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE CONSTRAINT TRIGGER permit_ends AFTER INSERT ON permit DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION check_permit_is_gone()
    """,
    """
    CREATE FUNCTION check_change() RETURNS trigger LANGUAGE plpgsql SET search_path = par, pg_temp AS $$
    DECLARE
        bare event := old;
    BEGIN
        bare.body := NULL;
        bare.salt := NULL;
        IF new IS DISTINCT FROM bare OR NOT EXISTS (
            SELECT FROM permit
            WHERE what = 'redact' AND scope = old.scope AND session = old.session AND seq = old.seq
        ) THEN
            RAISE EXCEPTION 'the audit is append-only' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN new;
    END $$
    """,
    """
    CREATE FUNCTION check_removal() RETURNS trigger LANGUAGE plpgsql SET search_path = par, pg_temp AS $$
    BEGIN
        IF NOT EXISTS (
            SELECT FROM permit
            WHERE what = 'expire' AND scope = old.scope AND session = old.session AND seq >= old.seq
        ) THEN
            RAISE EXCEPTION 'the audit is append-only' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN old;
    END $$
    """,
    "CREATE TRIGGER event_is_never_changed BEFORE UPDATE ON event FOR EACH ROW EXECUTE FUNCTION check_change()",
    "CREATE TRIGGER event_is_never_deleted BEFORE DELETE ON event FOR EACH ROW EXECUTE FUNCTION check_removal()",
    "CREATE TRIGGER event_is_never_emptied BEFORE TRUNCATE ON event EXECUTE FUNCTION refuse()",
    "CREATE TRIGGER head_is_never_deleted BEFORE DELETE ON head FOR EACH ROW EXECUTE FUNCTION refuse()",
    "CREATE TRIGGER head_is_never_emptied BEFORE TRUNCATE ON head EXECUTE FUNCTION refuse()",
    """
    CREATE TRIGGER head_only_grows BEFORE UPDATE ON head FOR EACH ROW
    WHEN (new.scope <> old.scope OR new.session <> old.session OR new.seq <= old.seq) EXECUTE FUNCTION refuse()
    """,
    "CREATE TRIGGER ledger_is_never_deleted BEFORE DELETE ON ledger FOR EACH ROW EXECUTE FUNCTION refuse()",
    "CREATE TRIGGER ledger_is_never_emptied BEFORE TRUNCATE ON ledger EXECUTE FUNCTION refuse()",
    """
    CREATE TRIGGER ledger_only_grows BEFORE UPDATE ON ledger FOR EACH ROW
    WHEN (
        new.scope <> old.scope OR new.position < old.position
        OR old.fingerprint IS NOT NULL AND new.fingerprint IS DISTINCT FROM old.fingerprint
    ) EXECUTE FUNCTION refuse()
    """,
)

_WRITING: Final = (
    # What a writer needs, and nothing that lets it read: tips of chains, whether it stored something already, append.
    """
    CREATE FUNCTION tips(sessions text[]) RETURNS TABLE (session text, seq bigint, hash bytea, format smallint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = par, pg_temp
    BEGIN ATOMIC
        SELECT head.session, head.seq, head.hash, head.format FROM head
        WHERE head.scope = (SELECT current_scope()) AND head.session = ANY (sessions);
    END
    """,
    """
    CREATE FUNCTION stored(
        sessions text[], seqs bigint[], ids text[], ats text[], runs text[], parents text[], steps bigint[],
        kinds text[], bodies text[]
    ) RETURNS TABLE (session text, seq bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = par, pg_temp
    BEGIN ATOMIC
        SELECT event.session, event.seq
        FROM unnest(sessions, seqs, ids, ats, runs, parents, steps, kinds, bodies)
            AS given (session, seq, id, at, run, parent, step, kind, body)
        JOIN event ON event.scope = (SELECT current_scope())
            AND event.session = given.session AND event.seq = given.seq AND event.at = given.at::timestamptz
        WHERE event.id = given.id AND event.run = given.run AND event.parent IS NOT DISTINCT FROM given.parent
            AND event.step = given.step AND event.kind = given.kind
            AND (event.body = given.body OR event.body IS NULL);
    END
    """,
    """
    CREATE FUNCTION known_ids(ids text[]) RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = par, pg_temp
    BEGIN ATOMIC
        SELECT event.id FROM event WHERE event.scope = (SELECT current_scope()) AND event.id = ANY (ids);
    END
    """,
    """
    CREATE FUNCTION key_of_scope() RETURNS bytea LANGUAGE sql STABLE SECURITY DEFINER SET search_path = par, pg_temp
    BEGIN ATOMIC
        SELECT fingerprint FROM ledger WHERE scope = (SELECT current_scope());
    END
    """,
    """
    CREATE FUNCTION meet_key(given bytea) RETURNS bytea
    LANGUAGE sql SECURITY DEFINER SET search_path = par, pg_temp
    BEGIN ATOMIC
        INSERT INTO ledger (scope, fingerprint) VALUES (current_scope(), given)
        ON CONFLICT (scope) DO UPDATE SET fingerprint = coalesce(ledger.fingerprint, excluded.fingerprint)
        RETURNING fingerprint;
    END
    """,
    # The row of the scope in the ledger is locked first, until the commit. So positions have no gaps and become
    # visible in their order, the heads stand still, and two writers never wait for each other crosswise.
    """
    CREATE FUNCTION append(
        months text[], style smallint, notify boolean,
        sessions text[], seqs bigint[], ids text[], ats text[], runs text[], parents text[], steps bigint[],
        kinds text[], bodies text[], salts bytea[], body_hashes bytea[], previouses bytea[], hashes bytea[],
        chains text[], old_seqs bigint[], old_hashes bytea[], lasts integer[]
    ) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = par, pg_temp AS $$
    DECLARE
        mine text := current_scope();
        many bigint := cardinality(ids);
        base bigint;
        grown bigint;
        begun bigint;
    BEGIN
        IF mine IS NULL THEN
            RAISE EXCEPTION 'this login may not use the scope' USING ERRCODE = 'insufficient_privilege';
        END IF;
        PERFORM make_partition((month || '-01')::date) FROM unnest(months) AS month;
        UPDATE ledger SET position = position + many WHERE scope = mine RETURNING position - many INTO base;
        IF NOT FOUND THEN
            INSERT INTO ledger AS old (scope, position) VALUES (mine, many)
            ON CONFLICT (scope) DO UPDATE SET position = old.position + many
            RETURNING position - many INTO base;
        END IF;
        UPDATE head SET
            seq = seqs[chain.last], hash = hashes[chain.last], format = style, at = ats[chain.last]::timestamptz,
            position = base + chain.last
        FROM unnest(chains, old_seqs, old_hashes, lasts) AS chain (session, seq, hash, last)
        WHERE head.scope = mine AND head.session = chain.session AND head.seq = chain.seq AND head.hash = chain.hash;
        GET DIAGNOSTICS grown = ROW_COUNT;
        IF grown < cardinality(chains) THEN
            INSERT INTO head (scope, session, seq, hash, format, at, position)
            SELECT mine, session, seqs[last], hashes[last], style, ats[last]::timestamptz, base + last
            FROM unnest(chains, old_seqs, lasts) AS chain (session, seq, last)
            WHERE seq = 0
            ON CONFLICT DO NOTHING;
            GET DIAGNOSTICS begun = ROW_COUNT;
            IF grown + begun < cardinality(chains) THEN
                RAISE EXCEPTION 'a chain has grown' USING ERRCODE = 'PA001';
            END IF;
        END IF;
        INSERT INTO event (
            position, format, scope, session, seq, id, at, run, parent, step, kind, body, salt, body_hash, previous, hash
        )
        SELECT base + place, style, mine, session, seq, id, at::timestamptz, run, parent, step, kind, body, salt,
            body_hash, previous, hash
        FROM unnest(
            sessions, seqs, ids, ats, runs, parents, steps, kinds, bodies, salts, body_hashes, previouses, hashes
        ) WITH ORDINALITY AS given (
            session, seq, id, at, run, parent, step, kind, body, salt, body_hash, previous, hash, place
        );
        IF notify THEN
            PERFORM pg_notify('par_' || md5(mine), (base + many)::text);
        END IF;
        RETURN base + many;
    END $$
    """,
    "REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA par FROM PUBLIC",
)

POSTGRES: Final[tuple[str, ...]] = (*_SCOPE, *_EVENT, *_GUARDS, *_PARTITION, *_WRITING)
"""Schema 1."""
