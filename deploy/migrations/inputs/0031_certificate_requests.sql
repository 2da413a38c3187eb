-- What a station wants signed, as it sent it last because somebody asked it to (PEM), for whoever
-- has it signed (ingest/answers/certificates.py).
ALTER TABLE station_setting
ADD COLUMN certificate_request text,
ADD COLUMN certificate_requested_at timestamptz,
ADD CHECK ((certificate_request IS NULL) = (certificate_requested_at IS NULL));
