"""The list of scopes in Postgres, for those who look after all of them; no other query passes from scope to scope."""

from typing import Final

__all__ = ["POSTGRES"]

POSTGRES: Final[tuple[str, ...]] = (
    # besides the policy that every table has: what the function below reads as the owner of the table
    """
    CREATE POLICY listing ON ledger FOR SELECT USING (
        (SELECT current_setting('par.listing', true)) = 'on'
        AND current_user = (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'ledger'::regclass)
    )
    """,
    """
    CREATE FUNCTION scopes() RETURNS TABLE (name text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = par, pg_temp AS $$
    BEGIN
        PERFORM set_config('par.listing', 'on', true);
        RETURN QUERY SELECT ledger.scope FROM ledger
        WHERE position > 0 AND (
            NOT EXISTS (SELECT FROM login WHERE role = session_user)
            OR EXISTS (SELECT FROM login WHERE role = session_user AND scope_name = ledger.scope)
        )
        ORDER BY ledger.scope COLLATE "C";
        PERFORM set_config('par.listing', '', true);
    END $$
    """,
)
"""Needs ``postgres_events.POSTGRES``."""
