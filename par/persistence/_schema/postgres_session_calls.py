"""What is done to durable sessions in Postgres, each in one call: owning one, and a batch of changes with its events."""

from typing import Final

__all__ = ["POSTGRES_2"]

_OWNING: Final = (
    # What came of it, and the fence, or whose it is and for how long. ``dead`` and ``alive`` are what the caller knows of
    # an owner that it was told of: one that is dead is none, and one that may be alive when its lease is over is a rival
    """
    CREATE FUNCTION session_acquire(
        name text, its_owner text, lease_us bigint, wants text, its_agent text, now_at timestamptz, dead text, alive text,
        OUT came_to text, OUT its_fence bigint, OUT holder text, OUT left_s float8
    ) LANGUAGE plpgsql AS $$
    DECLARE
        mine text := current_scope();
        known session;
        until timestamptz := clock_timestamp() + lease_us * interval '1 microsecond';
    BEGIN
        SELECT * INTO known FROM session WHERE scope = mine AND id = name FOR NO KEY UPDATE;
        IF known.id IS NULL THEN
            IF wants <> 'new' THEN
                came_to := 'absent';
                RETURN;
            END IF;
            INSERT INTO session (scope, id, agent, state, owner, fence, lease_until, created_at, updated_at)
            VALUES (mine, name, its_agent, 'pending', its_owner, 1, until, now_at, now_at) ON CONFLICT DO NOTHING;
            IF FOUND THEN
                came_to := 'owned';
                its_fence := 1;
                RETURN;
            END IF;
            SELECT * INTO known FROM session WHERE scope = mine AND id = name FOR NO KEY UPDATE;
        END IF;
        holder := known.owner;
        left_s := extract(epoch FROM known.lease_until - clock_timestamp());
        IF known.owner <> its_owner AND left_s > 0 AND known.owner <> dead THEN
            came_to := 'busy';
        ELSIF known.owner NOT IN (its_owner, dead, alive) AND known.lease_until IS NOT NULL THEN
            came_to := 'lapsed';
        ELSIF wants = 'new' AND known.open THEN
            came_to := 'unfinished';
        ELSIF wants = 'open' AND NOT known.open THEN
            came_to := 'ended';
        ELSE
            UPDATE session SET
                fence = fence + 1, rival = rival OR (lease_until IS NOT NULL AND owner = alive), owner = its_owner,
                lease_until = until, updated_at = now_at
            WHERE scope = mine AND id = name RETURNING fence INTO its_fence;
            came_to := CASE WHEN FOUND THEN 'owned' ELSE 'absent' END;
        END IF;
    END $$
    """,
    # Whoever locks several does so in their order, so nobody waits crosswise
    """
    CREATE FUNCTION session_renew(names text[], owners text[], fences bigint[], lease_us bigint) RETURNS SETOF text
    LANGUAGE plpgsql AS $$
    DECLARE
        mine text := current_scope();
    BEGIN
        PERFORM FROM session WHERE scope = mine AND id = ANY (names) ORDER BY id FOR NO KEY UPDATE;
        UPDATE session SET lease_until = clock_timestamp() + lease_us * interval '1 microsecond'
        FROM unnest(names, owners, fences) AS lease (name, owner, fence)
        WHERE scope = mine AND id = lease.name AND session.owner = lease.owner AND session.fence = lease.fence
            AND lease_until IS NOT NULL;
        RETURN QUERY SELECT lease.name FROM unnest(names, owners, fences) AS lease (name, owner, fence)
        WHERE NOT EXISTS (
            SELECT FROM session
            WHERE scope = mine AND id = lease.name AND session.owner = lease.owner AND session.fence = lease.fence
        );
    END $$
    """,
    # with the rights of the owner of the tables: others may remove no session that has a turn
    """
    CREATE FUNCTION session_release(name text, its_owner text, its_fence bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = par, pg_temp AS $$
    DECLARE
        mine text := current_scope();
    BEGIN
        UPDATE session SET lease_until = NULL
        WHERE scope = mine AND id = name AND owner = its_owner AND fence = coalesce(its_fence, fence);
        IF FOUND THEN
            DELETE FROM session WHERE scope = mine AND id = name AND owner = its_owner AND turns = 0;
        END IF;
    END $$
    """,
)

_CHECKPOINT: Final = (
    # A batch of changes and their events. ``leases`` are those that must hold, or nothing is done; ``doubts`` those of
    # changes that are refused in any case. Returns the places of those that do not, and the sessions for which signals
    # wait. The sessions are locked in their order, and only then the ledger, which append does
    """
    CREATE FUNCTION checkpoint(
        changes json, months text[], style smallint, notify boolean,
        sessions text[], seqs bigint[], ids text[], ats text[], runs text[], parents text[], steps bigint[],
        kinds text[], bodies text[], salts bytea[], body_hashes bytea[], previouses bytea[], hashes bytea[],
        chains text[], old_seqs bigint[], old_hashes bytea[], lasts integer[],
        OUT lost integer[], OUT doubtful integer[], OUT waiting text[]
    ) LANGUAGE plpgsql AS $$
    DECLARE
        mine text := current_scope();
        asked text[] := ARRAY(SELECT json_array_elements_text(changes -> 'asks'));
    BEGIN
        PERFORM FROM session WHERE scope = mine AND id = ANY (asked) ORDER BY id FOR NO KEY UPDATE;
        lost := ARRAY(
            SELECT place FROM json_to_recordset(changes -> 'leases')
                AS lease (place integer, session text, owner text, fence bigint)
            WHERE NOT EXISTS (
                SELECT FROM session
                WHERE scope = mine AND id = lease.session AND session.owner = lease.owner AND session.fence = lease.fence
            )
        );
        doubtful := ARRAY(
            SELECT place FROM json_to_recordset(changes -> 'doubts')
                AS lease (place integer, session text, owner text, fence bigint)
            WHERE NOT EXISTS (
                SELECT FROM session
                WHERE scope = mine AND id = lease.session AND session.owner = lease.owner AND session.fence = lease.fence
            )
        );
        IF cardinality(lost) > 0 THEN
            RETURN;
        END IF;
        UPDATE session SET
            updated_at = given.at, steps = coalesce(given.steps, session.steps),
            tokens = coalesce(given.tokens, session.tokens), cost_micro = coalesce(given.cost, cost_micro),
            state = coalesce(given.state, session.state),
            agent = CASE WHEN given.turn >= turns THEN given.agent ELSE session.agent END,
            open = CASE WHEN given.turn >= turns THEN given.open ELSE session.open END,
            waits_until = CASE WHEN given.turn > turns THEN '-infinity' ELSE waits_until END,
            rival = rival AND NOT coalesce(given.turn > turns, false),
            turns = greatest(turns, given.turn),
            lease_until = CASE WHEN given.releases THEN NULL ELSE lease_until END
        FROM json_to_recordset(changes -> 'sessions') AS given (
            session text, at timestamptz, steps bigint, tokens bigint, cost bigint, state text, agent text, turn bigint,
            open boolean, releases boolean
        )
        WHERE scope = mine AND id = given.session;
        IF json_array_length(changes -> 'turns') > 0 THEN
            INSERT INTO turn (
                scope, session, number, id, state, message_id, ended_at, first_seq, last_seq, facts, input, messages
            )
            SELECT mine, session, number, id, state, message_id, ended_at,
                coalesce(first, 1 + coalesce((SELECT tips.seq FROM tips(ARRAY[given.session])), 0)),
                CASE WHEN ended_at IS NOT NULL THEN
                    coalesce(last, (SELECT tips.seq FROM tips(ARRAY[given.session])), 0)
                END, facts, input, messages
            FROM json_to_recordset(changes -> 'turns') AS given (
                session text, number bigint, id text, state text, message_id text, ended_at timestamptz, first bigint,
                last bigint, facts text, input text, messages text
            )
            ON CONFLICT (scope, session, number) DO UPDATE SET
                id = excluded.id, state = excluded.state, message_id = excluded.message_id,
                ended_at = excluded.ended_at,
                last_seq = CASE WHEN turn.ended_at IS NULL THEN excluded.last_seq ELSE turn.last_seq END,
                facts = excluded.facts, input = excluded.input, messages = excluded.messages;
        END IF;
        IF json_array_length(changes -> 'steps') > 0 THEN
            INSERT INTO step (scope, session, turn, ord, kind, status, attempt, label, result, inbox)
            SELECT mine, session, turn, ord, kind, status, attempt, label, result, inbox
            FROM json_to_recordset(changes -> 'steps') AS given (
                session text, turn bigint, ord bigint, kind text, status text, attempt bigint, label text, result text,
                inbox text
            )
            ON CONFLICT (scope, session, turn, ord) DO UPDATE SET
                kind = excluded.kind, status = excluded.status, attempt = excluded.attempt, label = excluded.label,
                result = excluded.result, inbox = excluded.inbox
            WHERE step.status = 'started';
        END IF;
        IF json_array_length(changes -> 'rest') > 0 THEN
            UPDATE step SET result = NULL, inbox = NULL
            FROM json_to_recordset(changes -> 'clears') AS given (session text, turn bigint)
            WHERE scope = mine AND step.session = given.session AND step.turn = given.turn
                AND (result IS NOT NULL OR inbox IS NOT NULL);
            UPDATE signal SET
                ord = given.ord,
                turn = coalesce(given.turn, (SELECT turns FROM session WHERE scope = mine AND id = given.session))
            FROM json_to_recordset(changes -> 'takes') AS given (session text, id text, turn bigint, ord bigint)
            WHERE scope = mine AND signal.session = given.session AND signal.id = given.id AND signal.turn IS NULL;
            INSERT INTO approval (scope, session, id, turn, ord, status, asked_at, expires_at, body)
            SELECT mine, session, id, turn, ord, status, asked_at, expires_at, body
            FROM json_to_recordset(changes -> 'approvals') AS given (
                session text, id text, turn bigint, ord bigint, status text, asked_at timestamptz,
                expires_at timestamptz, body text
            )
            ON CONFLICT (scope, session, id) DO UPDATE SET
                status = excluded.status, expires_at = excluded.expires_at, body = excluded.body;
            UPDATE session SET waits_until = coalesce((
                SELECT max(coalesce(expires_at, 'infinity')) FROM approval
                WHERE approval.scope = mine AND approval.session = session.id AND approval.turn = session.turns
                    AND status = 'pending'
            ), '-infinity')
            FROM (
                SELECT DISTINCT session AS name FROM json_to_recordset(changes -> 'approvals') AS given (session text)
            ) AS changed
            WHERE scope = mine AND id = changed.name;
        END IF;
        IF cardinality(ids) > 0 THEN
            PERFORM append(
                months, style, notify, sessions, seqs, ids, ats, runs, parents, steps, kinds, bodies, salts,
                body_hashes, previouses, hashes, chains, old_seqs, old_hashes, lasts
            );
        END IF;
        waiting := ARRAY(
            SELECT ask.session FROM unnest(asked) AS ask (session)
            WHERE EXISTS (SELECT FROM signal WHERE scope = mine AND signal.session = ask.session AND turn IS NULL)
        );
    END $$
    """,
)

POSTGRES_2: Final[tuple[str, ...]] = (*_OWNING, *_CHECKPOINT)
"""Schema 2. Needs ``postgres_sessions.POSTGRES_2`` and ``postgres_events.POSTGRES``."""
