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
            AND NOT EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = c.oid)
        LOOP
            EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', unguarded);
            EXECUTE format(
                'CREATE POLICY own_scope ON %s USING (scope = (SELECT current_scope()))
                 WITH CHECK (scope = (SELECT current_scope()))', unguarded);
        END LOOP;
    END $$
"""
"""Hides the rows of other scopes in each table that has scopes. Run after every migration."""

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
    BEGIN
        IF to_regrole('par_append') IS NOT NULL THEN
            GRANT USAGE ON SCHEMA par TO par_append;
            GRANT SELECT ON migration TO par_append;
            GRANT EXECUTE ON FUNCTION current_scope, tips, stored, known_ids, key_of_scope, meet_key, append TO par_append;
        END IF;
        IF to_regrole('par_read') IS NOT NULL THEN
            GRANT USAGE ON SCHEMA par TO par_read;
            GRANT SELECT ON migration, event, head, ledger, audit TO par_read;
            GRANT EXECUTE ON FUNCTION current_scope, tips, key_of_scope, readable, failed TO par_read;
        END IF;
    END $$
"""
"""Gives the roles their part, where they exist. Run after every migration, and when the roles are made."""
