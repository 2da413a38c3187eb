-- How often something was noted of a request: an answer that was on its way while somebody noted what
-- came later is older than what stands here, and is looked up again instead of taken.
ALTER TABLE provider_request_state ADD COLUMN noted bigint NOT NULL DEFAULT 0;
