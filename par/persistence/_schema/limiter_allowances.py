"""What is done to shared allowances in Postgres. Whoever changes an allowance locks its row in ``allowance`` first."""

from typing import Final

__all__ = ["ALLOWANCE_FUNCTIONS"]

ALLOWANCE_FUNCTIONS: Final[tuple[str, ...]] = (
    """
    CREATE FUNCTION budget_period(unit text) RETURNS text LANGUAGE sql STABLE
    RETURN coalesce(to_char(
        clock_timestamp() AT TIME ZONE 'UTC',
        CASE unit WHEN 'hour' THEN 'YYYY-MM-DD"T"HH24' WHEN 'day' THEN 'YYYY-MM-DD' WHEN 'month' THEN 'YYYY-MM' END
    ), '')
    """,
    # gives back what was held for calls whose process is gone; a call that is settled later is charged then
    """
    CREATE FUNCTION budget_return(mine text, its_key text, its_period text) RETURNS allowance LANGUAGE plpgsql AS $$
    DECLARE
        account allowance;
        now_us bigint := limiter_clock();
    BEGIN
        WITH lost AS (
            UPDATE allowance_hold SET returned = true
            WHERE scope = mine AND key = its_key AND period = its_period AND NOT returned AND until <= now_us
            RETURNING tokens, cost, steps
        )
        UPDATE allowance SET
            tokens = tokens - (SELECT coalesce(sum(lost.tokens), 0) FROM lost),
            cost = cost - (SELECT coalesce(sum(lost.cost), 0) FROM lost),
            steps = steps - (SELECT coalesce(sum(lost.steps), 0) FROM lost)
        WHERE scope = mine AND key = its_key AND period = its_period RETURNING * INTO account;
        DELETE FROM allowance_hold
        WHERE scope = mine AND key = its_key AND period = its_period AND returned AND until <= now_us - 86400000000;
        RETURN account;
    END $$
    """,
    """
    CREATE FUNCTION budget_open(mine text, its_key text, its_period text) RETURNS allowance LANGUAGE plpgsql AS $$
    DECLARE
        account allowance;
    BEGIN
        SELECT * INTO account FROM allowance
        WHERE scope = mine AND key = its_key AND period = its_period FOR UPDATE;
        IF NOT FOUND THEN
            INSERT INTO allowance (scope, key, period) VALUES (mine, its_key, its_period) ON CONFLICT DO NOTHING;
            DELETE FROM allowance WHERE scope = mine AND key = its_key AND period <> its_period AND period NOT IN (
                SELECT period FROM allowance WHERE scope = mine AND key = its_key ORDER BY period DESC LIMIT 3);
            SELECT * INTO account FROM allowance
            WHERE scope = mine AND key = its_key AND period = its_period FOR UPDATE;
        END IF;
        RETURN account;
    END $$
    """,
    """
    CREATE FUNCTION budget_reserve(
        its_key text, unit text, most_tokens bigint, most_cost bigint, most_steps bigint,
        more_tokens bigint, more_cost bigint, more_steps bigint, its_id bigint, lease_us bigint,
        OUT lacking text, OUT used bigint, OUT its_period text
    ) LANGUAGE plpgsql AS $$
    DECLARE
        mine text := current_scope();
        account allowance;
        again boolean := false;
    BEGIN
        its_period := budget_period(unit);
        account := budget_open(mine, its_key, its_period);
        PERFORM FROM allowance_hold WHERE scope = mine AND id = its_id;
        IF FOUND THEN -- it was done, and the answer was lost
            RETURN;
        END IF;
        LOOP
            lacking := CASE
                WHEN account.tokens + more_tokens > most_tokens THEN 'tokens'
                WHEN account.cost + more_cost > most_cost THEN 'cost'
                WHEN account.steps + more_steps > most_steps THEN 'steps'
            END;
            EXIT WHEN lacking IS NULL OR again;
            again := true;
            account := budget_return(mine, its_key, its_period);
        END LOOP;
        IF lacking IS NOT NULL THEN
            used := CASE lacking WHEN 'tokens' THEN account.tokens WHEN 'cost' THEN account.cost ELSE account.steps END;
            RETURN;
        END IF;
        INSERT INTO allowance_hold (scope, id, key, period, tokens, cost, steps, until)
        VALUES (mine, its_id, its_key, its_period, more_tokens, more_cost, more_steps, limiter_clock() + lease_us);
        UPDATE allowance SET tokens = tokens + more_tokens, cost = cost + more_cost, steps = steps + more_steps
        WHERE scope = mine AND key = its_key AND period = its_period;
    END $$
    """,
    """
    CREATE FUNCTION budget_settle(
        its_key text, its_period text, its_id bigint, used_tokens bigint, used_cost bigint, used_steps bigint
    ) RETURNS void LANGUAGE plpgsql AS $$
    DECLARE
        mine text := current_scope();
        held allowance_hold;
    BEGIN
        PERFORM FROM allowance WHERE scope = mine AND key = its_key AND period = its_period FOR UPDATE;
        DELETE FROM allowance_hold WHERE scope = mine AND id = its_id RETURNING * INTO held;
        IF FOUND THEN
            UPDATE allowance SET
                tokens = tokens + used_tokens - CASE WHEN held.returned THEN 0 ELSE held.tokens END,
                cost = cost + used_cost - CASE WHEN held.returned THEN 0 ELSE held.cost END,
                steps = steps + used_steps - CASE WHEN held.returned THEN 0 ELSE held.steps END
            WHERE scope = mine AND key = its_key AND period = its_period;
        END IF;
    END $$
    """,
    # gives back what a cancelled call may have taken; if it is still on its way here, it finds that it was there
    """
    CREATE FUNCTION budget_drop(its_key text, unit text, its_id bigint) RETURNS void LANGUAGE plpgsql AS $$
    DECLARE
        mine text := current_scope();
        its_period text := budget_period(unit);
    BEGIN
        PERFORM budget_open(mine, its_key, its_period);
        SELECT period INTO its_period FROM allowance_hold WHERE scope = mine AND id = its_id;
        IF FOUND THEN
            PERFORM budget_settle(its_key, its_period, its_id, 0, 0, 0);
        ELSE
            INSERT INTO allowance_hold (scope, id, key, period, tokens, cost, steps, until, returned)
            VALUES (mine, its_id, its_key, budget_period(unit), 0, 0, 0, limiter_clock(), true)
            ON CONFLICT DO NOTHING;
        END IF;
    END $$
    """,
    """
    CREATE FUNCTION budget_used(its_key text, unit text) RETURNS allowance LANGUAGE plpgsql AS $$
    DECLARE
        mine text := current_scope();
        its_period text := budget_period(unit);
    BEGIN
        PERFORM FROM allowance WHERE scope = mine AND key = its_key AND period = its_period FOR UPDATE;
        RETURN budget_return(mine, its_key, its_period);
    END $$
    """,
    """
    CREATE FUNCTION budget_renew(ids bigint[], lease_us bigint) RETURNS void LANGUAGE sql
    BEGIN ATOMIC
        UPDATE allowance_hold SET until = limiter_clock() + lease_us
        WHERE scope = current_scope() AND id = ANY (ids) AND NOT returned;
    END
    """,
)
"""Need ``limiter_clock()`` of the windows."""
