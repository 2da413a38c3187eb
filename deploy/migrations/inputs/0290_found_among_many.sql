-- The next document by each way, whatever is due by the others.
DROP INDEX document_delivery_due;
CREATE INDEX document_delivery_due ON document_delivery (way, next_at, id)
WHERE state = 'waiting';

-- What failed, among the million events that were taken.
CREATE INDEX webhook_delivery_in_state ON webhook_delivery (webhook, state, number);

-- What an import looks at again: of what names nothing of ours, what comes to a payout's amount.
CREATE INDEX unmatched_line_named ON unmatched_line (booked_on, line)
WHERE reason <> 'no_reference';
CREATE INDEX unmatched_line_amount ON unmatched_line (left_minor) WHERE reason = 'no_reference';

-- What was never rendered, before what failed.
DROP INDEX document_task_due;
CREATE INDEX document_task_due ON document_task ((attempts > 0), next_at, number) WHERE NOT is_erased;
