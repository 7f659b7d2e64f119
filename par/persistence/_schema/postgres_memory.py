"""The tables of memories in Postgres, and the indexes that find them and what was said in sessions.

``owner`` is whose memory it is within a scope, empty for what all of the scope share. The vectors of words hold stems
of tokens that par makes, and in capital letters, which no token has, the tokens of the owners and ``ALL``.

What is looked for stands in the setting ``par.query``, and the policies of the tables of words ask for it. In a
statement's own ``WHERE`` it would find no index: under row-level security an operator that is not leakproof, as the
one of text search is not, is asked only after the policy. It stands there too, for superusers, whom no policy holds.
Without the setting, all rows of the scope are seen.
"""

from typing import Final

__all__ = ["POSTGRES"]

_MEMORY: Final = (
    """
    CREATE TABLE memory (
        scope text NOT NULL,
        owner text NOT NULL,
        id text NOT NULL COLLATE "C",
        content text NOT NULL,
        summary text NOT NULL,
        categories text NOT NULL,
        at timestamptz NOT NULL,
        source text NOT NULL,
        digest bytea NOT NULL CHECK (octet_length(digest) = 32),
        PRIMARY KEY (scope, owner, id),
        UNIQUE (scope, owner, digest)
    )
    """,
    """
    CREATE TABLE memory_words (
        scope text NOT NULL,
        owner text NOT NULL,
        id text NOT NULL COLLATE "C",
        size integer NOT NULL,
        words tsvector NOT NULL,
        PRIMARY KEY (scope, owner, id),
        FOREIGN KEY (scope, owner, id) REFERENCES memory (scope, owner, id) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX memory_words_words ON memory_words USING gin (words)",
)

_HISTORY: Final = (
    """
    CREATE TABLE history_words (
        scope text NOT NULL,
        position bigint NOT NULL,
        session text NOT NULL,
        at timestamptz NOT NULL,
        size integer NOT NULL,
        words tsvector NOT NULL,
        PRIMARY KEY (scope, position)
    )
    """,
    "CREATE INDEX history_words_words ON history_words USING gin (words)",
    # up to which event the texts of the scope's sessions are in history_words
    """
    CREATE TABLE history_indexed (
        scope text PRIMARY KEY,
        position bigint NOT NULL DEFAULT 0 CHECK (position >= 0)
    )
    """,
)

_WORDS: Final = (
    *[
        f"""
        CREATE POLICY own_scope ON {table} USING (
            scope = (SELECT current_scope())
            AND words @@ (SELECT coalesce(nullif(current_setting('par.query', true), ''), 'ALL')::tsquery)
        ) WITH CHECK (scope = (SELECT current_scope()))
        """
        for table in ("memory_words", "history_words")
    ],
    *[
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"
        for table in ("memory_words", "history_words")
    ],
    # a sample of the words would stay among the planner's statistics when the words are gone
    *[f"ALTER TABLE {table} ALTER words SET STATISTICS 0" for table in ("memory_words", "history_words")],
    # that of the server leaves out words such as "not", and any word must find what holds it
    "CREATE TEXT SEARCH DICTIONARY stem (TEMPLATE = snowball, LANGUAGE = english)",
    """
    CREATE FUNCTION stems(tokens text[]) RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE
    RETURN ARRAY(SELECT DISTINCT (ts_lexize('stem'::regdictionary, token))[1] FROM unnest(tokens) AS token)
    """,
    """
    CREATE FUNCTION vector_of(owners text[], tokens text[]) RETURNS tsvector LANGUAGE sql STABLE PARALLEL SAFE
    RETURN array_to_tsvector('{ALL}' || owners || stems(tokens))
    """,
)

_CALLS: Final = (
    # one after the other, or many at once could pass the limit together
    """
    CREATE FUNCTION keep_memory(
        its_owner text, its_id text, its_content text, its_summary text, its_categories text, its_at timestamptz,
        its_source text, its_digest bytea, owners text[], tokens text[], most bigint
    ) RETURNS text LANGUAGE plpgsql AS $$
    DECLARE
        mine text := current_scope();
        known text;
    BEGIN
        PERFORM pg_advisory_xact_lock(x'50415234'::int, hashtext(mine || chr(10) || its_owner));
        UPDATE memory SET summary = its_summary, categories = its_categories, at = its_at, source = its_source
        WHERE scope = mine AND owner = its_owner AND digest = its_digest RETURNING id INTO known;
        IF FOUND THEN
            UPDATE memory_words SET size = cardinality(tokens), words = vector_of(owners, tokens)
            WHERE scope = mine AND owner = its_owner AND id = known;
            RETURN known;
        END IF;
        IF (SELECT count(*) FROM memory WHERE scope = mine AND owner = its_owner) >= most THEN
            RETURN NULL;
        END IF;
        INSERT INTO memory (scope, owner, id, content, summary, categories, at, source, digest)
        VALUES (mine, its_owner, its_id, its_content, its_summary, its_categories, its_at, its_source, its_digest);
        INSERT INTO memory_words (scope, owner, id, size, words)
        VALUES (mine, its_owner, its_id, cardinality(tokens), vector_of(owners, tokens));
        RETURN its_id;
    END $$
    """,
    # A term at a time: a rare word is not lost among the places of a common one, and each says how rare it is
    """
    CREATE FUNCTION memory_hits(its_owner text, owner_token text, terms text[])
    RETURNS TABLE (id text, size integer, term text) LANGUAGE plpgsql AS $$
    DECLARE
        asked text;
    BEGIN
        FOREACH term IN ARRAY stems(terms) LOOP
            asked := format('%s & %s', owner_token, term);
            PERFORM set_config('par.query', asked, true);
            RETURN QUERY SELECT found.id, found.size, memory_hits.term FROM memory_words AS found
            WHERE found.scope = (SELECT current_scope()) AND found.owner = its_owner AND found.words @@ asked::tsquery;
        END LOOP;
        PERFORM set_config('par.query', '', true);
    END $$
    """,
    """
    CREATE FUNCTION history_hits(owner_token text, terms text[], most integer)
    RETURNS TABLE (place bigint, session text, at timestamptz, size integer, term text) LANGUAGE plpgsql AS $$
    DECLARE
        asked text;
    BEGIN
        FOREACH term IN ARRAY stems(terms) LOOP
            asked := format('%s & %s', owner_token, term);
            PERFORM set_config('par.query', asked, true);
            RETURN QUERY
            SELECT found.position, found.session, found.at, found.size, history_hits.term FROM history_words AS found
            WHERE found.scope = (SELECT current_scope()) AND found.words @@ asked::tsquery
            ORDER BY found.position DESC LIMIT most;
        END LOOP;
        PERFORM set_config('par.query', '', true);
    END $$
    """,
    # The lock is that of the indexer, who may have read what is removed now and not yet stored its words
    """
    CREATE FUNCTION forget_history() RETURNS trigger LANGUAGE plpgsql SET search_path = par, pg_temp AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock(x'50415233'::int, hashtext(old.scope));
        DELETE FROM history_words WHERE scope = old.scope AND position = old.position;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER history_is_redacted AFTER UPDATE ON event FOR EACH ROW WHEN (new.body IS NULL)
    EXECUTE FUNCTION forget_history()
    """,
    "CREATE TRIGGER history_expires AFTER DELETE ON event FOR EACH ROW EXECUTE FUNCTION forget_history()",
)

POSTGRES: Final[tuple[str, ...]] = (*_MEMORY, *_HISTORY, *_WORDS, *_CALLS)
"""Needs ``postgres_events.POSTGRES``."""
