"""What is done to shared windows in Postgres: each step is one call, so that the lock is held no longer than it takes.

Whoever changes a window locks its row in ``limiter`` first.
"""

from typing import Final

__all__ = ["WINDOW_FUNCTIONS"]

_CLOCK: Final = """
    CREATE FUNCTION limiter_clock() RETURNS bigint LANGUAGE sql VOLATILE
    RETURN (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
"""

# a clock that was set back would keep everything in the window for as long: the times go back with it
_OPEN: Final = """
    CREATE FUNCTION limiter_open(mine text, its_key text) RETURNS limiter LANGUAGE plpgsql AS $$
    DECLARE
        bucket limiter;
        now_us bigint;
        back bigint;
    BEGIN
        PERFORM set_config('synchronous_commit', 'off', true); -- a window is past before a server is up again
        SELECT * INTO bucket FROM limiter WHERE scope = mine AND key = its_key FOR UPDATE;
        IF NOT FOUND THEN
            INSERT INTO limiter (scope, key, latest) VALUES (mine, its_key, limiter_clock()) ON CONFLICT DO NOTHING;
            SELECT * INTO bucket FROM limiter WHERE scope = mine AND key = its_key FOR UPDATE;
        END IF;
        now_us := limiter_clock();
        IF now_us < bucket.latest THEN
            back := bucket.latest - now_us;
            UPDATE limiter_place SET at = at - back, until = until - back WHERE scope = mine AND key = its_key;
            bucket.held_until := bucket.held_until - back;
        END IF;
        bucket.latest := now_us;
        RETURN bucket;
    END $$
"""

_CLOSE: Final = """
    CREATE FUNCTION limiter_close(bucket limiter) RETURNS void LANGUAGE sql
    BEGIN ATOMIC
        UPDATE limiter SET
            places = bucket.places, requests = bucket.requests, tokens = bucket.tokens,
            held_until = bucket.held_until, latest = bucket.latest,
            told_requests = bucket.told_requests, told_tokens = bucket.told_tokens
        WHERE scope = bucket.scope AND key = bucket.key;
    END
"""

_DELAY: Final = """
    CREATE FUNCTION limiter_delay(
        bucket limiter, most_requests bigint, most_tokens bigint, per_us bigint,
        more_requests bigint, more_tokens bigint
    ) RETURNS bigint LANGUAGE plpgsql AS $$
    DECLARE
        over_requests bigint := coalesce(bucket.requests + more_requests - most_requests, 0);
        over_tokens bigint := coalesce(bucket.tokens + more_tokens - most_tokens, 0);
        free_at bigint := bucket.held_until;
        granted record;
    BEGIN
        IF over_requests > 0 OR over_tokens > 0 THEN
            FOR granted IN
                SELECT at, requests, tokens FROM limiter_place
                WHERE scope = bucket.scope AND key = bucket.key AND at IS NOT NULL AND requests + tokens > 0 ORDER BY at
            LOOP
                free_at := greatest(free_at, granted.at + per_us);
                over_requests := over_requests - granted.requests;
                over_tokens := over_tokens - granted.tokens;
                EXIT WHEN over_requests <= 0 AND over_tokens <= 0;
            END LOOP;
        END IF;
        RETURN greatest(0, free_at - bucket.latest);
    END $$
"""

_CALL: Final = """
    CREATE FUNCTION limiter_call_first(mine text, its_key text) RETURNS void LANGUAGE plpgsql AS $$
    DECLARE
        first text;
    BEGIN
        SELECT owner INTO first FROM limiter_place
        WHERE scope = mine AND key = its_key AND at IS NULL ORDER BY place LIMIT 1;
        IF FOUND THEN
            PERFORM pg_notify('par_limit_' || first, '');
        END IF;
    END $$
"""

_ADVANCE: Final = """
    CREATE FUNCTION rate_advance(
        its_key text, own_requests bigint, own_tokens bigint, per_us bigint, transit_us bigint,
        me text, lease_us bigint, ids bigint[], needs bigint[], waits bigint[],
        OUT granted bigint[], OUT refused bigint[], OUT delays bigint[], OUT ahead bigint, OUT sure_us bigint,
        OUT learned_requests bigint, OUT learned_tokens bigint
    ) LANGUAGE plpgsql AS $$
    DECLARE
        mine text := current_scope();
        bucket limiter := limiter_open(mine, its_key);
        most_requests bigint := least(own_requests, CASE WHEN own_requests > 0 THEN bucket.told_requests END);
        most_tokens bigint := least(own_tokens, CASE WHEN own_tokens > 0 THEN bucket.told_tokens END);
        arrives bigint := bucket.latest + transit_us;
        lapses bigint := bucket.latest + lease_us;
        moved boolean;
        one record;
        need bigint;
        before bigint;
        late bigint;
    BEGIN
        granted := '{}';
        refused := '{}';
        delays := '{}';
        learned_requests := bucket.told_requests;
        learned_tokens := bucket.told_tokens;
        WITH past AS (
            DELETE FROM limiter_place
            WHERE scope = mine AND key = its_key AND at IS NOT NULL AND at <= bucket.latest - per_us
            RETURNING requests, tokens
        )
        SELECT bucket.requests - coalesce(sum(requests), 0), bucket.tokens - coalesce(sum(tokens), 0)
        INTO bucket.requests, bucket.tokens FROM past;
        DELETE FROM limiter_place
        WHERE scope = mine AND key = its_key AND at IS NULL AND until <= bucket.latest AND NOT id = ANY (ids);
        moved := FOUND;

        FOR one IN
            SELECT asked.id, found.at FROM unnest(ids) WITH ORDINALITY AS asked (id, number)
            JOIN limiter_place AS found ON found.scope = mine AND found.key = its_key AND found.id = asked.id
            ORDER BY asked.number
        LOOP
            IF one.at IS NOT NULL THEN -- it was granted, and the answer was lost: the request leaves only now
                UPDATE limiter_place SET at = arrives WHERE scope = mine AND key = its_key AND id = one.id;
                granted := granted || one.id;
            ELSE
                UPDATE limiter_place SET until = lapses WHERE scope = mine AND key = its_key AND id = one.id;
            END IF;
        END LOOP;

        LOOP
            SELECT id, tokens INTO one FROM limiter_place
            WHERE scope = mine AND key = its_key AND at IS NULL ORDER BY place LIMIT 1;
            EXIT WHEN NOT FOUND OR NOT one.id = ANY (ids);
            EXIT WHEN limiter_delay(bucket, most_requests, most_tokens, per_us, 1, one.tokens) > 0;
            UPDATE limiter_place SET at = arrives WHERE scope = mine AND key = its_key AND id = one.id;
            granted := granted || one.id;
            bucket.requests := bucket.requests + 1;
            bucket.tokens := bucket.tokens + one.tokens;
            moved := true;
        END LOOP;

        FOR one IN
            SELECT asked.id, asked.need, asked.wait
            FROM unnest(ids, needs, waits) WITH ORDINALITY AS asked (id, need, wait, number)
            WHERE NOT EXISTS (SELECT FROM limiter_place WHERE scope = mine AND key = its_key AND id = asked.id)
            ORDER BY asked.number
        LOOP
            need := least(one.need, most_tokens);
            SELECT count(*) INTO before FROM limiter_place WHERE scope = mine AND key = its_key AND at IS NULL;
            IF before > 0 OR limiter_delay(bucket, most_requests, most_tokens, per_us, 1, need) > 0 THEN
                IF one.wait IS NOT NULL THEN
                    late := limiter_delay(bucket, most_requests, most_tokens, per_us, 1 + before, 0);
                    IF late > one.wait THEN
                        refused := refused || one.id;
                        delays := delays || late;
                        CONTINUE;
                    END IF;
                END IF;
                INSERT INTO limiter_place (scope, key, id, place, owner, until, requests, tokens)
                VALUES (mine, its_key, one.id, bucket.places + 1, me, lapses, 1, need);
            ELSE
                INSERT INTO limiter_place (scope, key, id, place, owner, until, at, requests, tokens)
                VALUES (mine, its_key, one.id, bucket.places + 1, me, lapses, arrives, 1, need);
                granted := granted || one.id;
                bucket.requests := bucket.requests + 1;
                bucket.tokens := bucket.tokens + need;
            END IF;
            bucket.places := bucket.places + 1;
        END LOOP;

        SELECT place, tokens INTO one FROM limiter_place
        WHERE scope = mine AND key = its_key AND at IS NULL AND id = ANY (ids) ORDER BY place LIMIT 1;
        IF FOUND THEN
            SELECT count(*), coalesce(sum(tokens), 0) INTO ahead, before FROM limiter_place
            WHERE scope = mine AND key = its_key AND at IS NULL AND place < one.place;
            sure_us := limiter_delay(
                bucket, most_requests, most_tokens, per_us, 1 + ahead, (before + one.tokens)::bigint);
        END IF;
        PERFORM limiter_close(bucket);
        IF moved AND ahead IS DISTINCT FROM 0 THEN
            PERFORM limiter_call_first(mine, its_key);
        END IF;
    END $$
"""

_SETTLE: Final = """
    CREATE FUNCTION rate_settle(its_key text, its_id bigint, used_requests bigint, used_tokens bigint)
    RETURNS void LANGUAGE plpgsql AS $$
    DECLARE
        mine text := current_scope();
        bucket limiter := limiter_open(mine, its_key);
        one limiter_place;
    BEGIN
        SELECT * INTO one FROM limiter_place
        WHERE scope = mine AND key = its_key AND id = its_id AND at IS NOT NULL AND NOT settled;
        IF FOUND THEN
            UPDATE limiter_place
            SET requests = used_requests, tokens = used_tokens, at = least(at, bucket.latest), settled = true
            WHERE scope = mine AND key = its_key AND id = its_id;
            bucket.requests := bucket.requests + used_requests - one.requests;
            bucket.tokens := bucket.tokens + used_tokens - one.tokens;
            PERFORM limiter_call_first(mine, its_key);
        END IF;
        PERFORM limiter_close(bucket);
    END $$
"""

_WITHDRAW: Final = """
    CREATE FUNCTION rate_withdraw(
        its_key text, its_id bigint, own_requests bigint, own_tokens bigint, per_us bigint, need bigint
    ) RETURNS bigint LANGUAGE plpgsql AS $$
    DECLARE
        mine text := current_scope();
        bucket limiter := limiter_open(mine, its_key);
        most_requests bigint := least(own_requests, CASE WHEN own_requests > 0 THEN bucket.told_requests END);
        most_tokens bigint := least(own_tokens, CASE WHEN own_tokens > 0 THEN bucket.told_tokens END);
        one limiter_place;
    BEGIN
        DELETE FROM limiter_place WHERE scope = mine AND key = its_key AND id = its_id RETURNING * INTO one;
        IF FOUND THEN
            IF one.at IS NOT NULL THEN
                bucket.requests := bucket.requests - one.requests;
                bucket.tokens := bucket.tokens - one.tokens;
            END IF;
            PERFORM limiter_call_first(mine, its_key);
        ELSE -- a cancelled call may still be on its way here: it finds a place that was granted, and is worth nothing
            INSERT INTO limiter_place (scope, key, id, place, owner, until, at, requests, tokens, settled)
            VALUES (mine, its_key, its_id, 0, '', 0, bucket.latest, 0, 0, true);
        END IF;
        PERFORM limiter_close(bucket);
        RETURN limiter_delay(bucket, most_requests, most_tokens, per_us, 1, least(need, most_tokens));
    END $$
"""

_HEED: Final = """
    CREATE FUNCTION rate_heed(its_key text, new_requests bigint, new_tokens bigint, hold_us bigint)
    RETURNS void LANGUAGE plpgsql AS $$
    DECLARE
        mine text := current_scope();
        bucket limiter := limiter_open(mine, its_key);
    BEGIN
        bucket.told_requests := coalesce(new_requests, bucket.told_requests);
        bucket.told_tokens := coalesce(new_tokens, bucket.told_tokens);
        bucket.held_until := greatest(bucket.held_until, bucket.latest + hold_us);
        PERFORM limiter_close(bucket);
        PERFORM limiter_call_first(mine, its_key);
    END $$
"""

WINDOW_FUNCTIONS: Final[tuple[str, ...]] = (
    _CLOCK,
    _OPEN,
    _CLOSE,
    _DELAY,
    _CALL,
    _ADVANCE,
    _SETTLE,
    _WITHDRAW,
    _HEED,
)
