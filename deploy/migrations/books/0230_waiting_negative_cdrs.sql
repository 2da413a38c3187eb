-- A negative CDR of OCPI 2.1.1 that is to take another one back is a credit from the first, and
-- waits for a CDR of the same token, times and amount (`ToldCdr.charge_key`). Those of before of
-- which nobody decided, unless what they take back has come since: a person decides about these.
UPDATE partner_cdr AS negative SET kind = 'credit', repriced_net = NULL, tariff_id = NULL,
    codes = jsonb_path_query_array(codes, '$[*] ? (
        @.code == "cdr_late" || @.code == "cdr_ahead" || @.code == "cdr_token_unknown"
        || @.code == "cdr_credit_without_original" || @.code == "cdr_told_otherwise"
    )'),
    waits_for = concat_ws(
        E'\n', subject, (extract(epoch FROM started_at) * 1000000)::bigint,
        (extract(epoch FROM ended_at) * 1000000)::bigint, trim_scale(-net)
    )
WHERE kind = 'cdr' AND net < 0 AND decided_at IS NULL AND subject IS NOT NULL
AND codes @> '[{"code": "cdr_credit_without_original"}]' AND NOT EXISTS (
    SELECT FROM partner_cdr AS original
    WHERE original.party = negative.party AND original.kind = 'cdr'
    AND original.subject = negative.subject AND original.net = -negative.net
    AND (original.started_at, original.ended_at) = (negative.started_at, negative.ended_at)
);
