"""Who may do what in Postgres: rules that hold for each table, and the two roles."""

from typing import Final

__all__ = ["GRANTS", "GUARD", "ROLES"]

GUARD: Final = """
    DO $$
    DECLARE
        unguarded regclass;
    BEGIN
        FOR unguarded IN
            SELECT c.oid FROM pg_class AS c
            JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'scope' AND NOT a.attisdropped
            WHERE c.relnamespace = 'par'::regnamespace AND c.relkind IN ('r', 'p')
            AND NOT EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = c.oid AND p.polname = 'own_scope')
        LOOP
            EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', unguarded);
            EXECUTE format(
                'CREATE POLICY own_scope ON %s USING (scope = (SELECT current_scope()))
                 WITH CHECK (scope = (SELECT current_scope()))', unguarded);
        END LOOP;
        REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA par FROM PUBLIC;
    END $$
"""
"""Hides the rows of other scopes in each table that has scopes, and keeps everybody from calling the functions. Run
after every migration."""

ROLES: Final[tuple[str, ...]] = tuple(
    f"""
    DO $$
    BEGIN
        IF to_regrole('{role}') IS NULL THEN
            CREATE ROLE {role} NOLOGIN;
        END IF;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
        NULL; -- another process made it just now
    END $$
    """
    for role in ("par_append", "par_read")
)
"""Makes the roles, which belong to the whole server."""

GRANTS: Final = """
    DO $$
    DECLARE
        of_limits text;
    BEGIN
        SELECT string_agg(oid::regprocedure::text, ', ') INTO of_limits FROM pg_proc
        WHERE pronamespace = 'par'::regnamespace AND proname ~ '^(limiter|rate|budget)_';
        IF to_regrole('par_append') IS NOT NULL THEN
            GRANT USAGE ON SCHEMA par TO par_append;
            GRANT SELECT ON migration TO par_append;
            GRANT EXECUTE ON FUNCTION current_scope, tips, stored, known_ids, key_of_scope, meet_key, append TO par_append;
            GRANT SELECT (scope, id), INSERT, DELETE,
                UPDATE (replays, replayed_at, attempts, reason, error_type, error_message) ON dead_letter TO par_append;
            GRANT EXECUTE ON FUNCTION is_redacted TO par_append;
            GRANT SELECT, INSERT, DELETE, UPDATE (summary, categories, at, source) ON memory TO par_append;
            GRANT SELECT, INSERT, UPDATE (size, words) ON memory_words TO par_append;
            GRANT INSERT ON history_words TO par_append;
            GRANT SELECT, INSERT, UPDATE (position) ON history_indexed TO par_append;
            GRANT EXECUTE ON FUNCTION stems, vector_of, keep_memory, memory_hits TO par_append;
            IF of_limits IS NOT NULL THEN
                GRANT SELECT, INSERT, UPDATE, DELETE ON limiter, limiter_place, allowance, allowance_hold TO par_append;
                EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO par_append', of_limits);
            END IF;
            IF to_regclass('par.turn') IS NOT NULL THEN
                GRANT SELECT, INSERT, UPDATE ON session, turn, step, signal, approval TO par_append;
                GRANT EXECUTE ON FUNCTION checkpoint, session_acquire, session_renew, session_release TO par_append;
            END IF;
        END IF;
        IF to_regrole('par_read') IS NOT NULL THEN
            GRANT USAGE ON SCHEMA par TO par_read;
            GRANT SELECT ON migration, event, head, ledger, audit, dead_letter TO par_read;
            GRANT SELECT ON memory, memory_words, history_words, history_indexed TO par_read;
            GRANT EXECUTE ON FUNCTION
                current_scope, tips, key_of_scope, readable, failed, scopes, stems, memory_hits, history_hits TO par_read;
            IF of_limits IS NOT NULL THEN
                GRANT SELECT ON limiter, limiter_place, allowance, allowance_hold TO par_read;
            END IF;
            IF to_regclass('par.turn') IS NOT NULL THEN
                GRANT SELECT ON session, turn, step, signal, approval TO par_read;
            END IF;
        END IF;
    END $$
"""
"""Gives the roles their part, where they exist. Run after every migration, and when the roles are made.

Those who append own sessions, and therefore read what those hold; they remove none that has a turn.

Whoever has both may besides replay dead letters, which needs to read them and to delete them, and search what was said,
which needs to read events and to write the index.
"""
