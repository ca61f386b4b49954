"""The journal's tables, and the way from an older version of them to the present one. Pure text.

Each entry of ``MIGRATIONS`` leads from the version of its index to the next. Entries are never changed once
released, only added: the journal of a user is worth money.
"""

from __future__ import annotations

MIGRATIONS: tuple[str, ...] = (
    # 0 -> 1
    """
    CREATE TABLE tasks (
        row_id INTEGER PRIMARY KEY,
        account TEXT NOT NULL,            -- whose account pays: a region, or a host and a fingerprint
        take TEXT NOT NULL,               -- hash of the request and its take number
        attempt INTEGER NOT NULL CHECK (attempt >= 1),
        external_task_id TEXT,            -- NULL where strangers share the account
        task_id TEXT,                     -- Kling's own id, once it is known
        state TEXT NOT NULL CHECK (state IN
            ('prepared', 'told', 'submitted', 'succeeded', 'delivered', 'refused', 'failed')),
        sends INTEGER NOT NULL DEFAULT 0, -- creates that may have left under this id
        adopted INTEGER NOT NULL DEFAULT 0, -- paid by someone else's create under the same id
        practice INTEGER NOT NULL DEFAULT 0, -- a simulator's money
        product TEXT NOT NULL,
        dialect TEXT NOT NULL,
        model TEXT NOT NULL,
        kind TEXT NOT NULL,               -- what the duration of a task depends on
        estimated_units REAL,
        estimated_usd REAL,
        deducted_units REAL,
        duration TEXT,                    -- seconds of video, as Kling says it
        failure TEXT,
        prompt_id TEXT,
        node_id TEXT,
        prepared_at REAL NOT NULL,
        submitted_at REAL,
        started_at REAL,
        finished_at REAL,
        delivered_at REAL,
        UNIQUE (account, take, attempt),
        CHECK (state IN ('prepared', 'told', 'refused') OR task_id IS NOT NULL)
    );
    CREATE INDEX tasks_by_task ON tasks (account, task_id);
    CREATE INDEX tasks_by_kind ON tasks (account, kind, finished_at);
    CREATE INDEX tasks_by_day ON tasks (practice, prepared_at);
    """,
    # 1 -> 2: the results of a task, a JSON list of kind, name, duration and bytes; NULL before there are any
    """
    ALTER TABLE tasks ADD COLUMN outputs TEXT;
    """,
    # 2 -> 3: who paid and how much, and how often Kling knew of a task that it did not show
    """
    ALTER TABLE tasks ADD COLUMN payer TEXT;              -- fingerprint of the credential; NULL: not known
    ALTER TABLE tasks ADD COLUMN deducted_cash REAL;      -- money of the balance, beside deducted_units
    ALTER TABLE tasks ADD COLUMN deducted_currency TEXT;
    ALTER TABLE tasks ADD COLUMN spent_usd REAL;          -- of both together; NULL: the estimate stands
    ALTER TABLE tasks ADD COLUMN unseen INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX tasks_by_take ON tasks (take);
    """,
)
