-- Texts of tariffs that somebody works on (ledger/desk/drafting): each that was kept, whole. Nothing
-- of it is lost: who goes on from one keeps another.
CREATE TABLE tariff_draft (
    number     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- The id that it names; while it cannot be read that of the tariff it was to change, or ''.
    tariff_id  text        NOT NULL,
    text       text        NOT NULL CHECK (octet_length(text) <= 4000000),
    -- Of its text as UTF-8.
    sha256     text        NOT NULL,
    -- The hash of what it says, as a version of a tariff has it; '' while it cannot be read.
    version    text        NOT NULL,
    -- Which it was made from.
    based_on   bigint      REFERENCES tariff_draft,
    drafted_by text        NOT NULL,
    drafted_at timestamptz NOT NULL
);
CREATE INDEX tariff_draft_tariff ON tariff_draft (tariff_id, number);
CREATE INDEX tariff_draft_version ON tariff_draft (version, number) WHERE version <> '';
CREATE TRIGGER tariff_draft_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON tariff_draft
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Long work that somebody asked for (ledger/jobs), done by one runner at a time.
CREATE TABLE job (
    number     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind       text        NOT NULL,
    -- What it is about, for lists.
    subject    text        NOT NULL,
    -- Canonical JSON, as the kind reads it.
    parameters bytea       NOT NULL CHECK (octet_length(parameters) <= 1000000),
    asked_by   text        NOT NULL,
    asked_at   timestamptz NOT NULL,
    state      text        NOT NULL DEFAULT 'waiting'
        CHECK (state IN ('waiting', 'running', 'done', 'failed', 'cancelled')),
    -- How much of how much is done, in the work's own units.
    done       bigint      NOT NULL DEFAULT 0,
    whole      bigint      NOT NULL DEFAULT 0,
    -- Rises each time that it is taken: who was taken over writes nothing.
    epoch      integer     NOT NULL DEFAULT 0,
    -- How often its runner was gone before it was done.
    lost       integer     NOT NULL DEFAULT 0,
    runner     text        NOT NULL DEFAULT '',
    -- By the database's clock: until then nobody else takes it.
    until      timestamptz,
    ended_at   timestamptz,
    -- Canonical JSON, of a job that is done.
    result     bytea,
    -- Of one that failed, in words.
    error      text        NOT NULL DEFAULT ''
);
CREATE INDEX job_to_do ON job (number) WHERE state IN ('waiting', 'running');
CREATE INDEX job_kind ON job (kind, number);
CREATE INDEX job_subject ON job (subject, number);
-- Who asks twice for the same before it is done gets the same job.
CREATE UNIQUE INDEX job_once ON job (kind, asked_by, sha256(parameters))
    WHERE state IN ('waiting', 'running');

-- What became of each job, in order.
CREATE TABLE job_move (
    number   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job      bigint      NOT NULL REFERENCES job,
    move     text        NOT NULL,
    -- Who asked for it or cancelled it; '' where its runner did it.
    moved_by text        NOT NULL DEFAULT '',
    moved_at timestamptz NOT NULL
);
CREATE INDEX job_move_job ON job_move (job, number);
CREATE TRIGGER job_move_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON job_move
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Files that a job made, in pieces; they go after a while, the job stays.
CREATE TABLE job_file (
    job   bigint  NOT NULL REFERENCES job,
    name  text    NOT NULL,
    epoch integer NOT NULL,
    piece integer NOT NULL,
    bytes bytea   NOT NULL,
    PRIMARY KEY (job, name, epoch, piece)
);
ALTER TABLE job_file ALTER COLUMN bytes SET STORAGE EXTERNAL;
