-- Documents as their readers get them (projections/documents). Each is rendered once, after its
-- invoice was booked, sealed with the key of who it is for, and never changed; erasing that person
-- leaves bytes that nobody opens. What others render, or the same again later, is compared by the
-- hashes here, which are of what was sealed. `renderer` is what it was made with, as JSON.
CREATE TABLE rendered_document (
    number         text        PRIMARY KEY,
    kind           text        NOT NULL CHECK (kind IN ('invoice', 'credit_note', 'receipt')),
    language       text        NOT NULL,
    subject        text        NOT NULL,
    -- Of the canonical document that it shows: what the feed names.
    invoice_sha256 text        NOT NULL,
    pdf_sha256     text        NOT NULL,
    xml_sha256     text,
    renderer       text        NOT NULL,
    rendered_at    timestamptz NOT NULL DEFAULT now(),
    pdf            bytea       NOT NULL,
    xml            bytea,
    CHECK ((xml IS NULL) = (xml_sha256 IS NULL))
);
-- What is sealed does not pack.
ALTER TABLE rendered_document ALTER COLUMN pdf SET STORAGE EXTERNAL;
ALTER TABLE rendered_document ALTER COLUMN xml SET STORAGE EXTERNAL;

CREATE FUNCTION documents_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: a document is rendered once', TG_TABLE_NAME;
END;
$$;
CREATE TRIGGER rendered_document_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE
    ON rendered_document FOR EACH STATEMENT EXECUTE FUNCTION documents_refuse_change();

-- Documents that are still to be rendered: a work list. `reason` says why the last attempt failed,
-- sealed for `subject`, who the document is for; null: none failed. `is_erased`: there is nobody to seal it
-- for, so it is never rendered.
CREATE TABLE document_task (
    number    text        PRIMARY KEY,
    attempts  integer     NOT NULL DEFAULT 0,
    next_at   timestamptz NOT NULL DEFAULT now(),
    subject   text,
    reason    text,
    is_erased boolean     NOT NULL DEFAULT false
);
CREATE INDEX document_task_due ON document_task (next_at) WHERE NOT is_erased;

-- What is on its way to its reader. `sending`: somebody is at it, and it has surely not arrived.
-- `handing_over`: it may have arrived. `unknown`: whoever was at it is gone, and a person decides.
CREATE TABLE document_delivery (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number   text        NOT NULL REFERENCES rendered_document,
    way      text        NOT NULL CHECK (way IN ('email', 'link', 'folder', 'webhook')),
    state    text        NOT NULL DEFAULT 'waiting' CHECK (state IN (
        'waiting', 'sending', 'handing_over', 'delivered', 'unknown', 'refused', 'erased'
    )),
    attempts integer     NOT NULL DEFAULT 0,
    next_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (number, way)
);
CREATE INDEX document_delivery_due ON document_delivery (next_at) WHERE state = 'waiting';
CREATE INDEX document_delivery_begun ON document_delivery (id)
    WHERE state IN ('sending', 'handing_over');

-- Each attempt, and what came of it: null while it lasts. `why` is in codes and numbers alone, for a
-- server's own words may name a person.
CREATE TABLE delivery_attempt (
    delivery_id bigint      NOT NULL REFERENCES document_delivery,
    attempt     integer     NOT NULL CHECK (attempt > 0),
    began_at    timestamptz NOT NULL DEFAULT now(),
    ended_at    timestamptz,
    came_of_it  text CHECK (came_of_it IN ('delivered', 'not_delivered', 'refused', 'unknown')),
    why         text        NOT NULL DEFAULT '',
    PRIMARY KEY (delivery_id, attempt),
    CHECK ((ended_at IS NULL) = (came_of_it IS NULL))
);

-- Addresses under which a document may be fetched without a token: 256 random bits, so their hash
-- needs no salt.
CREATE TABLE document_link (
    digest     bytea       PRIMARY KEY,
    number     text        NOT NULL REFERENCES rendered_document,
    made_at    timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX document_link_expiry ON document_link (expires_at);
